"""The meter and its reader: control.md's second table, each row on a real stack."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytestmark = pytest.mark.integration
Holds = Callable[..., None]


def test_a_meter_that_dies_is_open_loop_in_4_s_and_nothing_is_over_for_10_s_however_long(
    holds: Holds,
) -> None:
    holds("meter-dies", "meter-dead-150")


def test_a_meter_that_accepts_and_never_answers_counts_as_dead(holds: Holds) -> None:
    holds("meter-hangs")


def test_a_meter_that_repeats_one_answer_counts_as_dead_within_30_s_of_a_move(holds: Holds) -> None:
    holds("meter-frozen")


def test_a_turned_current_transformer_counts_as_a_dead_meter_after_the_second_step(holds: Holds) -> None:
    holds("meter-reversed")


def test_a_meter_that_resets_its_connection_is_read_again_in_2_s_and_one_that_returns_in_10_s(
    holds: Holds,
) -> None:
    holds("meter-reset")


def test_nonsense_in_the_meters_registers_counts_as_a_dead_meter(holds: Holds) -> None:
    holds("registers-meter")


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_meter_reader_gone_is_within_the_limit_after_10_s_whatever_the_load_does(
    holds: Holds, how: str
) -> None:
    holds(f"meter-reader-{how}")
