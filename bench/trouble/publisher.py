"""A limit source of a few lines, to be killed: `python -m bench.trouble.publisher HOST PORT ROOT SOURCE WATTS TTL`."""

from __future__ import annotations

import sys

from dynexport import topics
from dynexport.bus import MqttBus
from dynexport.clock import SystemClock
from dynexport.messages import Limit
from dynexport.settings.models import MqttSection

EVERY_S = 1.0


def main(host: str, port: str, root: str, source: str, export_limit_w: str, ttl_s: str) -> None:
    """Say the same limit every second, for ever."""
    clock = SystemClock()
    bus = MqttBus(MqttSection(host=host, port=int(port), root=root), f"{root}-{source}", clock=clock)
    bus.start()
    while True:
        limit = Limit(issued_at=clock.now(), export_limit_w=float(export_limit_w), ttl_s=float(ttl_s))
        bus.publish(topics.LIMIT, limit, source)
        clock.sleep(EVERY_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
