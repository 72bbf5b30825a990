"""A site whose inverter is limited through SunSpec 704: a writer that thaws takes over from the inverter's timer."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from bench.processes import tree
from bench.stack import CLOCK, CONTROL, Stack, stack

pytestmark = pytest.mark.integration

EXPORT_LIMIT_W, FAILSAFE_W, LOAD_W = 5000.0, 1500.0, 3000.0
REVERT_S, MARGIN_W, NEAR_W = 25.0, 60.0, 300.0


@pytest.fixture
def der() -> Iterator[Stack]:
    """A running site of one 10 kW inverter with the newer models, settled at its export limit of 5 kW."""
    with stack(export_limit_w=EXPORT_LIMIT_W, load_w=LOAD_W, map="der") as running:
        running.start(CONTROL)
        running.wait(15.0)
        yield running


def exports(site: Stack, seconds: float) -> list[float]:
    """The true exports of the next seconds, watts."""
    start = CLOCK.mono()
    site.wait(seconds)
    return [sample.export_w for sample in site.record.since(start)]


def test_inverter_writer_frozen_with_its_parent_is_held_by_the_timer_of_704_and_goes_on_when_it_thaws(
    der: Stack,
) -> None:
    family = tree([der.processes["inverter_writer"].pid])
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    der.wait(REVERT_S + 5.0)  # the timer, and five times the inverter's lag
    der.simulate("load_w", 0.0)
    der.wait(2.0)
    assert max(exports(der, 3.0)) <= FAILSAFE_W + MARGIN_W
    der.simulate("load_w", LOAD_W)
    for pid in family:
        os.kill(pid, signal.SIGCONT)
    der.wait(20.0)
    back = exports(der, 4.0)
    assert EXPORT_LIMIT_W - NEAR_W < min(back) <= max(back) <= EXPORT_LIMIT_W + MARGIN_W
