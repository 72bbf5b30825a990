"""One inverter's job against a device in memory: order of reads and writes, first contact, stop."""

from __future__ import annotations

from typing import Any

import pytest

from dynexport.messages import ControlState, InverterState
from inverter_writer.describe import control_state


def test_at_start_the_failsafe_share_is_written_before_the_first_reading(bench: Any) -> None:
    started = bench()
    started.turn()
    assert started.roof.calls == ["identify", "control", "limit 15 0", "read", "status"]


def test_at_start_a_tighter_limit_found_in_the_device_is_kept(bench: Any) -> None:
    started = bench(limit_pct=5.0, enabled=True)
    started.turn()
    assert started.roof.writes == ["limit 5 0"]
    started.turn(9.0)
    assert started.roof.limit_pct == 5.0, "silence never raises"


def test_a_limit_that_is_not_enabled_reads_as_none(bench: Any) -> None:
    started = bench(limit_pct=5.0, enabled=False)
    started.turn()
    assert started.roof.writes == ["limit 15 0"]


def test_a_tightening_is_written_before_anything_is_read(bench: Any) -> None:
    running = bench()
    running.setpoint(8000.0)
    running.turn()
    running.turn(1.5)
    running.setpoint(2000.0, seq=2)
    running.roof.calls.clear()
    assert running.job.urgent
    running.turn(0.0)
    assert running.roof.calls[0] == "limit 20 0"


def test_a_setpoint_above_the_rating_is_applied_as_the_rating(bench: Any) -> None:
    running = bench()
    running.setpoint(99_000.0)
    running.turn()
    assert running.roof.limit_pct == 100.0


def test_15_s_without_a_setpoint_is_the_failsafe_share(bench: Any) -> None:
    running = bench()
    running.setpoint(8000.0)
    running.turn()
    running.turn(15.1)
    assert running.roof.limit_pct == 15.0
    assert control_state(running.job, running.job.wanted(running.clock.mono())) is ControlState.FAILSAFE


def test_a_disconnect_stays_until_a_valid_setpoint_connects(bench: Any) -> None:
    running = bench()
    running.setpoint(0.0, connect=False)
    running.turn()
    assert not running.roof.connected
    running.turn(20.0)
    assert not running.roof.connected
    running.setpoint(5000.0, seq=2)
    running.turn(1.0)
    running.turn(1.0)
    assert running.roof.connected


def test_a_foreign_looser_value_is_overwritten_at_the_next_read(bench: Any) -> None:
    running = bench()
    running.setpoint(5000.0)
    running.turn()
    running.roof.limit_pct = 90.0
    running.turn()
    assert running.roof.limit_pct == 50.0


def test_a_foreign_tighter_value_is_left_and_shown_as_a_conflict(bench: Any) -> None:
    running = bench()
    running.setpoint(5000.0)
    running.turn()
    running.roof.limit_pct = 10.0
    for seq in range(2, 20):
        running.setpoint(5000.0, seq=seq)
        running.turn()
    assert running.roof.limit_pct == 10.0
    assert running.job.readback.conflict


def test_our_own_tighter_value_goes_in_even_during_a_conflict(bench: Any) -> None:
    running = bench()
    running.setpoint(5000.0)
    running.turn()
    running.roof.limit_pct = 10.0
    running.turn()
    running.setpoint(500.0, seq=2)
    running.turn()
    running.turn()
    assert running.roof.limit_pct == 5.0


def test_after_a_silence_the_next_contact_is_a_first_one(bench: Any) -> None:
    running = bench()
    running.setpoint(8000.0)
    running.turn()
    running.roof.reachable = False
    running.turn(6.0)
    running.roof.reachable, running.roof.limit_pct = True, 30.0
    running.setpoint(8000.0, seq=2)
    running.roof.calls.clear()
    running.turn()
    assert running.roof.calls[:3] == ["identify", "control", "limit 30 0"]


