"""A service's context without a broker."""

from __future__ import annotations

from dynexport import topics
from dynexport.clock import Clock
from dynexport.messages import Event
from dynexport.service import Context
from dynexport.settings.models import Site
from dynexport.testing.fakebus import FakeBus


def fake_context(name: str, site: Site, clock: Clock, *, muted: bool = False) -> tuple[Context, FakeBus]:
    """A context on a FakeBus, and that bus."""
    bus = FakeBus(clock)
    return Context(name, site, bus, clock, muted=muted), bus


def codes(bus: FakeBus, name: str) -> list[str]:
    """The codes of the events that a service has published."""
    return [event.code for event in bus.all(topics.EVENT, name) if isinstance(event, Event)]
