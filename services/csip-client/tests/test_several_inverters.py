"""Several inverters are one DER to the utility: MUL-01 to MUL-03, with two and three, one asleep, one dead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from csip_house import House
from reported import (
    DER_VAR,
    DER_W,
    SITE_VAR,
    SITE_W,
    capability,
    inverter,
    last,
    meter,
    number,
    posted,
    status,
    value,
)

from csip_client.telemetry import Role, Series
from dynexport import messages as m
from dynexport.testing.pki import Pki
from utility_simulator.tree import stated, watts

RATED_W = {"roof": 5000, "shed": 3000, "barn": 2000}
ASLEEP = m.InverterState.SLEEPING


@pytest.fixture
def two(pki: Pki, tmp_path: Path) -> Iterator[House]:
    yield from _house(pki, tmp_path, 2)


@pytest.fixture
def three(pki: Pki, tmp_path: Path) -> Iterator[House]:
    yield from _house(pki, tmp_path, 3)


def _house(pki: Pki, folder: Path, count: int) -> Iterator[House]:
    tcp = {"host": "127.0.0.1", "port": 1503}
    inverters = [
        {"id": name, "driver": "sunspec", "tcp": tcp, "unit": unit, "rated_w": rated_w}
        for unit, (name, rated_w) in enumerate(list(RATED_W.items())[:count], 1)
    ]
    house = House(pki, folder, sections={"inverters": inverters})
    yield house
    house.end()


def lives(house: House, seconds: int, making_w: Mapping[str, float], asleep: tuple[str, ...] = ()) -> None:
    """Those in `making_w` answer and make that, those `asleep` say so, any other is dead."""
    for _ in range(seconds):
        meter(house, reactive_var=50.0, voltage_a_v=240.0)
        for name, power_w in making_w.items():
            inverter(house, name, power_w, reactive_var=100.0, voltage_a_v=241.0)
        for name in asleep:
            inverter(house, name, -3.0, reactive_var=7.0, voltage_a_v=12.0, state=ASLEEP)
        house.turn(1.0)


def test_mul_01_one_der_off_is_still_connected_and_all_off_is_not(two: House) -> None:
    lives(two, 10, {"roof": 3000.0, "shed": 2000.0})
    assert status(two) == ("07", "2")
    lives(two, 70, {"shed": 2000.0})
    assert status(two) == ("07", "2"), "one is powered off"
    lives(two, 70, {})
    assert status(two) == ("00", "1"), "the other one, too"
    lives(two, 10, {"roof": 3000.0})
    assert status(two) == ("07", "2"), "and back"


def test_mul_01_of_three_one_asleep_and_one_dead_the_third_decides(three: House) -> None:
    lives(three, 70, {"roof": 3000.0}, asleep=("shed",))
    assert status(three) == ("07", "2")
    lives(three, 10, {"roof": 10.0}, asleep=("shed",))
    assert status(three) == ("07", "1"), "connected, and makes under 1 % of its rating"
    lives(three, 10, {}, asleep=("roof", "shed"))
    assert status(three) == ("00", "1"), "nobody is on AC"


def test_mul_02_readings_are_those_of_all_together(three: House) -> None:
    lives(three, 200, {"roof": 3000.0, "shed": 2000.0, "barn": 500.5})
    assert [value_ for _, _, value_ in posted(three, DER_W)][-1] == 55005
    for series in (SITE_W, SITE_VAR, DER_W, DER_VAR, Series(Role.SITE, 29, 129)):
        assert len(posted(three, series)) >= 3
    assert [value_ for _, _, value_ in posted(three, DER_VAR)][-1] == 3000
    assert [value_ for _, _, value_ in posted(three, Series(Role.DER, 29, 129))][-1] == 2410


def test_mul_02_one_asleep_and_one_dead_add_nothing(three: House) -> None:
    lives(three, 200, {"roof": 3000.0}, asleep=("shed",))
    assert posted(three, DER_W)[-1][2] == 30000
    assert posted(three, DER_VAR)[-1][2] == 1000
    assert posted(three, Series(Role.DER, 29, 129))[-1][2] == 2410, "the volts of who is awake"


def test_an_inverter_that_falls_silent_leaves_no_reading_of_the_others_alone_until_it_counts_as_off(
    two: House,
) -> None:
    two.turn(5.0)
    lives(two, 120, {"roof": 3000.0, "shed": 2000.0})
    lives(two, 180, {"roof": 3000.0})
    assert {value_ for _, _, value_ in posted(two, DER_W)} == {50000, 30000}


def test_mul_03_capability_and_settings_are_of_all_and_follow_when_one_rating_changes(three: House) -> None:
    lives(three, 10, {"roof": 3000.0})
    assert number(last(three, "dercap"), "rtgMaxW") == 10000, "as site.yaml rates them"
    capability(three, "roof", 5000.0, nameplate_w=5500.0, max_va=5500.0, max_var=2000.0)
    capability(three, "shed", 3000.0, nameplate_w=3000.0, max_va=3300.0, max_var=1000.0)
    lives(three, 5, {"roof": 3000.0})
    assert [number(last(three, "dercap"), each) for each in ("rtgMaxW", "rtgMaxVA", "rtgMaxVar")] == [
        10500, 10800, 3000,
    ]  # fmt: skip
    assert number(last(three, "derg"), "setMaxW") == 10000
    puts = len(three.utility.bodies("derg"))
    capability(three, "shed", 2500.0, nameplate_w=3000.0, max_va=3300.0, max_var=1000.0)
    lives(three, 5, {"roof": 3000.0})
    assert number(last(three, "derg"), "setMaxW") == 9500
    assert number(last(three, "dercap"), "rtgMaxW") == 10500
    assert len(three.utility.bodies("derg")) == puts + 1, "put once"


def test_mul_03_a_new_set_grad_w_is_put_with_the_aggregate(two: House) -> None:
    lives(two, 10, {"roof": 3000.0})
    assert value(last(two, "derg"), "setGradW") == "27"
    two.utility.programs[0][0].default = stated(watts("opModExpLimW", 3000), 100)
    lives(two, 70, {"roof": 3000.0})
    assert value(last(two, "derg"), "setGradW") == "100"
    assert number(last(two, "derg"), "setMaxW") == 8000


def test_row_27_who_answers_tonight_changes_neither_capability_nor_settings(two: House) -> None:
    capability(two, "roof", 5000.0)
    capability(two, "shed", 3000.0)
    lives(two, 10, {"roof": 3000.0, "shed": 2000.0})
    before = [len(two.utility.bodies(name)) for name in ("dercap", "derg")]
    lives(two, 200, {}, asleep=("roof",))
    assert [len(two.utility.bodies(name)) for name in ("dercap", "derg")] == before
    two.client.store.close()
    two.boot()
    lives(two, 10, {}, asleep=("roof",))
    assert number(last(two, "dercap"), "rtgMaxW") == 8000, "not after a restart at night either"
    assert value(last(two, "dercap"), "type") == "4"
