"""Our own processes and the broker, killed and frozen: control.md's second table on a real stack."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytestmark = pytest.mark.integration
Holds = Callable[..., None]
each_way = pytest.mark.parametrize("how", ["killed", "frozen"])


@each_way
def test_limit_engine_gone_is_at_the_failsafe_within_30_s_until_it_is_back(holds: Holds, how: str) -> None:
    holds(f"limit-engine-{how}")


@each_way
def test_inverter_writers_working_process_gone_is_restarted_by_its_parent(holds: Holds, how: str) -> None:
    holds(f"writer-{how}")


def test_inverter_writer_gone_with_its_parent_holds_the_last_value_on_model_123(holds: Holds) -> None:
    holds("writer-gone-123")


def test_inverter_writer_gone_with_its_parent_reverts_to_our_value_on_model_704(holds: Holds) -> None:
    holds("writer-gone-704")


@each_way
def test_broker_gone_is_at_the_failsafe_within_30_s_and_recovers_by_itself(holds: Holds, how: str) -> None:
    holds(f"broker-{how}")


def test_a_broker_that_is_not_there_at_start_means_failsafe_and_recovery_by_itself(holds: Holds) -> None:
    holds("broker-absent")


def test_a_second_engine_stays_mute_and_takes_over_when_the_first_is_killed(holds: Holds) -> None:
    holds("second-engine")


def test_after_a_power_cut_of_the_whole_stack_export_is_within_the_limit_15_s_after_the_start(
    holds: Holds,
) -> None:
    holds("power-cut")
