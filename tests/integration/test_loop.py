"""The main job, end to end: separate processes, a real broker, real Modbus sockets."""

from __future__ import annotations

import pytest
from bench.stack import CLOCK, CONTROL, Stack, stack
from bench.trouble.case import LIMIT_W, Case

pytestmark = pytest.mark.integration


def exports(site: Stack, seconds: float) -> list[float]:
    """The true export of the next seconds, watts."""
    start = CLOCK.mono()
    site.wait(seconds)
    return [sample.export_w for sample in site.record.since(start)]


def test_export_is_kept_at_the_limit_and_falls_below_a_lower_one_within_seconds(site: Stack) -> None:
    settled = exports(site, 3.0)
    assert 4900 < sum(settled) / len(settled) < 5030
    site.limit(1500.0)
    site.wait(7.0)
    assert max(exports(site, 3.0)) < 1550


def test_a_load_that_drops_does_not_raise_export_for_long(site: Stack) -> None:
    site.simulate("load_w", 500.0)
    site.wait(8.0)
    assert max(exports(site, 3.0)) < 5050


def test_a_limit_taken_back_lets_export_rise_again(site: Stack) -> None:
    site.limit(0.0, for_s=3.0)
    site.wait(3.0)
    assert min(exports(site, 2.0)) < 1000
    site.wait(10.0)
    assert min(exports(site, 2.0)) > 4800


def test_a_meter_behind_the_inverters_endpoint_is_read_by_the_writer() -> None:
    with stack(export_limit_w=LIMIT_W, load_w=3000.0, meter_behind=True) as site:
        site.start(CONTROL)
        Case(site, LIMIT_W, brief=True).settle()
        settled = exports(site, 3.0)
        assert 4900 < sum(settled) / len(settled) < 5030
        site.limit(1500.0)
        site.wait(7.0)
        assert max(exports(site, 3.0)) < 1550
