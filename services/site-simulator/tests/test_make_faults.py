"""The faults of the simulator on devices with a register map of their maker's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from simulated_roof import CLOCK, Roof, unpacked

from dynexport.modbus.endpoint import BadAnswer, ModbusError, Unreachable
from dynexport.testing.context import codes


@pytest.fixture
def roof() -> Iterator[Roof]:
    with Roof("goodwe-et", "goodwe-et-meter", unit=247, shared=True) as running:
        yield running


@pytest.fixture
def house() -> Iterator[Roof]:
    with Roof("sungrow-sg", "sdm630") as running:
        yield running


def meter_w(house: Roof) -> float:
    return float(unpacked("f", house.meter.read_input(1, 0x34, 2))[0])


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("silent", Unreachable),
        ("hang", Unreachable),
        ("refuse", Unreachable),
        ("short_answer", BadAnswer),
        ("wrong_function", BadAnswer),
    ],
)
def test_a_fault_of_an_answer_shows_among_input_registers_too_and_ends(
    house: Roof, fault: str, error: type[ModbusError]
) -> None:
    assert meter_w(house) == pytest.approx(-8000, abs=5)
    house.ask(fault, id="meter")
    with pytest.raises(error):
        meter_w(house)
    house.ask("clear")
    assert meter_w(house) == pytest.approx(-8000, abs=5)


@pytest.mark.parametrize(("fault", "words"), [("sentinel", (0x7FC0, 0)), ("all_ones", (0xFFFF, 0xFFFF))])
def test_what_is_measured_can_be_no_value(house: Roof, fault: str, words: tuple[int, int]) -> None:
    house.ask(fault, id="meter")
    assert house.meter.read_input(1, 0x34, 2) == words


def test_a_frozen_meter_repeats_itself_and_a_delay_is_waited_out(house: Roof) -> None:
    before = meter_w(house)
    house.ask("frozen", id="meter")
    house.ask("load_w", value=7000.0)
    assert meter_w(house) == before
    house.ask("clear")
    house.ask("delay", id="meter", value=0.1)
    began = CLOCK.mono()
    assert meter_w(house) == pytest.approx(-3000, abs=5)
    assert CLOCK.mono() - began >= 0.1


def test_a_reset_breaks_the_connection_once(house: Roof) -> None:
    meter_w(house)
    house.ask("reset")
    assert meter_w(house) == pytest.approx(-8000, abs=5)


def test_a_fault_of_the_inverter_leaves_the_meter_behind_it_alone(roof: Roof) -> None:
    roof.ask("silent", id="roof")
    with pytest.raises(Unreachable):
        roof.holding(35138, "h")
    assert roof.holding(36025, "i")[0] == pytest.approx(8000, abs=5)


def test_an_inverter_can_forget_its_limit_flash_or_not(roof: Roof) -> None:
    roof.write(47510, "H", 3000)
    roof.write(47509, "H", 1)
    CLOCK.sleep(1.5)
    assert roof.truth["export_w"] == pytest.approx(3000, abs=10)
    roof.ask("revert", id="roof")
    assert roof.truth["export_w"] == pytest.approx(8000, abs=10)
    assert roof.holding(47509, "HH") == (0, 10_000)


def test_a_power_cut_is_silence_first_and_then_a_start_from_nothing(roof: Roof) -> None:
    roof.ask("power_cycle", id="roof", value=0.6)
    with pytest.raises(Unreachable):
        roof.holding(35138, "h")
    CLOCK.sleep(0.8)
    assert roof.holding(35138, "h")[0] == pytest.approx(10_000, abs=5)


@pytest.mark.parametrize("fields", [{"id": "nowhere"}, {"id": "nowhere", "value": 1.0}])
def test_a_power_cut_of_what_is_not_there_is_refused_in_words(roof: Roof, fields: dict[str, Any]) -> None:
    roof.ask("power_cycle", **fields)
    assert "fault_refused" in codes(roof.bus, "site-simulator")
