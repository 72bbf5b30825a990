"""What a Powerwall gateway's documents say; their shapes are those of recorded answers."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from dynexport.mapping import Odd
from meter_reader.powerwall import answers

MEASURED = datetime(2026, 1, 15, 2, 0, 0, 590577, tzinfo=UTC)
READINGS: dict[str, Any] = {
    "last_communication_time": "2026-01-15T12:30:00.590577619+10:30",
    "instant_power": -2300.5,
    "instant_reactive_power": -116.0,
    "frequency": 0.0,
    "energy_exported": 3826.3,
    "energy_imported": 1302981.2,
    "last_phase_power_communication_time": "2026-01-15T12:30:00.590577619+10:30",
    "real_power_a": -800.0,
    "real_power_b": -700.0,
    "real_power_c": -800.5,
    "v_l1n": 241.0,
    "v_l2n": 242.0,
    "v_l3n": 243.0,
}


def meters(**changes: Any) -> list[dict[str, Any]]:
    return [{"id": 0, "location": "site", "Cached_readings": {**copy.deepcopy(READINGS), **changes}}]


def test_the_site_meter_is_read_with_its_phases_its_own_time_and_without_a_frequency_of_0() -> None:
    sample = answers.site_of_meters(meters())
    assert sample.measured_at == MEASURED
    assert sample.values == {
        "power_w": -2300.5,
        "reactive_var": -116.0,
        "import_wh": 1302981.2,
        "export_wh": 3826.3,
        "power_a_w": -800.0,
        "power_b_w": -700.0,
        "power_c_w": -800.5,
        "voltage_a_v": 241.0,
        "voltage_b_v": 242.0,
        "voltage_c_v": 243.0,
    }


def test_a_site_of_one_phase_has_no_power_on_phases_without_a_voltage() -> None:
    values = answers.site_of_meters(meters(real_power_b=0.0, real_power_c=0.0, v_l2n=0.0, v_l3n=0.0)).values
    assert {"power_a_w", "voltage_a_v"} <= values.keys()
    assert not {"power_b_w", "power_c_w", "voltage_b_v", "voltage_c_v"} & values.keys()


@pytest.mark.parametrize("own", ["0001-01-01T00:00:00Z", "2026-01-15T12:29:50+10:30", "soon"])
def test_phases_that_were_not_measured_with_the_sum_are_left_out(own: str) -> None:
    values = answers.site_of_meters(meters(last_phase_power_communication_time=own)).values
    assert "power_w" in values
    assert "power_a_w" not in values


def test_two_meters_at_the_grid_are_added_up_and_are_as_old_as_the_older() -> None:
    second = {**READINGS, "last_communication_time": "2026-01-15T01:59:59Z", "instant_power": 300.5}
    sample = answers.site_of_meters([*meters(), {"Cached_readings": second}])
    assert sample.values["power_w"] == -2000.0
    assert sample.values["power_a_w"] == -1600.0
    assert sample.measured_at == datetime(2026, 1, 15, 1, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        None,
        [{"Cached_readings": None}],
        [*meters(), {"id": 1}],
        meters(instant_power=None),
        meters(instant_power="NaN"),
        meters(last_communication_time=None),
        meters(last_communication_time="0001-01-01T00:00:00Z"),
        meters(last_communication_time="2026-01-15T12:30:00"),
    ],
)
def test_without_a_power_or_the_meters_own_time_there_is_no_reading(document: Any) -> None:
    with pytest.raises(Odd):
        answers.site_of_meters(document)


def test_the_battery_is_plus_for_discharge_and_carries_its_own_time_and_charge() -> None:
    part = {**READINGS, "instant_power": 1200.0, "last_communication_time": "2026-01-15T02:00:00Z"}
    sample = answers.battery({"battery": part}, 69.1)
    assert sample.values == {"power_w": 1200.0, "soc_pct": 69.1}
    assert sample.measured_at == datetime(2026, 1, 15, 2, tzinfo=UTC)
    assert "soc_pct" not in answers.battery({"battery": part}, None).values


@pytest.mark.parametrize(
    ("word", "cut_off"),
    [
        ("SystemGridConnected", False),
        ("SystemIslandedActive", True),
        ("SystemTransitionToGrid", True),
        ("SystemTransitionToIsland", None),
        ("SomethingNew", None),
    ],
)
def test_the_grid_status_says_islanded_until_the_site_is_on_the_grid_again(
    word: str, cut_off: bool | None
) -> None:
    assert answers.islanded({"grid_status": word}) is cut_off


def test_a_charge_is_within_0_and_100_percent() -> None:
    assert [answers.charge_pct({"percentage": said}) for said in (-1.0, 69.5, 100.2)] == [0.0, 69.5, 100.0]


def test_a_login_without_a_token_says_nothing_of_what_it_holds() -> None:
    with pytest.raises(Odd) as odd:
        answers.token({"token": None, "password": "s3cret"})
    assert "s3cret" not in str(odd.value)
