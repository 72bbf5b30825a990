"""What loads and charging batteries may use together: never above the limits, down at once, up when settled."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dynexport.settings.devices import Battery, Load
from limit_engine.beside import Beside
from limit_engine.import_side import ImportSide, Seen, UseLimits
from limit_engine.meter import MeterSample
from limit_engine.view import Window

POWERS = st.floats(0, 15_000)
RATED_W = 6000.0


def side(battery: str = "none") -> ImportSide:
    load = Load.model_validate({"id": "boiler", "rated_w": RATED_W, "control": "watts"})
    stored = Battery.model_validate({"id": "wall", "rated_w": 5000, "control": battery})
    return ImportSide(Beside.of([load], [stored]))


def settle(
    one: ImportSide, site_w: float, used_w: float, *, use_w: float | None = None, start: float = 0.0
) -> None:
    """Forty seconds in which nothing moves."""
    for tick in range(80):
        mono = start + tick * 0.5
        one.beside.loads["boiler"].meters.hear(mono, mono, used_w)
        window = Window(mono - 0.5, mono, (), frozenset())
        use = site_w if use_w is None else use_w
        seen = Seen(MeterSample(site_w, mono, mono), window, (site_w, site_w), (use, use))
        one.see(seen, mono)
        one.level_w(UseLimits(0.0), mono, known=True, may_rise=True)


def test_without_a_limit_everything_may_be_used_whatever_is_known() -> None:
    one = side()
    assert one.level_w(UseLimits(), 0.0, known=False, may_rise=False) >= one.beside.capacity_w


def test_with_a_limit_and_nothing_known_nothing_may_be_used() -> None:
    for limits in (UseLimits(import_limit_w=9000.0), UseLimits(load_limit_w=9000.0)):
        assert side().level_w(limits, 0.0, known=False, may_rise=True) == 0.0


@given(limit_w=POWERS, rest_w=st.floats(-8000, 8000), used_w=st.floats(0, RATED_W))
def test_what_may_be_used_and_the_rest_of_the_house_never_exceed_the_import_limit(
    limit_w: float, rest_w: float, used_w: float
) -> None:
    one = side()
    settle(one, rest_w + used_w, used_w)
    level_w = one.level_w(UseLimits(import_limit_w=limit_w), 40.0, known=True, may_rise=True)
    assert level_w == 0.0 or rest_w + level_w <= limit_w + 1e-6


@given(limit_w=POWERS, house_w=st.floats(0, 8000), sun_w=POWERS, used_w=st.floats(0, RATED_W))
def test_what_may_be_used_never_exceeds_the_load_limit_however_strong_the_sun(
    limit_w: float, house_w: float, sun_w: float, used_w: float
) -> None:
    one = side()
    use_w = house_w + used_w
    settle(one, use_w - sun_w, used_w, use_w=use_w)
    level_w = one.level_w(UseLimits(load_limit_w=limit_w), 40.0, known=True, may_rise=True)
    assert level_w == 0.0 or house_w + level_w <= limit_w + 1e-6


@given(limit_w=POWERS, tighter_w=POWERS, rest_w=st.floats(-8000, 8000))
def test_a_tighter_limit_never_lets_more_be_used(limit_w: float, tighter_w: float, rest_w: float) -> None:
    levels = []
    for least_w in (limit_w, min(limit_w, tighter_w)):
        one = side()
        settle(one, rest_w, 0.0)
        levels.append(one.level_w(UseLimits(import_limit_w=least_w), 40.0, known=True, may_rise=True))
    assert levels[1] <= levels[0]


def test_the_smaller_of_an_import_and_a_load_limit_holds() -> None:
    one = side()
    settle(one, 500.0, 0.0, use_w=3000.0)
    assert one.level_w(UseLimits(2000.0, 4000.0), 40.0, known=True, may_rise=True) <= 1000.0


def test_a_raise_waits_for_a_young_meter_and_a_cut_for_nothing() -> None:
    one = side()
    settle(one, 500.0, 0.0)
    level_w = one.level_w(UseLimits(2000.0), 40.0, known=True, may_rise=True)
    assert one.level_w(UseLimits(6000.0), 45.0, known=True, may_rise=False) == level_w
    assert one.level_w(UseLimits(1000.0), 45.2, known=True, may_rise=False) < level_w


def test_a_silent_load_counts_as_using_all_that_it_is_allowed() -> None:
    one = side()
    one.beside.loads["boiler"].told_w = 4000.0
    assert one.beside.used_w(0.0, 1.0, 60.0) == (4000.0, 4000.0)
    one.beside.loads["boiler"].meters.hear(60.0, 60.0, 1500.0)
    assert one.beside.used_w(59.0, 60.0, 60.0) == (1500.0, 1500.0)


def test_only_a_battery_that_we_may_command_counts_as_charging() -> None:
    assert not side().beside.batteries
    one = side("charge_rate")
    one.beside.batteries["wall"].meters.hear(1.0, 1.0, -3000.0)
    one.beside.loads["boiler"].told_w = 0.0
    assert one.beside.used_w(0.5, 1.0, 1.0) == (3000.0, 3000.0)


def test_a_reading_beyond_what_was_told_counts_for_10_s_and_then_only_as_what_was_told() -> None:
    one = side()
    boiler = one.beside.loads["boiler"]
    used_w = []
    for second in range(20):
        boiler.meters.lately.keep(5000.0 if second < 5 else 1000.0, second)
        boiler.meters.hear(second, second, 5000.0)
        used_w.append(boiler.used_w(second, second, second)[1])
    assert used_w[14] == 5000.0
    assert used_w[15:] == [1000.0] * 5


def test_what_one_was_told_lately_does_not_grow_without_end() -> None:
    lately = side().beside.loads["boiler"].meters.lately
    for tick in range(10_000):
        lately.keep(tick % 3, tick * 0.2)
    assert len(lately._told) <= 52
    assert lately.most_w(2000.0) == 2.0