def test_with_writing_disabled_nothing_is_ever_written(bench: Any) -> None:
    shy = bench(writing=False)
    shy.setpoint(2000.0)
    for _ in range(30):
        shy.turn(1.0)
    shy.job.begin_stop()
    shy.turn()
    assert shy.roof.writes == []
    assert control_state(shy.job, shy.job.wanted(shy.clock.mono())) is ControlState.DISABLED


def test_an_inverter_without_a_control_model_is_a_fault_and_still_read(bench: Any) -> None:
    old = bench(control_model=None)
    old.turn()
    assert old.roof.writes == []
    assert old.job.fault is not None
    assert any(report.values for report in old.job.reports)


@pytest.mark.parametrize(
    ("on_stop", "left_pct", "enabled"),
    [("failsafe", 15.0, True), ("hold", 80.0, True), ("release", 80.0, False)],
)
def test_a_stop_leaves_what_the_owner_chose(bench: Any, on_stop: str, left_pct: float, enabled: bool) -> None:
    running = bench(on_stop=on_stop)
    running.setpoint(8000.0)
    running.turn()
    running.job.begin_stop()
    running.turn()
    assert running.job.stopped
    assert (running.roof.limit_pct, running.roof.enabled) == (left_pct, enabled)


def test_a_stop_never_raises_a_tighter_target(bench: Any) -> None:
    running = bench()
    running.setpoint(700.0)
    running.turn()
    running.job.begin_stop()
    running.turn()
    assert running.roof.limit_pct == 7.0


def test_the_limit_is_refreshed_every_8_s(bench: Any) -> None:
    running = bench()
    running.setpoint(5000.0)
    running.turn()
    running.roof.calls.clear()
    for seq in range(2, 20):
        running.setpoint(5000.0, seq=seq)
        running.turn()
    assert running.roof.writes == ["limit 50 0"]


def test_at_night_an_inverter_that_was_allowed_to_make_and_made_nothing_is_asleep(bench: Any) -> None:
    dusk = bench(power_w=3.0, state=InverterState.MPPT)
    dusk.turn()
    assert dusk.job.asleep


def test_another_wmax_after_a_silence_counts_from_the_first_contact_on(bench: Any) -> None:
    running = bench()
    running.follow(2000.0, 4)
    assert running.roof.limit_pct == 20.0
    running.roof.reachable = False
    running.follow(2000.0, 14)
    running.roof.reachable, running.roof.max_w = True, 20_000.0
    running.follow(2000.0, 1)
    assert running.roof.limit_pct == 10.0


def test_a_wmax_that_changes_at_run_time_is_noticed_within_a_minute(bench: Any) -> None:
    running = bench()
    running.follow(2000.0, 4)
    running.roof.max_w = 20_000.0
    running.follow(2000.0, 121)
    assert running.roof.limit_pct == 10.0
    assert running.job.device.max_w == 20_000.0


def test_who_it_is_is_asked_once_a_minute_only(bench: Any) -> None:
    running = bench()
    running.follow(2000.0, 119)
    assert running.roof.calls.count("identify") == 1
    running.follow(2000.0, 10)
    assert running.roof.calls.count("identify") == 2


@pytest.mark.parametrize("max_w", [1e-40, 900.0, 200_000.0])
def test_a_rating_far_from_site_yaml_is_not_believed_and_the_one_before_counts(
    bench: Any, max_w: float
) -> None:
    running = bench()
    running.follow(2000.0, 4)
    running.roof.max_w = max_w
    running.follow(2000.0, 240)
    assert running.roof.limit_pct == 20.0


def test_an_inverter_whose_first_rating_is_far_from_site_yaml_is_a_fault_and_not_written(bench: Any) -> None:
    running = bench(max_w=900.0)
    running.follow(2000.0, 10)
    assert "site.yaml" in running.job.fault
    assert running.roof.writes == []
    running.roof.max_w = 10_000.0
    running.follow(2000.0, 10)
    assert (running.job.fault, running.roof.limit_pct) == (None, 20.0)
