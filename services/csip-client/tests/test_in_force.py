"""What is in force per mode: controls before defaults, defaults by primacy; and how a limit moves."""

from __future__ import annotations

import pytest
from csip_builders import held, program

from csip_client.in_force import grad_pct_per_s, in_force
from csip_client.model import Mode
from csip_client.ramp import Connection, Ramp, Rules, follow
from csip_client.schedule import schedule

E, I, G = Mode.EXPORT, Mode.IMPORT, Mode.GENERATION  # noqa: E741


def test_a_mode_without_an_acting_control_takes_the_best_programs_default_for_that_mode() -> None:
    plan = schedule([held("A", 0, 100, {E: 100.0})])
    programs = [program("P1", 1, {E: 5000.0}), program("P2", 2, {E: 0.0, I: 700.0})]
    now = in_force(plan, programs, 50)
    assert {mode: (found.value, found.origin) for mode, found in now.items()} == {
        E: (100.0, "A"), I: (700.0, "default"),
    }  # fmt: skip
    later = in_force(plan, programs, 100)
    assert later[E].value == 5000.0, "by primacy, not the tightest of all"


def test_at_equal_primacy_the_tighter_default_counts() -> None:
    assert in_force({}, [program("P1", 1, {E: 900.0}), program("P2", 1, {E: 100.0})], 0)[E].value == 100.0


def test_a_mode_that_nobody_states_is_left_out() -> None:
    assert in_force({}, [program("P1", 1), program("P2", 1, {})], 0) == {}


def test_the_rate_is_that_of_the_best_program_that_gives_one() -> None:
    programs = [
        program("P1", 1, {E: 0.0}),
        program("P2", 2, {E: 0.0}, grad=0.27),
        program("P3", 3, {}, grad=9.0),
    ]
    assert grad_pct_per_s(programs) == 0.27


RULES = Rules(set_max_w=10_000.0, rate_w_per_s=100.0)


def test_at_start_up_there_is_no_ramp() -> None:
    assert follow(None, "default", 500.0, RULES, 0.0).value(0.0) == 500.0


@pytest.mark.parametrize(("before", "after"), [("default", "A"), ("A", "default")])
def test_between_default_and_control_the_limit_moves_at_set_grad_w(before: str, after: str) -> None:
    ramp = follow(Ramp(before, 5000.0, 5000.0, 0.0), after, 3000.0, RULES, 100.0)
    assert [ramp.value(now) for now in (100.0, 110.0, 120.0, 500.0)] == [5000.0, 4000.0, 3000.0, 3000.0]


def test_from_one_control_to_the_next_there_is_no_ramp_unless_the_setting_says_so() -> None:
    standing = Ramp("A", 5000.0, 5000.0, 0.0)
    assert follow(standing, "B", 3000.0, RULES, 100.0).value(100.0) == 3000.0
    between = Rules(10_000.0, 100.0, between_controls=True)
    assert follow(standing, "B", 3000.0, between, 100.0).value(110.0) == 4000.0


def test_ramp_tms_always_counts() -> None:
    ramp = follow(Ramp("A", 5000.0, 5000.0, 0.0), "B", 3000.0, RULES, 100.0, ramp_s=40.0)
    assert ramp.value(120.0) == 4000.0


@pytest.mark.parametrize("rate", [None, 0.0])
def test_without_set_grad_w_there_is_no_ramp(rate: float | None) -> None:
    ramp = follow(Ramp("default", 5000.0, 5000.0, 0.0), "A", 0.0, Rules(10_000.0, rate), 100.0)
    assert ramp.value(100.0) == 0.0


def test_a_ramp_starts_at_set_max_w_when_the_old_limit_was_above_it() -> None:
    ramp = follow(Ramp("default", 200_000.0, 200_000.0, 0.0), "A", 0.0, RULES, 0.0)
    assert ramp.value(50.0) == 5000.0


def test_a_ramp_up_to_more_than_set_max_w_ends_there_and_goes_on_undisturbed() -> None:
    ramp = follow(Ramp("A", 0.0, 0.0, 0.0), "default", 200_000.0, RULES, 0.0)
    assert follow(ramp, "default", 200_000.0, RULES, 50.0) is ramp
    assert [ramp.value(now) for now in (50.0, 99.0, 100.0)] == [5000.0, 9900.0, 200_000.0]


def test_a_change_in_the_middle_of_a_ramp_starts_from_where_it_is() -> None:
    ramp = follow(Ramp("A", 0.0, 0.0, 0.0), "default", 9000.0, RULES, 0.0)
    back = follow(ramp, "B", 0.0, RULES, 50.0)
    assert back.value(50.0) == 5000.0


def test_after_a_reconnection_generation_waits_60_s_and_climbs_by_a_sixth_a_minute() -> None:
    apart = Connection().after(False, 10.0)
    assert apart.ceiling_w(6000.0, 20.0) is None, "a disconnection speaks for itself"
    back = apart.after(True, 100.0)
    assert [back.ceiling_w(6000.0, now) for now in (100.0, 160.0)] == [0.0, 0.0]
    assert back.ceiling_w(6000.0, 220.0) == pytest.approx(1000.0)
    assert back.ceiling_w(6000.0, 160.0 + 361.0) is None


def test_one_that_was_never_apart_has_no_way_back() -> None:
    assert Connection().after(True, 5.0).ceiling_w(6000.0, 6.0) is None
