"""A site of three phases, end to end: separate processes, a real broker, real Modbus sockets."""

from __future__ import annotations

import pytest
from bench.stack import CLOCK, CONTROL, Stack, stack

from dynexport.messages import Active

pytestmark = pytest.mark.integration

LIMIT_W = 1200.0
MARGIN_W = 50.0


def exports(site: Stack, seconds: float) -> list[tuple[float, ...]]:
    """What each phase truly exports in the next seconds, watts."""
    start = CLOCK.mono()
    site.wait(seconds)
    return [sample.phases_w for sample in site.record.since(start)]


def reason(site: Stack) -> str:
    """The newest reason in `active`."""
    heard = [received.message for received in site.heard]
    return [message.reason for message in heard if isinstance(message, Active)][-1]


def test_a_load_that_drops_on_one_phase_is_answered_by_the_inverter_on_it() -> None:
    shape = {"export_limit_w": 10_000.0, "phase_limit_w": LIMIT_W, "load_w": 4500.0}
    with stack(count=3, feeds="abc", **shape) as site:
        site.start(CONTROL)
        site.wait(18.0)
        for each in zip(*exports(site, 2.0), strict=True):
            assert LIMIT_W - 100.0 < sum(each) / len(each) <= LIMIT_W + 30.0
        site.simulate("load_w", 200.0, "b")
        site.wait(7.5)
        after = exports(site, 3.0)
        assert max(max(phases_w) for phases_w in after) <= LIMIT_W + MARGIN_W
        assert min(phases_w[0] for phases_w in after) > LIMIT_W - 100.0, "the other phases go on"
        assert "may export at most 1200 W by your connection agreement" in reason(site)
