"""Inverters that break, sleep, or obey somebody else as well: control.md's second table on a real stack."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytestmark = pytest.mark.integration
Holds = Callable[..., None]


def test_an_inverter_that_resets_its_connection_is_driven_again_in_2_s_and_one_that_returns_in_10_s(
    holds: Holds,
) -> None:
    holds("inverter-reset")


def test_nonsense_in_an_inverters_registers_leaves_the_other_one_to_keep_the_limit(holds: Holds) -> None:
    holds("registers-inverter")


def test_a_looser_limit_of_a_second_master_is_overwritten_in_2_s(holds: Holds) -> None:
    holds("second-master")


def test_one_inverter_of_three_silent_leaves_the_others_obeying_and_returns_within_its_share(
    holds: Holds,
) -> None:
    holds("inverter-silent")


def test_two_inverters_through_dusk_night_and_dawn_stay_within_the_limit(holds: Holds) -> None:
    holds("night-two-inverters")
