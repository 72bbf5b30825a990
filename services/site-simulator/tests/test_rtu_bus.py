"""The simulated bus as a master sees it: over a pseudo-terminal, and through a gateway that passes bytes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dynexport import topics
from dynexport.broker import free_port
from dynexport.clock import SystemClock
from dynexport.messages import Request
from dynexport.modbus.address import Address, SerialAddress, TcpAddress
from dynexport.modbus.endpoint import BadAnswer, Endpoint, ModbusError, Unreachable
from dynexport.modbus.sunspec_inverter import SunSpecInverter
from dynexport.modbus.sunspec_meter import SunSpecMeter
from dynexport.service import BAD_CONFIGURATION
from dynexport.testing.builders import site
from dynexport.testing.context import fake_context
from site_simulator.app import Simulator

CLOCK = SystemClock()


class Hut:
    """Two inverters and a meter on one bus, and their one master."""

    def __init__(self, address: Address) -> None:
        if isinstance(address, SerialAddress):
            place: dict[str, Any] = {"serial": {"port": address.port, "baudrate": address.baudrate}}
        else:
            place = {"tcp": {"host": address.host, "port": address.port, "framing": "rtu"}}
        shape = site(
            meter={"driver": "sunspec", **place, "unit": 240},
            inverters=[
                {"id": name, "driver": "sunspec", **place, "unit": unit, "rated_w": 5000}
                for unit, name in ((1, "east"), (2, "west"))
            ],
            simulator={"sun": "script", "load_w": 2000, "meter_noise_w": 0, "tau_s": 0.05},
        )
        context, self.bus = fake_context("site-simulator", shape, CLOCK)
        self.simulator = Simulator(context)
        self.simulator.start()
        self.endpoint = Endpoint(address, timeout_s=0.3)
        self.meter = SunSpecMeter(self.endpoint, 240)
        self.east, self.west = SunSpecInverter(self.endpoint, 1), SunSpecInverter(self.endpoint, 2)

    def ask(self, fault: str, **fields: Any) -> None:
        request = Request(issued_at=CLOCK.now(), fault=fault, **fields)
        self.bus.deliver(topics.REQUEST, request, "site-simulator", "fault")
        self.simulator.step(self.bus.drain(), self.simulator.context.moment())
        CLOCK.sleep(0.15)

    def stop(self) -> None:
        self.endpoint.close()
        self.simulator.stop(self.simulator.context.moment())


@pytest.fixture(params=["serial", "gateway"])
def hut(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hut]:
    on_line = SerialAddress(str(tmp_path / "ttyUSB0"), 115200)
    running = Hut(on_line if request.param == "serial" else TcpAddress("127.0.0.1", free_port(), "rtu"))
    yield running
    running.stop()


def test_three_units_on_one_bus_answer_each_for_itself(hut: Hut) -> None:
    hut.east.write_limit(20.0, 0)
    CLOCK.sleep(0.5)
    assert hut.east.read().power_w == pytest.approx(1000, abs=5)
    assert hut.west.read().power_w == pytest.approx(5000, abs=5)
    assert hut.meter.read().power_w == pytest.approx(-4000, abs=10)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("silent", Unreachable),
        ("refuse", Unreachable),
        ("wrong_unit", Unreachable),
        ("short_answer", BadAnswer),
        ("wrong_function", BadAnswer),
        ("garbage", BadAnswer),
        ("bad_crc", BadAnswer),
    ],
)
def test_a_fault_shows_and_ends(hut: Hut, fault: str, error: type[ModbusError]) -> None:
    hut.meter.read()
    hut.ask(fault, id="meter")
    with pytest.raises(error):
        hut.meter.read()
    hut.ask("clear")
    assert hut.meter.read().power_w == pytest.approx(-8000, abs=5)


def test_noise_before_each_answer_costs_nothing(hut: Hut) -> None:
    hut.ask("noise")
    assert hut.meter.read().power_w == pytest.approx(-8000, abs=5)


def test_a_slow_unit_does_not_hold_the_others_up_and_its_late_answers_harm_nobody(hut: Hut) -> None:
    hut.east.read()
    hut.meter.read()
    hut.ask("delay", id="east", value=0.4)
    for _ in range(4):
        with pytest.raises(ModbusError):
            hut.east.read()
        assert hut.meter.read().power_w == pytest.approx(-8000, abs=5)
    hut.ask("clear")
    assert hut.east.read().power_w == pytest.approx(5000, abs=5)


def test_a_bus_that_was_broken_once_works_again_at_once(hut: Hut) -> None:
    hut.meter.read()
    hut.ask("reset")
    assert hut.meter.read().power_w == pytest.approx(-8000, abs=5)


def test_the_line_has_its_own_pace(tmp_path: Path) -> None:
    running = Hut(SerialAddress(str(tmp_path / "ttyUSB0"), 9600))
    try:
        began = CLOCK.mono()
        running.endpoint.read_holding(240, 40000, 100)
        assert CLOCK.mono() - began >= (8 + 205) * 10 / 9600
    finally:
        running.stop()


def test_the_link_goes_with_the_simulator_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    link = tmp_path / "ttyUSB0"
    link.symlink_to("/dev/pts/of-a-simulator-that-was-killed")
    running = Hut(SerialAddress(str(link), 115200))
    assert running.meter.read().power_w == pytest.approx(-8000, abs=5)
    running.stop()
    assert not link.is_symlink()


@pytest.mark.parametrize("is_link", [False, True])
def test_what_stands_at_the_path_already_is_left_alone_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, is_link: bool
) -> None:
    there = tmp_path / "ttyUSB0"
    if is_link:
        there.symlink_to("/dev/null")
    else:
        there.touch()
    running = Hut(SerialAddress(str(there), 115200))
    assert running.simulator.context.exit_code == BAD_CONFIGURATION
    assert "is there already" in caplog.text
    running.stop()
    assert there.exists()
