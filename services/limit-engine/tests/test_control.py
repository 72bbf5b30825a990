"""The law against the plant: the rows of control.md that need no sockets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench.faults import RUN_S, control_run
from bench.loop import Loop

from dynexport.messages import InverterState, Location, Mode
from dynexport.testing.plant import InverterModel, MeterModel
from limit_engine.control import Bounds, ControlLaw, Plan


def one(*, load_w: float = 5000.0, **fields: object) -> Loop:
    loop = Loop([InverterModel()], MeterModel(), load_w=load_w, **fields)  # type: ignore[arg-type]
    loop.run(30.0)
    return loop


def exported(loop: Loop) -> float:
    return -loop.plant.site_w


def test_the_site_settles_at_its_limit() -> None:
    assert exported(one()) == pytest.approx(1500.0, abs=30.0)


def test_a_lower_limit_is_obeyed_in_one_step() -> None:
    loop = one()
    loop.bounds = Bounds(0.0)
    loop.run(0.25)
    assert loop.decision is not None
    assert loop.decision.target_w == pytest.approx(5000.0, abs=60.0)


def test_a_higher_limit_is_followed_by_the_ramp_and_its_saved_second() -> None:
    loop = one(bounds=Bounds(0.0))
    before_w = loop.law.ramp.level_w
    loop.bounds = Bounds(5000.0)
    loop.run(0.5)
    assert before_w < loop.law.ramp.level_w <= before_w + 2000.0 * 1.6


def test_meter_silent_for_4_s_switches_to_open_loop_with_the_load_taken_as_0() -> None:
    loop = one()
    loop.meter_alive = False
    modes = []
    for seconds in (3.7, 0.7):
        loop.run(seconds)
        assert loop.decision is not None
        modes.append(loop.decision.mode)
    assert modes == [Mode.NORMAL, Mode.OPEN_LOOP]
    assert loop.decision is not None
    assert loop.decision.target_w <= 1500.0


def test_meter_late_by_two_periods_stops_every_raise() -> None:
    loop = one(bounds=Bounds(0.0))
    loop.meter_alive = False
    loop.run(0.6)
    loop.bounds = Bounds(5000.0)
    level_w = loop.law.ramp.level_w
    loop.run(2.0)
    assert loop.law.ramp.level_w <= level_w


def test_open_loop_is_never_above_the_target_on_entry() -> None:
    loop = one(load_w=0.0, bounds=Bounds(1000.0))
    loop.meter_alive = False
    loop.run(1.0)
    loop.bounds = Bounds(5000.0)
    loop.run(10.0)
    assert loop.decision is not None
    assert loop.decision.mode is Mode.OPEN_LOOP
    assert loop.decision.target_w == pytest.approx(1000.0, abs=20.0)


def test_open_loop_leaves_room_for_what_does_not_obey_us() -> None:
    loop = one()
    loop.meter_alive = False
    loop.bounds = Bounds(1500.0, blind_w=1000.0)
    loop.run(10.0)
    assert loop.decision is not None
    assert loop.decision.target_w == pytest.approx(500.0)


def test_a_meter_that_comes_back_leads_back_to_the_limit() -> None:
    loop = one()
    loop.meter_alive = False
    loop.run(20.0)
    loop.meter_alive = True
    loop.run(20.0)
    assert exported(loop) == pytest.approx(1500.0, abs=30.0)


def test_failsafe_counts_on_no_load_at_all() -> None:
    loop = one(ready=False, bounds=Bounds(5000.0, failsafe_w=1500.0))
    assert loop.decision is not None
    assert loop.decision.mode is Mode.FAILSAFE
    assert loop.plant.generation_w == pytest.approx(1500.0, abs=20.0)


def test_a_generation_limit_counts_uncontrolled_pv_and_silent_inverters() -> None:
    loop = one()
    loop.bounds = Bounds(1500.0, generation_limit_w=4000.0, uncontrolled_w=1000.0, unseen_w=500.0)
    loop.run(10.0)
    assert loop.plant.generation_w == pytest.approx(2500.0, abs=30.0)


def test_a_frozen_meter_counts_as_dead_after_generation_has_moved() -> None:
    loop = one()
    frozen_w = loop.plant.read_meter().power_w
    loop.distort = lambda _: frozen_w
    for inverter in loop.plant.inverters:
        inverter.available_w = 3000.0
    loop.run(30.0)
    assert loop.decision is not None
    assert loop.decision.mode is Mode.OPEN_LOOP
    assert loop.law.plausibility.wrong


def test_a_meter_that_stands_still_with_generation_is_not_accused() -> None:
    loop = Loop([InverterModel()], MeterModel(noise_w=0.0), load_w=3000.0)
    loop.run(120.0)
    assert loop.law.plausibility.wrong is None


def test_a_reversed_current_transformer_counts_as_dead_after_the_second_step() -> None:
    loop = one()
    loop.distort = lambda site_w: -site_w
    loop.run(20.0)
    for share in (0.1, 0.9, 0.1, 0.9):
        for inverter in loop.plant.inverters:
            inverter.available_w = share * inverter.model.rated_w
        loop.run(15.0)
    assert loop.decision is not None
    assert loop.decision.mode is Mode.OPEN_LOOP


def test_load_steps_that_we_answer_do_not_accuse_the_meter() -> None:
    loop = one()
    for load_w in (500.0, 5000.0, 1000.0, 4000.0, 500.0):
        loop.plant.load_w = load_w
        loop.run(20.0)
        assert loop.law.plausibility.wrong is None


def test_load_steps_in_the_midst_of_our_own_moves_do_not_accuse_the_meter() -> None:
    loop = one()
    for limit_w, load_w in ((5000.0, 9000.0), (1500.0, 5000.0), (5000.0, 1000.0), (1500.0, 4500.0)):
        loop.bounds = Bounds(limit_w)
        loop.run(0.4)
        loop.plant.load_w = load_w
        loop.run(15.0)
        assert loop.law.plausibility.wrong is None


def test_an_inverter_that_does_not_answer_is_part_of_the_load() -> None:
    loop = Loop([InverterModel(3333.0)] * 3, MeterModel(), load_w=2000.0)
    loop.run(40.0)
    loop.silent = {"i0"}
    loop.run(30.0)
    assert exported(loop) == pytest.approx(1500.0, abs=40.0)
    loop.plant.load_w = 500.0
    loop.run(15.0)
    assert exported(loop) <= 1550.0


def test_an_inverter_back_after_a_night_starts_within_the_share_it_had() -> None:
    loop = Loop([InverterModel(3333.0)] * 3, MeterModel(), load_w=2000.0, silent={"i0"})
    loop.plant.inverters[0].available_w = 0.0
    loop.run(40.0)
    loop.plant.inverters[0].available_w = 3333.0
    assert loop.decision is not None
    assert loop.decision.shares_w["i0"] == 0.0
    loop.silent = set()
    loop.run(30.0)
    assert max(export for moment, export in loop.trace if moment > 40.0) < 1700.0
    assert loop.plant.inverters[0].power_w > 500.0


def test_a_shaded_inverter_gives_its_share_to_the_others_and_is_held_at_its_use_and_headroom() -> None:
    loop = Loop([InverterModel(5000.0)] * 2, MeterModel(), load_w=4000.0)
    loop.plant.inverters[0].available_w = 500.0
    loop.run(60.0)
    headroom_w = 0.1 * 5000.0
    assert loop.decision is not None
    assert loop.decision.shares_w["i0"] <= 500.0 + headroom_w + 60.0
    assert 1500.0 - headroom_w - 40.0 <= exported(loop) <= 1530.0


def test_a_roof_smaller_than_its_limit_needs_no_headroom() -> None:
    loop = Loop([InverterModel(5000.0)], MeterModel(), load_w=500.0, bounds=Bounds(5000.0))
    loop.plant.inverters[0].available_w = 1000.0
    loop.run(60.0)
    assert loop.decision is not None
    assert loop.decision.shares_w["i0"] == 5000.0


def test_disconnection_makes_the_target_0_and_the_way_back_is_ramped() -> None:
    law = ControlLaw(Plan({"i0": 10_000.0}))
    law.start_from({"i0": 6000.0})
    for tick in range(3):
        moment = tick * 0.2
        law.hear_meter(moment, moment, -1000.0 - tick)
        law.hear_inverter("i0", moment, moment, 6000.0, InverterState.MPPT)
    assert law.decide(Bounds(1500.0), 0.5, ready=True, open_switch=True).target_w == 0.0
    assert law.decide(Bounds(1500.0), 0.6, ready=True).target_w <= 2000.0 * 0.7


def test_a_consumption_meter_is_the_load() -> None:
    plan = Plan({"i0": 10_000.0}, location=Location.CONSUMPTION)
    law = ControlLaw(plan)
    law.start_from({"i0": 10_000.0})
    law.hear_meter(0.0, 0.0, 2000.0)
    law.hear_inverter("i0", 0.0, 0.0, 4000.0, InverterState.MPPT)
    assert law.decide(Bounds(1500.0), 0.0, ready=True).target_w == pytest.approx(3500.0, abs=25.0)


@pytest.mark.parametrize("gain", [0.95, 1.05])
def test_an_inverter_5_percent_off_scale_is_learned(gain: float) -> None:
    loop = Loop([InverterModel(gain=gain)], MeterModel(), load_w=5000.0)
    loop.run(60.0)
    start = loop.plant.now
    loop.run(60.0)
    mean_w = sum(export for moment, export in loop.trace if moment > start) / sum(
        1 for moment, _ in loop.trace if moment > start
    )
    assert 1440.0 <= mean_w <= 1500.0
    assert loop.law.tracks["i0"].gain.value == pytest.approx(gain, abs=0.01)


@pytest.mark.parametrize("latency_s", [0.0, 0.5, 1.0])
def test_the_meters_latency_is_learned_from_our_own_steps(latency_s: float) -> None:
    loop = Loop([InverterModel()], MeterModel(0.2, latency_s, 8.0), load_w=5000.0)
    loop.run(30.0)
    for load_w in (500.0, 5000.0, 1000.0):
        loop.plant.load_w = load_w
        loop.run(15.0)
    assert loop.law.latency.learned_s == pytest.approx(latency_s, abs=0.25)


def test_an_inverters_lag_and_dead_time_are_learned() -> None:
    loop = Loop([InverterModel(tau_s=2.0, dead_time_s=1.0)], MeterModel(), load_w=5000.0)
    loop.run(40.0)
    loop.plant.load_w = 500.0
    loop.run(20.0)
    response = loop.law.tracks["i0"].response
    assert response.tau_s == pytest.approx(2.0, rel=0.3)
    assert response.dead_time_s == pytest.approx(1.0, abs=0.5)


@pytest.mark.parametrize("seed", range(10_000 // RUN_S))
def test_ten_thousand_control_seconds_under_random_faults_break_no_invariant(seed: int) -> None:
    assert control_run(seed)[1] is None


def test_bounds_may_change_at_any_time_without_losing_the_state() -> None:
    loop = one()
    loop.bounds = replace(loop.bounds, export_limit_w=None)
    loop.run(20.0)
    assert loop.plant.generation_w == pytest.approx(10_000.0, abs=20.0)
