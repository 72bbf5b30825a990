"""Batteries at the server: ratings, connection, state of charge, stored energy (csip.md section 7, STO-01, STO-02)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from csip_house import House
from reported import DER_W, PEN, battery, inverter, last, meter, number, posted, status, value

from csip_client.layout import Layout
from csip_client.storage import STORED, BatteryView, charge_pct, connect_status, samples, with_batteries
from csip_client.wire import write
from dynexport.messages import BatteryReading
from dynexport.settings.devices import Battery
from dynexport.testing.pki import Pki
from utility_simulator.document import V1_3

GARAGE = {"id": "garage", "rated_w": 5000, "max_charge_w": 4000, "energy_wh": 13500, "reserve_wh": 1350}
RATINGS = {"max_var": 6000, "max_var_neg": 6000, "min_pf_over": 0.8, "min_pf_under": 0.8}
NOW = datetime(2026, 1, 15, tzinfo=UTC)


def view(age_s: float = 1.0, power_w: float = 0.0, soc_pct: float | None = 50.0, **other: Any) -> BatteryView:
    said = {"energy_wh": other.pop("said_wh", None)}
    reading = BatteryReading(issued_at=NOW, measured_at=NOW, power_w=power_w, soc_pct=soc_pct, **said)
    return BatteryView(Battery(**{"id": "a", "rated_w": 5000, "energy_wh": 10000, **other}), reading, age_s)


CONNECTED = {
    "no battery": ([], None),
    "none was ever heard": ([BatteryView(Battery(id="a", rated_w=1))], 0),
    "silent for a minute": ([view(61.0, 3000.0)], 0),
    "heard, and at rest": ([view()], 3),
    "it discharges": ([view(power_w=3000.0)], 7),
    "it charges": ([view(power_w=-3000.0)], 7),
    "one of two is silent": ([view(), view(500.0)], 3),
}


@pytest.mark.parametrize(("views", "expected"), CONNECTED.values(), ids=CONNECTED.keys())
def test_stor_connect_status_of_all_batteries_together(
    views: list[BatteryView], expected: int | None
) -> None:
    assert connect_status(views) == expected


CHARGE = {
    "no battery": ([], None, None),
    "one": ([view(soc_pct=40.0)], 40.0, 4000.0),
    "one without a size": ([view(soc_pct=40.0, energy_wh=None)], 40.0, None),
    "one that says what it stores": ([view(soc_pct=None, energy_wh=None, said_wh=777.0)], None, 777.0),
    "two count by their sizes": ([view(soc_pct=100.0), view(soc_pct=0.0, energy_wh=30000)], 25.0, 10000.0),
    "two, one without a size": ([view(soc_pct=90.0), view(soc_pct=10.0, energy_wh=None)], None, None),
    "two, one silent": ([view(soc_pct=90.0), view(99.0)], None, None),
    "two, one does not tell": ([view(soc_pct=90.0), view(soc_pct=None)], None, None),
}


@pytest.mark.parametrize(("views", "charge", "stored"), CHARGE.values(), ids=CHARGE.keys())
def test_state_of_charge_and_stored_energy_of_all_batteries_together_or_nothing(
    views: list[BatteryView], charge: float | None, stored: float | None
) -> None:
    assert charge_pct(views) == charge
    assert [each for _, each in samples(views)] == ([] if stored is None else [stored])


def test_ratings_of_batteries_are_summed_and_a_sum_with_a_gap_is_left_out() -> None:
    whole, gap = Battery.model_validate(GARAGE), Battery(id="shed", rated_w=2000)
    found = with_batteries(write.Ratings(10000), [whole])
    assert (found.max_charge_w, found.max_discharge_w, found.max_wh, found.min_wh) == (
        4000,
        5000,
        13500,
        1350,
    )
    found = with_batteries(write.Ratings(10000), [whole, gap])
    assert (found.max_charge_w, found.max_discharge_w, found.max_wh, found.min_wh) == (None, 7000, None, None)
    assert with_batteries(write.Ratings(10000), []) == write.Ratings(10000)


@pytest.fixture
def house(pki: Pki, tmp_path: Path) -> Iterator[House]:
    made = House(pki, tmp_path, sections={"batteries": [GARAGE]}, wire=V1_3, ratings=RATINGS)
    yield made
    made.end()


def lives(house: House, seconds: int, **said: Any) -> None:
    for _ in range(seconds):
        meter(house)
        inverter(house)
        battery(house, **said)
        house.turn(1.0)


def test_sto_01_at_least_four_readings_of_stored_energy_in_300_s(house: House) -> None:
    lives(house, 310, soc_pct=40.0)
    found = posted(house, STORED)
    assert len(found) >= 4
    assert {(length, wh) for _, length, wh in found} == {(0, 5400)}
    assert all(start % 60 == 0 for start, _, _ in found)
    name = Layout(PEN, house.client.who.lfdi).reading_mrid(STORED)
    mirror = next(body.decode() for body in house.utility.bodies("mup") if name in body.decode())
    inside = mirror[mirror.index(name) :].split("</MirrorMeterReading>")[0]
    assert "<uom>72</uom>" in inside
    assert "<kind>12</kind>" in inside
    assert "<dataQualifier>0</dataQualifier>" in inside
    assert "<roleFlags>0049</roleFlags>" in mirror


def test_sto_02_capability_and_settings_carry_every_element_and_claim_no_mode_that_is_not_obeyed(
    house: House,
) -> None:
    lives(house, 20, soc_pct=40.0)
    capability, settings = last(house, "dercap"), last(house, "derg")
    for name, expected in (
        ("MaxVA", 10000), ("MaxVar", 6000), ("MaxVarNeg", -6000), ("MaxW", 10000), ("MaxChargeRateW", 4000),
        ("MaxDischargeRateW", 5000), ("MaxWh", 13500),
    ):  # fmt: skip
        assert number(capability, f"rtg{name}") == expected
        assert number(settings, f"set{name}") == expected
    for name in ("MinPFOverExcited", "MinPFUnderExcited"):
        assert value(capability, f"rtg{name}/displacement") == "800"
        assert value(settings, f"set{name}/displacement") == "800"
    assert number(settings, "setMinWh") == 1350
    assert value(capability, "vppModesSupported") == "00", "opModStorageTargetW is not obeyed"
    assert value(settings, "vppModesEnabled") == "00"
    assert value(capability, "type") == "83"


@pytest.mark.parametrize(
    ("controls", "mode"),
    [(("charge_rate",), "01"), (("charge_rate", "none"), "00"), (("charge_rate", "charge_rate"), "01")],
)
def test_sto_05_a_storage_target_is_claimed_where_every_battery_may_be_commanded(
    pki: Pki, tmp_path: Path, controls: tuple[str, ...], mode: str
) -> None:
    batteries = [{**GARAGE, "id": f"b{at}", "control": control} for at, control in enumerate(controls)]
    house = House(pki, tmp_path, sections={"batteries": batteries}, wire=V1_3, ratings=RATINGS)
    lives(house, 20)
    assert value(last(house, "dercap"), "vppModesSupported") == mode
    assert value(last(house, "derg"), "vppModesEnabled") == mode
    house.end()


def test_with_a_battery_der_status_carries_its_connection_and_state_of_charge(house: House) -> None:
    lives(house, 130, soc_pct=41.5, power_w=-3000.0)
    assert value(last(house, "ders"), "storConnectStatus/value") == "07"
    assert value(last(house, "ders"), "stateOfChargeStatus/value") == "4150"
    assert status(house) == ("07", "2")


def test_a_state_of_charge_that_changes_is_told_at_the_servers_rate_only(house: House) -> None:
    lives(house, 10, soc_pct=10.0)
    puts = len(house.utility.bodies("ders"))
    for second in range(120):
        lives(house, 1, soc_pct=10.0 + second / 10.0)
    assert len(house.utility.bodies("ders")) - puts <= 3
    assert float(value(last(house, "ders"), "stateOfChargeStatus/value") or 0) > 1500


def test_what_a_battery_gives_or_takes_is_part_of_what_the_der_makes(house: House) -> None:
    lives(house, 130, power_w=-1000.0)
    assert posted(house, DER_W)[-1][2] == 20000


def test_a_hybrid_inverters_battery_is_in_that_inverters_power_already(pki: Pki, tmp_path: Path) -> None:
    house = House(pki, tmp_path, sections={"batteries": [{**GARAGE, "inverter": "roof"}]}, wire=V1_3)
    lives(house, 130, power_w=-1000.0)
    assert posted(house, DER_W)[-1][2] == 30000
    house.end()


def test_a_reserve_above_the_size_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="reserve_wh"):
        Battery.model_validate({**GARAGE, "reserve_wh": 13501})


def test_before_1_3_nothing_of_1_3_is_said_of_a_battery(pki: Pki, tmp_path: Path) -> None:
    house = House(pki, tmp_path, sections={"batteries": [GARAGE]})
    lives(house, 20, soc_pct=40.0)
    assert number(last(house, "dercap"), "rtgMaxWh") == 13500
    assert value(last(house, "dercap"), "vppModesSupported") is None
    assert value(last(house, "derg"), "vppModesEnabled") is None
    assert value(last(house, "derg"), "setMinWh") is None
    house.end()
