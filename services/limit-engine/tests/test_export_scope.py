"""Inverters that hold the site's export by their own loop: what they are told, and that nobody fights."""

from __future__ import annotations

import pytest
from bench.home import Home
from hypothesis import given
from hypothesis import strategies as st

from dynexport import messages as m
from dynexport import topics
from dynexport.messages import Mode
from dynexport.testing.plant import InverterModel
from dynexport.testing.plant_export import OwnLoop
from limit_engine.control import Bounds, ControlLaw, Plan
from limit_engine.curtailment import curtailment
from limit_engine.export_scope import BACK_AFTER_S, RAISED_AFTER_S, ExportHold
from limit_engine.inverters import Track
from limit_engine.load import LoadEstimate
from limit_engine.own_loops import GIVE_WAY_AFTER_S, OwnLoops
from limit_engine.ramp import Ramp

RATED_W, FAILSAFE_W = 10_000.0, 1500.0
SOURCES = {"csip": {"kind": "obligation", "fallback": {"export_limit_w": 1500}}}


def told(
    hold: ExportHold, bounds: Bounds, mono: float, load_w: float | None = None, mode: Mode = Mode.NORMAL
) -> float | None:
    return hold.follow(
        bounds, mode, None if load_w is None else LoadEstimate(load_w, noise_w=0.0), FAILSAFE_W, mono
    )


def test_it_is_told_the_merged_export_limit_and_a_tighter_one_at_once() -> None:
    hold = ExportHold(RATED_W)
    assert told(hold, Bounds(5000.0), 0.0) == 5000.0
    assert told(hold, Bounds(1234.5), 0.2) == 1234.5
    assert told(hold, Bounds(0.0), 0.4) == 0.0


def test_it_is_told_no_number_while_nothing_limits_export() -> None:
    assert told(ExportHold(RATED_W), Bounds(None), 0.0) is None


def test_a_raise_waits_until_it_was_allowed_without_a_break() -> None:
    hold = ExportHold(RATED_W)
    told(hold, Bounds(0.0), 0.0)
    assert told(hold, Bounds(5000.0), 1.0) == 0.0
    assert told(hold, Bounds(3000.0), 1.0 + RAISED_AFTER_S / 2) == 0.0
    assert told(hold, Bounds(5000.0), 1.0 + RAISED_AFTER_S) == 3000.0
    assert told(hold, Bounds(2000.0), 1.2 + RAISED_AFTER_S) == 2000.0


def test_a_generation_limit_leaves_for_export_what_the_house_does_not_use_in_steps() -> None:
    hold = ExportHold(RATED_W)
    bounds = Bounds(5000.0, generation_limit_w=4000.0, uncontrolled_w=500.0)
    assert told(hold, bounds, 0.0, load_w=1000.0) == 2400.0
    assert told(hold, bounds, 0.2, load_w=1060.0) == 2400.0
    assert told(hold, bounds, 0.4, load_w=1110.0) == 2200.0


def test_noise_on_the_load_rewrites_no_register() -> None:
    hold = ExportHold(RATED_W)
    bounds = Bounds(5000.0, generation_limit_w=4000.0)
    numbers = {told(hold, bounds, tick * 0.2, 1000.0 + 90.0 * (tick % 7) / 7.0) for tick in range(3000)}
    assert numbers == {2800.0, 3000.0} or len(numbers) == 1


def test_what_is_left_to_a_battery_moves_the_number_in_steps() -> None:
    hold = ExportHold(RATED_W)
    said = [
        hold.follow(Bounds(5000.0), Mode.NORMAL, None, FAILSAFE_W, tick * 0.2, yield_w=1000.0 + tick % 9)
        for tick in range(100)
    ]
    assert set(said) == {4000.0, 3800.0}


