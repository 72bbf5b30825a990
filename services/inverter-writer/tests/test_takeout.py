"""Uninstalling: what `dynexport release` would write to an inverter, and what it never does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dynexport.testing.builders import site
from inverter_writer.handover import Handover
from inverter_writer.store import Store
from inverter_writer.takeout import NeverWritten, Takeout


def takeout(roof: Any, state_dir: Path | None = None) -> Takeout:
    inverter = site().inverters[0]
    return Takeout(inverter, roof, Handover(Store(state_dir, inverter.id) if state_dir else None))


def released(roof: Any, state_dir: Path | None = None) -> str | None:
    """What it was planned to do; and it is done."""
    roof.calls.clear()
    tool = takeout(roof, state_dir)
    standing = tool.look()
    plan = tool.plan(standing)
    if plan is not None:
        tool.write(standing, 0.0)
    return plan


def test_on_volatile_registers_the_limit_is_taken_out(bench: Any) -> None:
    roof = bench(limit_pct=15.0, enabled=True).roof
    assert "1500 W" in (released(roof) or "")
    assert roof.writes == ["release"]


def test_where_no_limit_is_in_force_nothing_is_written(bench: Any) -> None:
    roof = bench(limit_pct=15.0, enabled=False).roof
    assert released(roof) is None
    assert roof.writes == []


def test_on_registers_that_persist_our_own_limit_is_taken_out(bench: Any, tmp_path: Path) -> None:
    running = bench(state_dir=tmp_path)
    running.follow(3000.0, 4)
    assert released(running.roof, tmp_path) is not None
    assert running.roof.writes == ["release"]


@pytest.mark.parametrize("adopted", [False, True])
def test_a_found_limit_is_put_back_and_never_exceeded(bench: Any, tmp_path: Path, adopted: bool) -> None:
    running = bench(state_dir=tmp_path, limit_pct=50.0, enabled=True)
    running.follow(2000.0, 4)
    if adopted:
        running.job.found.adopt()
    assert "5000 W" in (released(running.roof, tmp_path) or "")
    assert (running.roof.limit_pct, running.roof.enabled) == (50.0, True)
    assert released(running.roof, tmp_path) is None, "once is enough"


@pytest.mark.parametrize("file", [None, "{"])
def test_a_limit_that_nobody_knows_to_be_ours_is_left(bench: Any, tmp_path: Path, file: str | None) -> None:
    if file is not None:
        (tmp_path / "inverter-writer").mkdir()
        (tmp_path / "inverter-writer" / "roof.json").write_text(file)
    roof = bench(limit_pct=30.0, enabled=True).roof
    assert released(roof, tmp_path) is None
    assert roof.writes == []


def test_a_replaced_inverter_keeps_what_it_has(bench: Any, tmp_path: Path) -> None:
    bench(state_dir=tmp_path).follow(3000.0, 4)
    other = bench(limit_pct=30.0, enabled=True, serial="2").roof
    assert released(other, tmp_path) is None


def test_a_704_is_left_without_a_timer(bench: Any, tmp_path: Path) -> None:
    running = bench(state_dir=tmp_path, limit_pct=50.0, enabled=True, control_model=704, chooses_revert=True)
    running.follow(2000.0, 4)
    released(running.roof, tmp_path)
    assert running.roof.writes == ["limit 50 0"]


def test_a_found_limit_still_caps_when_the_writer_comes_back_after_a_release(
    bench: Any, tmp_path: Path
) -> None:
    running = bench(state_dir=tmp_path, limit_pct=50.0, enabled=True)
    running.follow(2000.0, 4)
    released(running.roof, tmp_path)
    again = bench(roof=running.roof, state_dir=tmp_path)
    again.follow(8000.0, 70, seconds=1.0)
    assert again.roof.limit_pct == 50.0


def test_what_may_never_be_written_to_is_not_written_to_when_it_is_released(bench: Any) -> None:
    """An unconfirmed description without the owner's word: nothing of ours can be in it."""
    roof = bench(limit_pct=15.0, enabled=True, control_model=None).roof
    with pytest.raises(NeverWritten, match="control model"):
        released(roof)
    assert roof.calls == ["identify"]
