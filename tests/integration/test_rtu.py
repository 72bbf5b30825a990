"""The closed loop over one RS-485 bus: separate processes, a real broker, a pseudo-terminal at a real line's pace."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from bench.processes import tree
from bench.stack import CLOCK, CONTROL, Stack, stack

pytestmark = pytest.mark.integration

EXPORT_LIMIT_W, LOAD_W = 5000.0, 3000.0
SETTLES_WITHIN_S = 60.0
MARGIN_W = 60.0


def exports(site: Stack, seconds: float) -> list[float]:
    """The true export of the next seconds, watts."""
    start = CLOCK.mono()
    site.wait(seconds)
    return [sample.export_w for sample in site.record.since(start)]


def settles(site: Stack, export_w: float) -> None:
    """Waits until the export is near its limit: a loaded machine takes its time to start the services."""
    end = CLOCK.mono() + SETTLES_WITHIN_S
    while not export_w - 200 < (mean := sum(found := exports(site, 3.0)) / len(found)) < export_w + 30:
        assert CLOCK.mono() < end, f"{mean:.0f} W instead of {export_w:.0f} W"


def log_of(site: Stack, module: str) -> str:
    return (site.directory / f"{module}.log").read_text(errors="replace")


@pytest.mark.parametrize(("baudrate", "models"), [(9600, "integer"), (19200, "der")])
def test_inverter_and_meter_on_one_bus_are_kept_at_the_limit_by_its_one_master(
    tmp_path: Path, baudrate: int, models: str
) -> None:
    serial = {"port": str(tmp_path / "ttyUSB0"), "baudrate": baudrate}
    with stack(export_limit_w=EXPORT_LIMIT_W, load_w=LOAD_W, serial=serial, map=models) as site:
        site.start(CONTROL)
        settles(site, EXPORT_LIMIT_W)
        site.limit(1500.0)
        site.wait(12.0)
        assert max(exports(site, 3.0)) < 1500 + MARGIN_W
        assert "inverter-writer reads it" in log_of(site, "meter_reader")


def test_an_adapter_that_is_pulled_out_and_put_back_is_taken_up_again(tmp_path: Path) -> None:
    serial = {"port": str(tmp_path / "ttyUSB0"), "baudrate": 19200}
    with stack(export_limit_w=EXPORT_LIMIT_W, load_w=LOAD_W, serial=serial) as site:
        site.start(CONTROL)
        settles(site, EXPORT_LIMIT_W)
        site.simulate("refuse")
        site.wait(8.0)
        assert not (tmp_path / "ttyUSB0").exists()
        assert max(exports(site, 1.0)) < EXPORT_LIMIT_W + MARGIN_W
        site.simulate("clear")
        site.wait(25.0)
        site.limit(1500.0)
        site.wait(12.0)
        assert max(exports(site, 3.0)) < 1500 + MARGIN_W, "it obeys again"
        assert "is the adapter plugged in" in log_of(site, "inverter_writer")


def test_a_dead_inverter_on_the_bus_does_not_keep_the_meter_and_the_other_from_being_served(
    tmp_path: Path,
) -> None:
    serial = {"port": str(tmp_path / "ttyUSB0"), "baudrate": 19200}
    with stack(count=2, export_limit_w=2000.0, load_w=1000.0, serial=serial) as site:
        site.start(CONTROL)
        settles(site, 2000.0)
        site.simulate("silent", inverter="i0")
        site.wait(15.0)
        site.limit(500.0)
        site.wait(10.0)
        start = CLOCK.mono()
        site.wait(5.0)
        generation = [sample.export_w + sample.load_w for sample in site.record.since(start)]
        assert max(generation) < 1000 + 500 + MARGIN_W


def test_a_writer_that_froze_leaves_its_bus_to_its_successor(tmp_path: Path) -> None:
    serial = {"port": str(tmp_path / "ttyUSB0"), "baudrate": 19200}
    with stack(export_limit_w=EXPORT_LIMIT_W, load_w=LOAD_W, serial=serial) as site:
        site.start(CONTROL)
        settles(site, EXPORT_LIMIT_W)
        parent = site.processes["inverter_writer"].pid
        (worker,) = tree([parent]) - {parent}
        os.kill(worker, signal.SIGSTOP)
        site.wait(30.0)
        site.limit(1500.0)
        site.wait(12.0)
        assert max(exports(site, 3.0)) < 1500 + MARGIN_W
        assert tree([parent]) - {parent} != {worker}
