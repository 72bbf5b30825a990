"""The demo's site, and what happens on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from dynexport import topics
from dynexport.broker import RunningBroker, free_port
from dynexport.cli.connect import CLOCK
from dynexport.messages import Limit, Request
from dynexport.ports import Bus
from dynexport.settings.models import Site

STEP_S = 15.0


@dataclass(frozen=True, slots=True)
class Step:
    """Words, and what is done: a manual limit or a utility's control that lasts so long, a load; watts, seconds."""

    words: str
    limit_w: float | None = None
    utility_w: float | None = None
    lasts_s: float = 0.0
    load_w: float | None = None


STEPS = (
    Step("the owner limits export to 1500 W (limit/manual)", limit_w=1500.0, lasts_s=60.0),
    Step("the house uses 4 kW more: the inverter may make more", load_w=4800.0),
    Step("the kettle and the oven go off: the inverter has to come down within seconds", load_w=800.0),
    Step("no export at all: say that the price is negative", limit_w=0.0, lasts_s=STEP_S),
    Step("the limit has run out: back to the agreement's 5000 W, by the ramp"),
    Step(
        "the utility server orders 2000 W for 20 s: csip-client has it with its next poll, within 5 s (limit/csip)",
        utility_w=2000.0,
        lasts_s=20.0,
    ),
    Step(
        "the utility's control is about to end: csip-client answers completed, and its default of 5000 W counts again"
    ),
)


@dataclass(slots=True)
class Script:
    """What the demo does on this bus, step by step; `note` says it in words, no `steps` does nothing."""

    bus: Bus
    steps: Sequence[Step]
    note: str = "the services start; nothing limits but the agreement: 5000 W"
    _number: int = 0
    _next: float = field(default_factory=lambda: CLOCK.mono() + 12.0)

    def play(self) -> None:
        """Do the next step when its time has come."""
        if not self.steps or CLOCK.mono() < self._next:
            return
        step = self.steps[self._number % len(self.steps)]
        self._number += 1
        self._next = CLOCK.mono() + STEP_S
        self.note = step.words
        now = CLOCK.now()
        if step.load_w is not None:
            load = Request(issued_at=now, fault="load_w", value=step.load_w)
            self.bus.publish(topics.REQUEST, load, "site-simulator", "fault")
        if step.limit_w is not None:
            until = now + timedelta(seconds=step.lasts_s)
            limit = Limit(issued_at=now, export_limit_w=step.limit_w, ttl_s=step.lasts_s, until=until)
            self.bus.publish(topics.LIMIT, limit, "manual")
        if step.utility_w is not None:
            order = Request(
                issued_at=now, fault="control", id="export", value=step.utility_w, for_s=step.lasts_s
            )
            self.bus.publish(topics.REQUEST, order, "utility-simulator", "do")


def script(site: Site, bus: Bus, *, steps: bool) -> Script:
    """The steps that this simulated site can play; none when they are not wanted."""
    there = [step for step in STEPS if step.utility_w is None or site.utility_simulator is not None]
    return Script(bus, there if steps else [])


def demo_site(broker: RunningBroker, root: str) -> dict[str, Any]:
    """A simulated roof of 10 kW under a 5 kW agreement, at noon, with a utility server; `utility` holds its keys."""
    utility = free_port()
    return {
        "site": {"name": "Demo", "time_zone": "Australia/Adelaide", "clock": "trusted"},
        "mqtt": {"host": broker.host, "port": broker.port, "root": root},
        "agreement": {"export_limit_w": 5000, "failsafe_export_limit_w": 1500},
        "meter": {
            "driver": "sunspec",
            "tcp": {"host": "127.0.0.1", "port": free_port()},
            "unit": 240,
            "poll_s": 0.2,
        },
        "inverters": [
            {
                "id": "roof",
                "driver": "sunspec",
                "tcp": {"host": "127.0.0.1", "port": free_port()},
                "unit": 1,
                "rated_w": 10000,
                "poll_s": 0.2,
            }
        ],
        "sources": {
            "manual": {"kind": "preference"},
            "tariff": {"kind": "preference"},
            "csip": {"kind": "obligation", "fallback": {"export_limit_w": 1500}},
        },
        "csip": {
            "server": f"https://localhost:{utility}",
            "version": "1.2",
            "cert": "utility/client.pem",
            "key": "utility/client.key",
            "ca": "utility/ca.pem",
            "pen": 28547,
        },
        "utility_simulator": {"port": utility},
        "control": {"enabled": True},
        # The simulated evening's tariff never limits: it shows that the service is there.
        "tariff": {
            "windows": [{"name": "Two-way tariff", "start": "00:00", "end": "00:00", "export_limit_w": 10000}]
        },
        "simulator": {"sun": "script", "available_pct": 95, "load_w": 800},
    }
