"""A 704 has a timer that goes to a value of our choice; one without a switch is held at 0 W."""

from __future__ import annotations

from typing import Any

import pytest

from dynexport.messages import ControlState, HardwareFallback
from inverter_writer.decision import Device, Wanted, for_device, revert_percent
from inverter_writer.describe import capability_of, remark

DER = {"control_model": 704, "chooses_revert": True}


@pytest.mark.parametrize(
    ("target_w", "revert_pct"),
    [(8000.0, 15.0), (1500.0, 15.0), (700.0, 7.0), (0.0, 0.0)],
)
def test_the_revert_value_is_the_smaller_of_the_last_target_and_the_failsafe_share(
    bench: Any, target_w: float, revert_pct: float
) -> None:
    running = bench(**DER)
    running.follow(target_w, 4)
    assert running.roof.revert == (pytest.approx(revert_pct), 25)


def test_a_tighter_limit_that_was_found_is_never_reverted_above(bench: Any) -> None:
    running = bench(**DER, limit_pct=5.0, enabled=True)
    running.turn()
    assert (running.roof.limit_pct, running.roof.revert) == (5.0, (5.0, 25))


def test_the_timer_is_refreshed_every_8_s(bench: Any) -> None:
    running = bench(**DER)
    running.follow(5000.0, 4)
    running.roof.calls.clear()
    running.follow(5000.0, 34)
    assert running.roof.writes == ["limit 50 25"] * 2


def test_a_capability_names_the_watts_and_seconds_of_its_fallback(bench: Any) -> None:
    running = bench(**DER)
    assert capability_of(running.job, running.clock.now()) is None
    running.turn()
    capability = capability_of(running.job, running.clock.now())
    assert capability is not None
    assert capability.hardware_fallback is HardwareFallback.CHOSEN_W
    assert (capability.fallback_w, capability.fallback_s) == (1500.0, 25.0)


@pytest.mark.parametrize(
    ("roof", "settings", "fallback", "seconds"),
    [
        ({}, {}, HardwareFallback.HOLDS_LAST, None),
        ({}, {"revert_timer_s": 60}, HardwareFallback.RELEASES_LIMIT, 60.0),
        ({"control_model": 704}, {}, HardwareFallback.HOLDS_LAST, None),
        ({"control_model": None}, {}, HardwareFallback.UNKNOWN, None),
    ],
)
def test_what_an_inverter_does_when_we_die_is_not_softened(
    bench: Any,
    roof: dict[str, Any],
    settings: dict[str, Any],
    fallback: HardwareFallback,
    seconds: float | None,
) -> None:
    running = bench(**roof, settings=settings)
    running.turn()
    capability = capability_of(running.job, running.clock.now())
    assert capability is not None
    assert (capability.hardware_fallback, capability.fallback_w) == (fallback, None)
    assert capability.fallback_s == seconds


def test_a_writer_that_was_frozen_takes_its_own_revert_value_for_a_first_contact(bench: Any) -> None:
    running = bench(**DER)
    running.follow(8000.0, 4)
    running.clock.advance(30.0)
    running.roof.timer_runs_out()
    running.follow(8000.0, 1)
    assert running.roof.limit_pct == 15.0, "what was found first"
    running.follow(8000.0, 4)
    assert running.roof.limit_pct == 80.0
    assert not running.job.readback.conflict


def test_the_same_value_before_our_timer_can_have_run_out_is_somebody_elses(bench: Any) -> None:
    running = bench(**DER)
    running.follow(8000.0, 4)
    running.roof.timer_runs_out()
    running.follow(8000.0, 4)
    assert (running.roof.limit_pct, running.job.readback.conflict) == (15.0, True)


@pytest.mark.parametrize(("on_stop", "left_pct"), [("failsafe", 15.0), ("hold", 80.0)])
def test_a_stop_leaves_no_timer_running(bench: Any, on_stop: str, left_pct: float) -> None:
    running = bench(**DER, on_stop=on_stop)
    running.follow(8000.0, 4)
    running.stop()
    assert running.roof.limit_pct == left_pct
    assert running.roof.revert == (15.0, 0)


def test_an_owners_timer_of_a_123_is_left_running_at_a_stop(bench: Any) -> None:
    running = bench(settings={"revert_timer_s": 60})
    running.follow(8000.0, 2)
    running.stop()
    assert running.roof.writes[-1] == "limit 15 60"


def test_an_inverter_without_a_switch_is_held_at_0_w_and_says_so(bench: Any) -> None:
    running = bench(**DER, can_disconnect=False, connected=None)
    running.setpoint(6000.0, connect=False)
    running.turn()
    assert running.roof.writes == ["limit 0 25"]
    wanted = running.job.wanted(running.clock.mono())
    assert remark(running.job, wanted) is not None
    running.turn(20.0)
    assert running.roof.limit_pct == 0.0, "silence never connects"
    running.follow(6000.0, 4)
    assert running.roof.limit_pct == 60.0
    assert remark(running.job, running.job.wanted(running.clock.mono())) is None
    capability = capability_of(running.job, running.clock.now())
    assert capability is not None
    assert capability.can_disconnect is False


@pytest.mark.parametrize(
    ("limit_w", "connect", "can_limit_to_zero", "written"),
    [
        (5000.0, True, True, (50.0, None)),
        (5000.0, None, True, (50.0, None)),
        (5000.0, False, True, (0.0, None)),
        (0.0, True, False, (0.0, None)),
    ],
)
def test_nothing_is_asked_of_a_switch_that_is_not_there(
    limit_w: float, connect: bool | None, can_limit_to_zero: bool, written: tuple[float, bool | None]
) -> None:
    device = Device(10_000.0, 0.01, can_limit_to_zero=can_limit_to_zero, can_disconnect=False)
    assert for_device(Wanted(limit_w, connect, ControlState.FOLLOWING), device) == written


def test_a_revert_value_is_never_above_a_found_limit() -> None:
    assert revert_percent(80.0, 1500.0, Device(10_000.0, 0.01, most_pct=9.0)) == pytest.approx(9.0)
