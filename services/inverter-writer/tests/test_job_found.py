"""A limit found on registers that persist: kept on every path until it is adopted, and nothing is written in vain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dynexport.messages import ControlState
from inverter_writer.describe import capability_of, control_of


def found_and_adopted(running: Any) -> tuple[float | None, bool | None]:
    capability = capability_of(running.job, running.clock.now())
    assert capability is not None
    return capability.found_limit_w, capability.adopted


def test_a_found_limit_caps_all_that_is_written_until_it_is_adopted(bench: Any, tmp_path: Path) -> None:
    running = bench(state_dir=tmp_path, limit_pct=50.0, enabled=True)
    running.follow(8000.0, 300, seconds=1.0)
    assert running.roof.limit_pct == 50.0
    assert found_and_adopted(running) == (5000.0, False)
    assert running.job.found.adopt()
    assert found_and_adopted(running) == (5000.0, True)
    running.follow(8000.0, 70, seconds=1.0)
    assert running.roof.limit_pct == 80.0


def test_below_a_found_limit_setpoints_are_followed(bench: Any, tmp_path: Path) -> None:
    running = bench(state_dir=tmp_path, limit_pct=50.0, enabled=True)
    running.follow(2000.0, 4)
    assert running.roof.limit_pct == 20.0
    running.follow(8000.0, 70, seconds=1.0)
    assert running.roof.limit_pct == 50.0


def test_a_restart_knows_our_own_value_again_and_the_found_one_still_counts(
    bench: Any, tmp_path: Path
) -> None:
    first = bench(state_dir=tmp_path, limit_pct=50.0, enabled=True)
    first.follow(3000.0, 4)
    again = bench(roof=first.roof, state_dir=tmp_path)
    again.follow(8000.0, 70, seconds=1.0)
    assert again.roof.limit_pct == 50.0
    assert found_and_adopted(again) == (5000.0, False)


def test_an_adopt_counts_after_a_restart_too(bench: Any, tmp_path: Path) -> None:
    first = bench(state_dir=tmp_path, limit_pct=50.0, enabled=True)
    first.follow(3000.0, 4)
    first.job.found.adopt()
    again = bench(roof=first.roof, state_dir=tmp_path)
    again.follow(8000.0, 70, seconds=1.0)
    assert again.roof.limit_pct == 80.0
    assert found_and_adopted(again) == (5000.0, True)


def test_our_own_value_is_no_found_limit_after_a_power_cut_of_the_whole_site(
    bench: Any, tmp_path: Path
) -> None:
    first = bench(state_dir=tmp_path)
    first.follow(3000.0, 4)
    again = bench(roof=first.roof, state_dir=tmp_path)
    again.follow(8000.0, 70, seconds=1.0)
    assert (again.roof.limit_pct, found_and_adopted(again)) == (80.0, (None, None))


def test_a_power_cut_between_store_and_write_leaves_the_old_value_ours(bench: Any, tmp_path: Path) -> None:
    first = bench(state_dir=tmp_path)
    first.follow(3000.0, 4)
    first.roof.loses_writes = True
    first.follow(1000.0, 2)
    first.roof.loses_writes = False
    again = bench(roof=first.roof, state_dir=tmp_path)
    again.turn()
    assert found_and_adopted(again) == (None, None)


def test_a_power_cut_before_the_answer_to_a_write_leaves_the_new_value_ours(
    bench: Any, tmp_path: Path
) -> None:
    first = bench(state_dir=tmp_path)
    first.follow(3000.0, 4)
    first.roof.loses_answers = True
    first.follow(1000.0, 2)
    assert first.roof.limit_pct == 10.0
    first.roof.loses_answers = False
    again = bench(roof=first.roof, state_dir=tmp_path)
    again.turn()
    assert found_and_adopted(again) == (None, None)


def test_a_lost_file_makes_our_own_value_a_found_one(bench: Any, tmp_path: Path) -> None:
    first = bench(state_dir=tmp_path)
    first.follow(3000.0, 4)
    again = bench(roof=first.roof, state_dir=tmp_path / "new")
    again.follow(8000.0, 70, seconds=1.0)
    assert (again.roof.limit_pct, found_and_adopted(again)) == (30.0, (3000.0, False))


def test_a_replaced_inverter_is_met_anew(bench: Any, tmp_path: Path) -> None:
    first = bench(state_dir=tmp_path, limit_pct=50.0, enabled=True)
    first.follow(3000.0, 4)
    first.job.found.adopt()
    other = bench(state_dir=tmp_path, serial="2", limit_pct=30.0, enabled=True)
    other.follow(8000.0, 70, seconds=1.0)
    assert (other.roof.limit_pct, found_and_adopted(other)) == (30.0, (3000.0, False))


def test_a_limit_of_100_percent_is_none(bench: Any, tmp_path: Path) -> None:
    running = bench(state_dir=tmp_path, limit_pct=100.0, enabled=True)
    running.turn()
    assert found_and_adopted(running) == (None, None)


def test_with_writing_disabled_a_found_limit_is_shown_and_nothing_written(bench: Any, tmp_path: Path) -> None:
    shy = bench(state_dir=tmp_path, limit_pct=50.0, enabled=True, writing=False)
    shy.follow(2000.0, 10)
    shy.stop()
    assert shy.roof.writes == []
    assert found_and_adopted(shy) == (5000.0, False)


def test_before_the_first_contact_nothing_is_said_of_a_found_limit(bench: Any, tmp_path: Path) -> None:
    running = bench(state_dir=tmp_path, limit_pct=50.0, enabled=True)
    assert capability_of(running.job, running.clock.now()) is None


@pytest.mark.parametrize("on_stop", ["failsafe", "hold", "release"])
def test_no_way_of_stopping_writes_above_a_found_limit(bench: Any, tmp_path: Path, on_stop: str) -> None:
    running = bench(state_dir=tmp_path, limit_pct=9.0, enabled=True, on_stop=on_stop)
    running.follow(8000.0, 70, seconds=1.0)
    running.stop()
    assert (running.roof.limit_pct, running.roof.enabled) == (9.0, True)


def test_a_release_puts_the_found_limit_back_even_if_it_was_adopted(bench: Any, tmp_path: Path) -> None:
    running = bench(state_dir=tmp_path, limit_pct=50.0, enabled=True, on_stop="release")
    running.follow(2000.0, 4)
    running.job.found.adopt()
    running.stop()
    assert (running.roof.limit_pct, running.roof.enabled) == (50.0, True)


def test_silence_never_writes_above_a_found_limit(bench: Any, tmp_path: Path) -> None:
    running = bench(state_dir=tmp_path, limit_pct=9.0, enabled=True)
    running.follow(8000.0, 4)
    for _ in range(100):
        running.turn(1.0)
    assert running.roof.limit_pct == 9.0


def test_registers_that_persist_are_written_on_change_only(bench: Any, tmp_path: Path) -> None:
    running = bench(state_dir=tmp_path)
    running.follow(5000.0, 4)
    running.roof.calls.clear()
    running.follow(5000.0, 200)
    assert running.roof.writes == []


def test_a_restart_with_the_same_target_writes_nothing(bench: Any, tmp_path: Path) -> None:
    first = bench(state_dir=tmp_path)
    first.follow(1000.0, 4)
    first.stop()
    first.roof.calls.clear()
    again = bench(roof=first.roof, state_dir=tmp_path)
    again.setpoint(1000.0)
    again.turn()
    assert [write for write in again.roof.writes if write.startswith("limit")] == []


def test_a_tightening_is_never_rationed_even_where_it_wears_flash(bench: Any, tmp_path: Path) -> None:
    running = bench(state_dir=tmp_path)
    running.follow(8000.0, 70, seconds=1.0)
    running.setpoint(2000.0)
    assert running.job.urgent
    running.turn(0.0)
    assert running.roof.limit_pct == 20.0


def test_no_timer_is_used_on_registers_that_persist(bench: Any, tmp_path: Path) -> None:
    running = bench(state_dir=tmp_path, control_model=704, chooses_revert=True)
    running.turn()
    assert running.roof.writes == ["limit 15 0"]
    assert running.job.fallback_w is None


def test_a_tighter_value_that_somebody_sets_meanwhile_and_that_stays_is_a_found_limit(
    bench: Any, tmp_path: Path
) -> None:
    running = bench(state_dir=tmp_path)
    running.follow(8000.0, 70, seconds=1.0)
    running.roof.limit_pct = 40.0
    running.follow(8000.0, 400, seconds=1.0)
    assert (running.roof.limit_pct, found_and_adopted(running)) == (40.0, (4000.0, False))


def test_on_volatile_registers_our_first_write_makes_a_found_limit_ours(bench: Any) -> None:
    running = bench(limit_pct=50.0, enabled=True)
    running.follow(8000.0, 10)
    assert (running.roof.limit_pct, found_and_adopted(running)) == (80.0, (None, None))


def test_an_inverter_replaced_while_we_run_is_met_anew(bench: Any, tmp_path: Path) -> None:
    running = bench(state_dir=tmp_path)
    running.follow(4000.0, 4)
    running.roof.reachable = False
    running.follow(4000.0, 14)
    running.roof.reachable, running.roof.serial = True, "2"  # its installer's 40 % looks like our own
    running.follow(8000.0, 70, seconds=1.0)
    assert (running.roof.limit_pct, found_and_adopted(running)) == (40.0, (4000.0, False))


def test_after_a_days_writes_a_limit_that_persists_is_only_tightened(bench: Any, tmp_path: Path) -> None:
    running = bench(state_dir=tmp_path)
    for number in range(60):
        running.follow(2000.0 + 100.0 * (number % 2) * number, 65, seconds=1.0)
    assert running.job.spent
    limits = [write for write in running.roof.writes if write.startswith("limit")]
    assert len(limits) == 41, "forty, and the tightening that came after them"
    before = running.roof.limit_pct
    running.follow(9000.0, 130, seconds=1.0)
    assert running.roof.limit_pct == before, "no raise before tomorrow"
    running.follow(500.0, 2)
    assert running.roof.limit_pct == 5.0, "a tightening is never refused"
    known = len(running.roof.writes)
    for second in range(900):
        running.follow(500.0 - second / 30.0, 1, seconds=1.0)
    assert len(running.roof.writes) - known <= 3, "one that sinks step by step wears as little as it can"
    again = bench(roof=running.roof, state_dir=tmp_path)
    again.follow(9000.0, 130, seconds=1.0)
    assert again.roof.limit_pct <= 5.0, "a restart does not forget what was written today"


def test_another_kind_of_limit_is_a_fault_that_says_so_and_no_limit_of_0_w_until_it_is_adopted(
    bench: Any, tmp_path: Path
) -> None:
    running = bench(state_dir=tmp_path, foreign=True)
    running.follow(2000.0, 100, seconds=1.0)
    said = control_of(running.job, running.job.wanted(running.clock.mono()), running.clock.now())
    assert not any(write.startswith("limit") for write in running.roof.writes)
    assert (said.state, said.read_back_w) == (ControlState.FAULT, None)
    assert "adopt" in (said.reason or "")
    assert running.job.found.adopt()
    running.follow(2000.0, 100, seconds=1.0)
    said = control_of(running.job, running.job.wanted(running.clock.mono()), running.clock.now())
    assert (said.state, said.reason, running.roof.limit_pct) == (ControlState.FOLLOWING, None, 20.0)
