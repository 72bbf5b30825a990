"""What batteries are told: a target inside the limits, what would be curtailed, and nothing when they do not follow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limit_engine.following import GIVE_UP_S, LEFT_ALONE_S, Following
from limit_engine.meter import MeterSample
from limit_engine.storage import Storage, StorageBounds
from limit_engine.view import Window

RATED_W = 5000.0


def settled(site_w: float, given_w: float) -> Storage:
    """A storage that has seen the site stand still at this power, + import, with the batteries giving this."""
    one = Storage(RATED_W, RATED_W)
    for tick in range(60):
        mono = tick * 0.5
        window = Window(mono - 0.5, mono, (), frozenset())
        one.see(MeterSample(site_w, mono, mono), (site_w, site_w), (given_w, given_w), window, late=False)
    return one


def decided(
    one: Storage, bounds: StorageBounds, given_w: float, seconds: float = 30.0
) -> tuple[float | None, float]:
    """Long enough for every ramp, with nothing else moving."""
    said: tuple[float | None, float] = (None, 0.0)
    for tick in range(round(seconds / 0.5)):
        said = one.decide(bounds, given_w, 30.0 + tick * 0.5, may_rise=True)
    return said


def test_without_a_meter_no_target_is_followed() -> None:
    one = Storage(RATED_W, RATED_W)
    assert one.decide(StorageBounds(3000.0, 5000.0), 0.0, 0.0, may_rise=True)[0] is None


@pytest.mark.parametrize(
    ("target_w", "export_limit_w", "told_w"),
    [
        (5000.0, 10_000.0, 5000.0),
        (5000.0, 2500.0, 2900.0),
        (-5000.0, 2500.0, -5000.0),
        (0.0, 0.0, 0.0),
        (1500.0, 5000.0, 1500.0),
        (5000.0, 0.0, 400.0),
    ],
)
def test_sto_06_the_target_is_followed_as_far_as_the_export_limit_lets_it(
    target_w: float, export_limit_w: float, told_w: float
) -> None:
    one = settled(400.0, 0.0)
    assert decided(one, StorageBounds(target_w, export_limit_w), 0.0)[0] == pytest.approx(told_w, abs=10.0)


@given(
    target_w=st.floats(-9000, 9000),
    export_limit_w=st.floats(0, 9000),
    left_w=st.floats(0, 9000),
    charge_w=st.floats(0, 9000),
    site_w=st.floats(-9000, 9000),
    given_w=st.floats(-5000, 5000),
)
def test_no_target_takes_a_battery_beyond_a_limit(
    target_w: float, export_limit_w: float, left_w: float, charge_w: float, site_w: float, given_w: float
) -> None:
    one = settled(site_w, given_w)
    bounds = StorageBounds(target_w, export_limit_w, left_w, charge_w)
    told_w, most_w = decided(one, bounds, given_w)
    assert told_w is not None
    without_w = site_w + given_w
    assert told_w <= 0.0 or told_w - without_w <= export_limit_w + 1e-6
    assert told_w <= left_w + 1e-6
    assert told_w >= -charge_w - 1e-6
    assert -RATED_W <= told_w <= RATED_W
    assert told_w <= max(0.0, target_w)
    assert told_w >= min(0.0, target_w)
    assert told_w <= max(most_w, 0.0)


def test_inverters_make_room_for_what_is_still_to_be_discharged() -> None:
    one = settled(-2500.0, 0.0)
    bounds = StorageBounds(5000.0, 2500.0, generation_w=2900.0)
    told_w, _ = one.decide(bounds, 0.0, 30.0, may_rise=True)
    assert told_w == pytest.approx(0.0, abs=10.0)
    assert one.yield_w == pytest.approx(2900.0, abs=20.0)


def test_what_would_be_curtailed_is_charged_only_while_the_site_stands_at_its_limit() -> None:
    at_limit = settled(-1500.0, 0.0)
    told_w, _ = decided(at_limit, StorageBounds(None, 1500.0, surplus_w=2000.0), 0.0)
    assert told_w == pytest.approx(-2000.0, abs=30.0)
    below = settled(-500.0, 0.0)
    assert decided(below, StorageBounds(None, 1500.0, surplus_w=2000.0), 0.0)[0] is None
    unknown = settled(-1500.0, 0.0)
    assert decided(unknown, StorageBounds(None, 1500.0, surplus_w=None), 0.0)[0] is None


def test_what_is_charged_never_makes_the_site_import() -> None:
    one = settled(-1500.0, 0.0)
    decided(one, StorageBounds(None, 1500.0, surplus_w=3000.0), 0.0)
    window = Window(99.5, 100.0, (), frozenset())
    for tick in range(20):
        moment = 100.0 + tick
        one.see(MeterSample(1000.0, moment, moment), (1000.0, 1000.0), (-2000.0, -2000.0), window, late=False)
    told_w, _ = one.decide(StorageBounds(None, 1500.0, surplus_w=3000.0), -2000.0, 120.0, may_rise=True)
    assert told_w == pytest.approx(-1000.0, abs=10.0)


def test_a_battery_that_does_not_follow_is_given_up_after_8_s_and_left_alone_for_5_minutes() -> None:
    one = Following(RATED_W)
    given_up = [mono for mono in range(60) if one.look(3000.0, 0.0, float(mono))]
    assert given_up[0] == GIVE_UP_S
    alone = Following(RATED_W)
    for mono in range(9):
        alone.look(3000.0, 0.0, float(mono))
    assert alone.left_alone(GIVE_UP_S + LEFT_ALONE_S - 1.0)
    assert not alone.left_alone(GIVE_UP_S + LEFT_ALONE_S)


def test_a_slow_battery_that_moves_the_right_way_is_not_given_up() -> None:
    one, power_w = Following(RATED_W), 0.0
    for mono in range(60):
        power_w += (5000.0 - power_w) / 12.0
        assert not one.look(5000.0, power_w, float(mono))


def test_a_battery_that_is_told_nothing_is_never_astray() -> None:
    one = Following(RATED_W)
    assert not any(one.look(None, 4000.0, float(mono)) for mono in range(60))