def test_a_generation_limit_that_the_house_alone_uses_up_disconnects_until_it_fits_again_for_a_minute() -> (
    None
):
    hold = ExportHold(RATED_W)
    bounds = Bounds(5000.0, generation_limit_w=1000.0)
    assert told(hold, bounds, 0.0, load_w=3000.0) == 0.0
    assert hold.disconnect
    told(hold, bounds, 1.0, load_w=500.0)
    told(hold, bounds, BACK_AFTER_S, load_w=500.0)
    assert hold.disconnect
    told(hold, bounds, 1.0 + BACK_AFTER_S, load_w=500.0)
    assert not hold.disconnect


@pytest.mark.parametrize("mode", [Mode.OPEN_LOOP, Mode.FAILSAFE])
def test_without_closed_loop_nothing_is_raised(mode: Mode) -> None:
    hold = ExportHold(RATED_W)
    told(hold, Bounds(1000.0), 0.0)
    assert all(told(hold, Bounds(5000.0), tick, mode=mode) == 1000.0 for tick in range(1, 60))


def test_failsafe_is_the_failsafe_export() -> None:
    assert told(ExportHold(RATED_W), Bounds(5000.0), 0.0, mode=Mode.FAILSAFE) == FAILSAFE_W


@given(
    steps=st.lists(
        st.tuples(
            st.floats(0, 9000),
            st.none() | st.floats(0, 9000),
            st.floats(0, 9000),
            st.sampled_from(list(Mode)),
            st.floats(0.1, 20),
        ),
        max_size=40,
    )
)
def test_the_number_is_never_above_what_counts_now(
    steps: list[tuple[float, float | None, float, Mode, float]],
) -> None:
    hold, mono = ExportHold(RATED_W), 0.0
    for export_limit_w, generation_limit_w, load_w, mode, seconds in steps:
        mono += seconds
        number_w = told(hold, Bounds(export_limit_w, generation_limit_w), mono, load_w, mode)
        assert number_w is not None
        assert 0.0 <= number_w <= export_limit_w
        if generation_limit_w is not None:
            assert number_w <= max(0.0, generation_limit_w - load_w)


def law(*, own_power_w: float, other_power_w: float) -> ControlLaw:
    one = ControlLaw(Plan({"own": 5000.0, "other": 5000.0}))
    one.tracks["own"].by_export = True
    for name, power_w in (("own", own_power_w), ("other", other_power_w)):
        one.hear_inverter(name, 0.0, 0.0, power_w, m.InverterState.MPPT)
        one.tracks[name].ramp.level_w = 1000.0
    return one


def test_who_obeys_gives_way_only_when_the_own_loop_has_had_its_time() -> None:
    loops, one = OwnLoops(), law(own_power_w=3000.0, other_power_w=1000.0)
    taking = list(one.tracks.values())
    shares = {"own": 1000.0, "other": 1000.0}
    assert loops.make_room(shares, taking, 2000.0, 0.0) == shares
    assert loops.make_room(shares, taking, 2000.0, GIVE_WAY_AFTER_S) == {"own": 1000.0, "other": 0.0}


def test_who_obeys_does_not_rise_into_what_the_own_loop_has() -> None:
    loops, one = OwnLoops(), law(own_power_w=3500.0, other_power_w=1000.0)
    shares = {"own": 2500.0, "other": 2500.0}
    assert loops.make_room(shares, list(one.tracks.values()), 5000.0, 0.0) == {"own": 2500.0, "other": 1500.0}


def test_nothing_is_learned_of_the_gain_and_answers_of_one_that_does_not_obey() -> None:
    home = Home([InverterModel(5000.0, gain=0.95)], own_loops=[OwnLoop(0)], sections={"sources": SOURCES})
    home.state("csip", export_limit_w=1500.0)
    home.run(30.0)
    home.plant.load_w = 3000.0
    home.run(30.0)
    track = home.engine.law.tracks["i0"]
    assert (track.gain.value, track.gain.lessons, track.response.tau_s) == (1.0, 0, None)


LOOPS = [(1, 0.5, 0.5, 1.0), (2, 0.8, 0.2, 0.5), (1, 0.3, 1.0, 3.0)]


