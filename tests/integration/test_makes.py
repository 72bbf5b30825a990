"""Every described make in the closed loop: real processes, a broker, and that make's registers over a real socket."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.makes import BEHIND, inverters, meters
from bench.stack import CLOCK, CONTROL, Stack, stack

from dynexport import topics
from dynexport.messages import HardwareFallback, InverterCapability, Scope
from dynexport.modbus.registers.catalogue import SHIPPED, description

pytestmark = pytest.mark.integration

EXPORT_LIMIT_W, LIMIT_W, MARGIN_W, WASTED_W = 5000.0, 2500.0, 150.0, 150.0
SETTLES_WITHIN_S = 100.0  # a limit that persists is raised once a minute
FAULTS = ("silent", "sentinel", "reset", "garbage", "frozen")


def exports(site: Stack, seconds: float) -> list[float]:
    """The true export of the next seconds, watts."""
    start = CLOCK.mono()
    site.wait(seconds)
    return [sample.export_w for sample in site.record.since(start)]


def settles(site: Stack, export_w: float) -> None:
    """Waits until the export is at its limit, never above it, and not far below."""
    end = CLOCK.mono() + SETTLES_WITHIN_S
    while not export_w - WASTED_W < (mean := sum(found := exports(site, 2.0)) / len(found)) < export_w + 30:
        assert CLOCK.mono() < end, f"{mean:.0f} W instead of {export_w:.0f} W\n{site.logs()}"


@pytest.fixture(params=inverters())
def roof(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A site with one inverter of a make, read by a SunSpec meter."""
    with stack(export_limit_w=EXPORT_LIMIT_W, device=request.param, load_w=2000) as site:
        site.start(CONTROL)
        settles(site, EXPORT_LIMIT_W)
        yield site


def test_a_make_obeys_down_and_up_through_its_faults_and_does_what_it_says_when_we_die(roof: Stack) -> None:
    """One story for each make: starting a stack costs more than each of its chapters."""
    make = description(roof.shape["inverters"][0]["device"])
    assert make.limit is not None
    roof.limit(LIMIT_W)
    settles(roof, LIMIT_W)
    for fault in FAULTS:
        roof.simulate(fault, inverter="i0")
        assert max(exports(roof, 6.0)) < LIMIT_W + MARGIN_W, fault
        roof.simulate("clear")
        assert max(exports(roof, 4.0)) < LIMIT_W + MARGIN_W, f"after {fault}"
    roof.simulate("power_cycle", inverter="i0")  # one whose limit is volatile comes back without it
    assert max(exports(roof, 15.0)[-200:]) < LIMIT_W + MARGIN_W
    settles(roof, LIMIT_W)
    os.kill(roof.processes["limit_engine"].pid, signal.SIGSTOP)
    assert max(exports(roof, 22.0)[-100:]) < 1500 + MARGIN_W, "the writer falls back on the failsafe"
    os.kill(roof.processes["limit_engine"].pid, signal.SIGCONT)
    settles(roof, LIMIT_W)
    roof.stop(CONTROL)
    roof.simulate("load_w", 500.0)
    left_w = exports(roof, 6.0)[-1]
    if make.limit.when_silent is HardwareFallback.CHOSEN_W or make.limit.scope is Scope.EXPORT:
        assert left_w < 1500 + MARGIN_W
    else:
        assert left_w < 1500 + 2000 - 500 + MARGIN_W, "it holds what a stop left in it"


@pytest.mark.parametrize("make", [*meters(), *BEHIND.values()])
def test_a_described_meter_keeps_a_site_at_its_limit(make: str) -> None:
    behind = {meter: inverter for inverter, meter in BEHIND.items()}
    device = behind.get(make)
    with stack(
        export_limit_w=EXPORT_LIMIT_W,
        device=device,
        meter_device=make,
        meter_behind=device is not None,
        load_w=2000,
    ) as site:
        site.start(CONTROL)
        settles(site, EXPORT_LIMIT_W)
        site.limit(LIMIT_W)
        settles(site, LIMIT_W)


def test_a_described_meter_on_a_serial_line_keeps_a_site_at_its_limit(tmp_path: Path) -> None:
    """An RS-485 bus of its own, as most are: the inverter answers elsewhere."""
    with stack(export_limit_w=EXPORT_LIMIT_W, meter_device="sdm630", load_w=2000, meter_serial={
        "port": str(tmp_path / "ttyUSB0"), "baudrate": 9600,
    }) as site:  # fmt: skip
        site.start(CONTROL)
        settles(site, EXPORT_LIMIT_W)
        site.limit(LIMIT_W)
        settles(site, LIMIT_W)


def test_a_make_that_nobody_ships_is_added_by_a_data_file_alone(tmp_path: Path) -> None:
    """An owner's own file, by its path; the registers that it describes are a Sungrow's, under another name."""
    own = tmp_path / "acme.yaml"
    own.write_text((SHIPPED / "sungrow-sg.yaml").read_text().replace("make: Sungrow", "make: Acme"))
    with stack(
        export_limit_w=EXPORT_LIMIT_W, device=str(own), load_w=2000, images={"i0": "sungrow-sg"}
    ) as site:
        site.bus.subscribe(topics.INVERTER_CAPABILITY)
        site.start(CONTROL)
        settles(site, EXPORT_LIMIT_W)
        site.limit(LIMIT_W)
        settles(site, LIMIT_W)
        said = [each.message for each in site.heard if each.topic is topics.INVERTER_CAPABILITY]
        assert isinstance(said[-1], InverterCapability)
        assert (said[-1].manufacturer, said[-1].driver) == ("Acme", str(own))
