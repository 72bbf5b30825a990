"""Limit sources that fall silent, and bad messages: control.md's second table on a real stack."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from bench.stack import Stack
from bench.trouble.case import BAND_W, LIMIT_W, Case
from bench.trouble.services import hit

pytestmark = pytest.mark.integration
Holds = Callable[..., None]
each_way = pytest.mark.parametrize("how", ["killed", "frozen"])


@each_way
def test_an_obligation_whose_source_is_gone_becomes_its_fallback_at_its_deadline(
    holds: Holds, how: str
) -> None:
    holds(f"obligation-{how}")


@each_way
def test_a_preference_whose_source_is_gone_is_ignored_at_its_deadline(holds: Holds, how: str) -> None:
    holds(f"preference-{how}")


def test_an_obligation_silent_at_start_is_failsafe_and_then_its_fallback_in_closed_loop(holds: Holds) -> None:
    holds("obligation-silent-at-start")


def test_bad_payloads_on_every_topic_are_counted_and_change_nothing(holds: Holds) -> None:
    holds("messages")


@each_way
def test_tariff_limits_gone_leaves_the_agreement_in_force(site: Stack, how: str) -> None:
    case = Case(site, LIMIT_W, brief=True)
    moment = hit(case, "tariff_limits", how)
    site.wait(15.0)
    assert case.over_s(moment, LIMIT_W + BAND_W) == 0.0
    if how == "frozen":
        site.processes["tariff_limits"].send_signal(signal.SIGCONT)
