"""Meters of other makes as a client sees them: over TCP, through a raw gateway, and on a pseudo-terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from simulated_roof import CLOCK, Roof, unpacked

from dynexport.broker import free_port
from dynexport.modbus.address import Address, SerialAddress, TcpAddress
from dynexport.modbus.endpoint import Endpoint, Refused
from dynexport.service import BAD_CONFIGURATION
from dynexport.testing.builders import site
from dynexport.testing.context import fake_context
from site_simulator.app import Simulator


def floats(endpoint: Endpoint, address: int, count: int) -> tuple[float, ...]:
    return unpacked("f" * count, endpoint.read_input(1, address, 2 * count))


def test_an_sdm630_shows_import_as_positive_in_floats_among_the_input_registers() -> None:
    with Roof("sma-core1", "sdm630", load_share_pct=None) as roof:
        assert floats(roof.meter, 0x34, 1)[0] == pytest.approx(-8000, abs=5)
        assert floats(roof.meter, 0x0C, 3) == pytest.approx((-8000, 0, 0), abs=5)
        assert floats(roof.meter, 0x46, 1)[0] == pytest.approx(50)
        roof.ask("reversed", id="meter")
        assert floats(roof.meter, 0x34, 1)[0] == pytest.approx(8000, abs=5)


def test_an_sdm630_takes_80_registers_and_has_no_power_among_its_holding_registers() -> None:
    with Roof("sma-core1", "sdm630") as roof:
        assert len(roof.meter.read_input(1, 0, 76)) == 76
        with pytest.raises(Refused, match="exception 2"):
            roof.meter.read_holding(1, 0x34, 2)
        with pytest.raises(Refused, match="exception 3"):
            roof.meter.read_input(1, 0, 82)


def test_an_sdm72_of_the_weak_kind_takes_ten_registers() -> None:
    with Roof("sma-core1", "sdm72") as roof:
        assert floats(roof.meter, 0x34, 1)[0] == pytest.approx(-8000, abs=5)
        with pytest.raises(Refused, match="exception 3"):
            roof.meter.read_input(1, 0, 12)


def test_an_sdm120_has_one_phase_and_nothing_between_its_values() -> None:
    with Roof("sma-core1", "sdm120") as roof:
        assert floats(roof.meter, 0x0C, 1)[0] == pytest.approx(-8000, abs=5)
        with pytest.raises(Refused, match="exception 2"):
            roof.meter.read_input(1, 0x0C, 4)


@pytest.mark.parametrize("line", ["serial", "gateway"])
def test_a_meter_answers_on_a_line_of_its_own(tmp_path: Path, line: str) -> None:
    port = free_port()
    address: Address = TcpAddress("127.0.0.1", port, "rtu")
    place: dict[str, Any] = {"tcp": {"host": "127.0.0.1", "port": port, "framing": "rtu"}}
    if line == "serial":
        address = SerialAddress(str(tmp_path / "ttyUSB0"), 9600)
        place = {"serial": {"port": str(tmp_path / "ttyUSB0"), "baudrate": 9600}}
    shape = site(
        meter={"driver": "registers", "device": "sdm630", **place},
        inverters=[
            {
                "id": "roof", "driver": "sunspec", "tcp": {"host": "127.0.0.1", "port": free_port()},
                "rated_w": 5000,
            }
        ],
        simulator={"sun": "script", "load_w": 2000, "meter_noise_w": 0, "tau_s": 0.05},
    )  # fmt: skip
    context, _ = fake_context("site-simulator", shape, CLOCK)
    simulator = Simulator(context)
    simulator.start()
    endpoint = Endpoint(address, timeout_s=0.5)
    try:
        assert floats(endpoint, 0x34, 1)[0] == pytest.approx(-3000, abs=5)
        with pytest.raises(Refused, match="exception 3"):
            endpoint.read_input(1, 0, 82)
    finally:
        endpoint.close()
        simulator.stop(context.moment())


def test_an_owners_own_description_is_served_by_the_image_that_the_settings_name() -> None:
    images = {"roof": "sma-core1", "meter": "sdm630"}
    with Roof("my-sma.yaml", "my-meter.yaml", unit=3, images=images) as roof:
        assert roof.holding(30775, "i")[0] == pytest.approx(10_000, abs=5)
        assert floats(roof.meter, 0x34, 1)[0] == pytest.approx(-8000, abs=5)


def test_a_name_without_an_image_is_told_with_those_that_are(caplog: pytest.LogCaptureFixture) -> None:
    with Roof("my-sma.yaml") as roof:
        assert roof.simulator.context.exit_code == BAD_CONFIGURATION
    assert "no image 'my-sma.yaml' for roof" in caplog.text
    assert "simulator.images.roof" in caplog.text
