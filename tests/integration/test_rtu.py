"""The closed loop over one RS-485 bus: separate processes, a real broker, a pseudo-terminal at a real line's pace."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.stack import CLOCK, CONTROL, Stack, stack

pytestmark = pytest.mark.integration

EXPORT_LIMIT_W, LOAD_W = 5000.0, 3000.0


def exports(site: Stack, seconds: float) -> list[float]:
    """The true export of the next seconds, watts."""
    start = CLOCK.mono()
    site.wait(seconds)
    return [sample.export_w for sample in site.record.since(start)]


def log_of(site: Stack, module: str) -> str:
    return (site.directory / f"{module}.log").read_text(errors="replace")


@pytest.mark.parametrize("baudrate", [9600, 19200])
def test_inverter_and_meter_on_one_bus_are_kept_at_the_limit_by_its_one_master(
    tmp_path: Path, baudrate: int
) -> None:
    serial = {"port": str(tmp_path / "ttyUSB0"), "baudrate": baudrate}
    with stack(export_limit_w=EXPORT_LIMIT_W, load_w=LOAD_W, serial=serial) as site:
        site.start(CONTROL)
        site.wait(15.0)
        settled = exports(site, 3.0)
        assert 4850 < sum(settled) / len(settled) < 5030
        site.limit(1500.0)
        site.wait(8.0)
        assert max(exports(site, 3.0)) < 1550
        assert "nothing to do here" in log_of(site, "meter_reader")


def test_an_adapter_that_is_pulled_out_and_put_back_is_taken_up_again(tmp_path: Path) -> None:
    serial = {"port": str(tmp_path / "ttyUSB0"), "baudrate": 19200}
    with stack(export_limit_w=EXPORT_LIMIT_W, load_w=LOAD_W, serial=serial) as site:
        site.start(CONTROL)
        site.wait(15.0)
        site.simulate("refuse")
        site.wait(8.0)
        assert not (tmp_path / "ttyUSB0").exists()
        assert max(exports(site, 1.0)) < EXPORT_LIMIT_W + 60
        site.simulate("clear")
        site.wait(25.0)
        site.limit(1500.0)
        site.wait(8.0)
        assert max(exports(site, 3.0)) < 1550, "it obeys again"
        assert "is the adapter plugged in" in log_of(site, "inverter_writer")


def test_a_dead_inverter_on_the_bus_does_not_keep_the_meter_and_the_other_from_being_served(
    tmp_path: Path,
) -> None:
    serial = {"port": str(tmp_path / "ttyUSB0"), "baudrate": 19200}
    with stack(count=2, export_limit_w=2000.0, load_w=1000.0, serial=serial) as site:
        site.start(CONTROL)
        site.wait(15.0)
        site.simulate("silent", inverter="i0")
        site.wait(15.0)
        site.limit(500.0)
        site.wait(10.0)
        start = CLOCK.mono()
        site.wait(5.0)
        generation = [sample.export_w + sample.load_w for sample in site.record.since(start)]
        assert max(generation) < 1000 + 500 + 60
