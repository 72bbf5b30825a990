"""Registers that wear are not worn out by a device that does not hold, or does not take, what is written to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inverter_writer.sparing import Sparing


@pytest.mark.parametrize(
    "lie", [{"holds_at_least_pct": 10.0}, {"never_enables": True}, {"refuses_to_enable": True}]
)
def test_an_inverter_that_does_not_hold_its_limit_is_written_ever_more_seldom_where_that_wears_it(
    bench: Any, tmp_path: Path, lie: dict[str, Any]
) -> None:
    running = bench(state_dir=tmp_path, **lie)
    assert 1 <= running.hours(0.0, 2.0) <= 20
    assert 1 <= running.hours(0.0, 2.0) <= 8


def test_on_volatile_registers_it_is_overwritten_at_every_poll(bench: Any) -> None:
    assert bench(holds_at_least_pct=10.0).hours(0.0, 0.1) > 300


def test_one_that_does_not_hold_its_limit_is_shown_as_a_conflict(bench: Any, tmp_path: Path) -> None:
    running = bench(state_dir=tmp_path, holds_at_least_pct=10.0)
    running.hours(0.0, 0.5)
    assert running.job.readback.conflict


def test_a_looser_value_of_somebody_else_is_overwritten_at_once_where_it_wears_too(
    bench: Any, tmp_path: Path
) -> None:
    running = bench(state_dir=tmp_path)
    running.hours(2000.0, 0.1)
    running.roof.limit_pct = 90.0
    running.follow(2000.0, 2, seconds=1.0)
    assert running.roof.limit_pct == 20.0


def test_two_that_write_to_one_inverter_wear_it_once_a_minute_at_most(bench: Any, tmp_path: Path) -> None:
    running = bench(state_dir=tmp_path)
    running.hours(2000.0, 0.1)
    writes = 0
    for _ in range(1200):
        running.roof.limit_pct = 90.0
        writes += running.hours(2000.0, 3 / 3600)
    assert 50 <= writes <= 70


def test_a_tightening_goes_in_though_writes_before_came_to_nothing(bench: Any, tmp_path: Path) -> None:
    running = bench(state_dir=tmp_path, holds_at_least_pct=10.0)
    running.hours(500.0, 1.0)
    running.follow(100.0, 1)
    assert running.roof.writes[-1] == "limit 1 0"


def test_an_inverter_that_takes_its_limit_again_is_limited_within_15_minutes(
    bench: Any, tmp_path: Path
) -> None:
    running = bench(state_dir=tmp_path, refuses_to_enable=True)
    running.hours(500.0, 3.0)
    running.roof.refuses_to_enable = False
    running.hours(500.0, 0.26)
    assert (running.roof.limit_pct, running.roof.enabled) == (5.0, True)


def test_after_a_minute_in_which_ours_stood_all_is_forgotten() -> None:
    sparing = Sparing()
    for second in range(10):
        sparing.in_vain(0.0, float(second))
    assert sparing.wait_s(0.0, 10.0) > 0.0
    sparing.stands(70.0)
    assert sparing.wait_s(0.0, 70.0) == 0.0
