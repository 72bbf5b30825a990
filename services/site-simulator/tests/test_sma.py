"""The SMA CORE1 as a client sees it, over a real socket; addresses and codes are those of SMA's list."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from simulated_roof import CLOCK, Roof

from dynexport.modbus.endpoint import Refused

EXTERNAL, UNLIMITED = 1079, 303


@pytest.fixture
def roof() -> Iterator[Roof]:
    with Roof("sma-core1", "sma-core1-meter", unit=3, shared=True) as running:
        yield running


def test_power_state_and_frequency_are_where_the_list_has_them(roof: Roof) -> None:
    total_w, *_ = roof.holding(30775, "iiii")
    assert total_w == pytest.approx(10_000, abs=5)
    assert roof.holding(30803, "I") == (5000,)
    assert roof.holding(30217, "I") == (51,)
    assert roof.holding(30053, "I") == (9338,)
    assert roof.holding(30231, "I") == (10_000,)


def test_the_meter_has_one_value_for_feed_in_and_another_for_what_is_drawn(roof: Roof) -> None:
    assert roof.holding(31259, "IIIIII")[:4] == (8000, 0, 0, 0)
    roof.ask("available_pct", value=0.5)
    CLOCK.sleep(0.5)
    assert roof.holding(31259, "IIIIII")[0] == 0
    assert roof.holding(31259, "IIIIII")[3] == pytest.approx(1950, abs=5)


def test_a_limit_counts_only_once_the_mode_says_external(roof: Roof) -> None:
    roof.write(41255, "h", 2000)
    assert roof.truth["generation_w"] == pytest.approx(10_000, abs=5)
    roof.write(40210, "I", EXTERNAL)
    assert roof.truth["generation_w"] == pytest.approx(2000, abs=5)


def test_stop_and_percentage_go_in_one_write_and_the_mode_is_counted_as_flash(roof: Roof) -> None:
    roof.write(40210, "I", EXTERNAL)
    roof.write(41253, "Ih", 381, 5000)
    assert roof.truth["generation_w"] == pytest.approx(0, abs=1)
    assert roof.holding(30217, "I") == (311,)
    roof.write(41253, "Ih", 1467, 5000)
    assert roof.truth["generation_w"] == pytest.approx(5000, abs=5)
    assert roof.device().writes == {40210: 1, 41253: 2, 41255: 2}


@pytest.mark.parametrize(
    ("address", "form", "value", "code"),
    [
        (30775, "i", 1, 2),
        (40210, "H", 1079, 2),
        (41254, "Hh", 0, 2),
        (40210, "I", 7, 3),
        (41255, "h", 10100, 3),
    ],
)
def test_what_may_not_be_written_is_refused(
    roof: Roof, address: int, form: str, value: int, code: int
) -> None:
    values = (value, 0) if form == "Hh" else (value,)
    with pytest.raises(Refused, match=f"exception {code}"):
        roof.write(address, form, *values)


def test_a_read_across_a_gap_is_refused(roof: Roof) -> None:
    with pytest.raises(Refused, match="exception 2"):
        roof.endpoint.read_holding(3, 30795, 10)


def test_at_night_there_is_no_value_and_the_device_answers(roof: Roof) -> None:
    roof.ask("night")
    assert roof.endpoint.read_holding(3, 30775, 2) == (0x8000, 0)
    assert roof.endpoint.read_holding(3, 30783, 2) == (0xFFFF, 0xFFFF)
    assert roof.endpoint.read_holding(3, 30803, 2) == (0xFFFF, 0xFFFF)


def test_a_sentinel_can_be_asked_for_in_one_value_or_in_all_that_is_measured(roof: Roof) -> None:
    roof.ask("sentinel", id="roof", value=30803.0)
    assert roof.endpoint.read_holding(3, 30803, 2) == (0xFFFF, 0xFFFF)
    assert roof.holding(30775, "i")[0] == pytest.approx(10_000, abs=5)
    roof.ask("sentinel", id="roof")
    assert roof.endpoint.read_holding(3, 30775, 2) == (0x8000, 0)
    assert roof.holding(30231, "I") == (10_000,)


def test_a_fault_of_the_meter_leaves_the_inverter_under_the_same_unit_id_alone(roof: Roof) -> None:
    roof.ask("all_ones", id="meter")
    assert roof.endpoint.read_holding(3, 31259, 2) == (0xFFFF, 0xFFFF)
    assert roof.holding(30775, "i")[0] == pytest.approx(10_000, abs=5)


def test_when_no_limit_comes_any_more_it_falls_back_as_its_parameters_say(roof: Roof) -> None:
    roof.write(41193, "IIIIII"[:3], 2507, 1, 1000)
    roof.write(40210, "I", EXTERNAL)
    roof.write(41255, "h", 5000)
    assert roof.truth["generation_w"] == pytest.approx(5000, abs=5)
    CLOCK.sleep(1.0)
    assert roof.truth["generation_w"] == pytest.approx(1000, abs=5)


def test_a_power_cut_takes_the_percentage_and_leaves_the_mode(roof: Roof) -> None:
    roof.write(40210, "I", EXTERNAL)
    roof.write(41255, "h", 1000)
    assert roof.truth["generation_w"] == pytest.approx(1000, abs=5)
    roof.ask("power_cycle", id="roof", value=0.2)
    assert roof.truth["generation_w"] == pytest.approx(10_000, abs=5)
    assert roof.holding(40210, "I") == (EXTERNAL,)
    assert roof.holding(41255, "h") == (10_000,)