@pytest.mark.parametrize(("others", "gain", "period_s", "tau_s"), LOOPS)
def test_two_loops_at_one_limit_do_not_fight(others: int, gain: float, period_s: float, tau_s: float) -> None:
    models = [InverterModel(5000.0, tau_s)] * (1 + others)
    loop = OwnLoop(0, gain=gain, period_s=period_s)
    home = Home(models, load_w=3000.0, sections={"sources": SOURCES}, own_loops=[loop])
    home.state("csip", export_limit_w=1500.0)
    home.run(60.0)
    for load_w, own_sun_w, other_sun_w in (
        (500.0, 5000.0, 5000.0),
        (5000.0, 5000.0, 5000.0),
        (3000.0, 500.0, 5000.0),
        (3000.0, 5000.0, 5000.0),
        (3000.0, 5000.0, 500.0),
        (3000.0, 5000.0, 5000.0),
    ):
        home.plant.load_w = load_w
        for index, inverter in enumerate(home.plant.inverters):
            inverter.available_w = own_sun_w if index == 0 else other_sun_w
        changed = home.plant.now
        home.run(90.0)
        exports = [-truth.site_w for truth in home.since(changed + 70.0)]
        assert max(exports) <= 1500.0 + 30.0
        assert max(exports) - min(exports) < 100.0
        could_w = own_sun_w + others * other_sun_w - load_w
        assert exports[-1] >= min(1500.0, could_w) - 150.0 - 500.0 * (
            own_sun_w < 1000.0 or other_sun_w < 1000.0
        )
    said = [each for each in home.bus.all(topics.SETPOINT, "i0") if isinstance(each, m.Setpoint)]
    assert {each.export_limit_w for each in said} == {1500.0}


def test_an_own_loop_that_has_stopped_is_made_room_for() -> None:
    loop = OwnLoop(0)
    home = Home([InverterModel(5000.0)] * 3, load_w=5000.0, sections={"sources": SOURCES}, own_loops=[loop])
    home.state("csip", export_limit_w=1500.0)
    home.run(60.0)
    loop.dead = True
    home.plant.load_w = 4000.0
    dropped = home.plant.now
    home.run(40.0)
    assert max(-truth.site_w for truth in home.since(dropped + 15.0)) <= 1500.0 + 60.0


def test_a_disconnection_and_a_generation_limit_of_0_reach_it() -> None:
    home = Home([InverterModel(5000.0)], load_w=2000.0, sections={"sources": SOURCES}, own_loops=[OwnLoop(0)])
    home.state("csip", export_limit_w=1500.0)
    home.run(30.0)
    for limits in ({"connect": False}, {"generation_limit_w": 0.0}):
        home.state("csip", export_limit_w=1500.0, **limits)
        home.run(10.0)
        said = home.bus.last(topics.SETPOINT, "i0")
        assert isinstance(said, m.Setpoint)
        assert (said.export_limit_w, said.connect) == (0.0, False)
        assert home.truth.generation_w < 50.0


def test_an_inverter_that_obeys_us_is_told_both_numbers_too() -> None:
    home = Home([InverterModel(5000.0)], load_w=2000.0, sections={"sources": SOURCES})
    home.state("csip", export_limit_w=1500.0)
    home.run(30.0)
    said = home.bus.last(topics.SETPOINT, "i0")
    assert isinstance(said, m.Setpoint)
    assert said.export_limit_w == 1500.0
    assert said.target_w == pytest.approx(3500.0, abs=50.0)


def test_an_inverter_that_holds_the_export_itself_never_counts_as_0_w_curtailed() -> None:
    """Its target is no limit of its own, so nothing tells whether it is held down."""
    track = Track("roof", RATED_W, Ramp(5000.0, 2000.0), by_export=True)
    assert curtailment([track]).watts is None
    track.by_export = False
    assert curtailment([track]).watts == 0.0
