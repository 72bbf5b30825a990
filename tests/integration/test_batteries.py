"""A battery that somebody publishes, through a real broker: read by meter-reader, counted by limit-engine."""

from __future__ import annotations

import json

import pytest
from bench.stack import CLOCK, CONTROL, Stack, stack

from dynexport.messages import Active, Mode

pytestmark = pytest.mark.integration

EXPORT_LIMIT_W, RATED_W = 5000.0, 3000.0
GARAGE = {
    "id": "garage",
    "rated_w": RATED_W,
    "topic": "victron/garage",
    "fields": {"power_w": "dc.power"},
    "invert": True,
}


def newest(site: Stack) -> Active:
    """The newest envelope."""
    heard = [received.message for received in site.heard]
    return [message for message in heard if isinstance(message, Active)][-1]


def publish(site: Stack, charging_w: float, seconds: float) -> None:
    """The battery's own program speaks twice a second; what it calls positive is charging."""
    end = CLOCK.mono() + seconds
    while CLOCK.mono() < end:
        site.bus.publish_raw("victron/garage", json.dumps({"dc": {"power": charging_w}}).encode())
        site.wait(0.5)


def test_a_published_battery_counts_in_open_loop_and_its_rating_once_it_is_silent() -> None:
    with stack(export_limit_w=EXPORT_LIMIT_W, load_w=3000.0, batteries=[GARAGE]) as site:
        site.start(CONTROL)
        publish(site, -1000.0, 12.0)
        assert newest(site).mode is Mode.NORMAL
        site.simulate("silent", None, "meter")
        publish(site, -1000.0, 12.0)
        active = newest(site)
        assert (active.mode, active.target_w) == (Mode.OPEN_LOOP, EXPORT_LIMIT_W - 1000.0)
        site.wait(11.0)
        assert newest(site).target_w == EXPORT_LIMIT_W - RATED_W
