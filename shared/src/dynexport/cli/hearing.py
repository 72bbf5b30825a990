"""Listening for a while without ending the program: what was heard, or why nothing could be."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from dynexport.bus import MqttBus
from dynexport.clock import Clock
from dynexport.inbox import Rejected
from dynexport.ports import RawReceived, Received
from dynexport.settings.models import MqttSection
from dynexport.topics import Topic

CONNECTS_WITHIN_S = 5.0
STORED_WITHIN_S = 1.0
POLL_S = 0.1


class NoBroker(Exception):
    """The broker cannot be used; `refused` when it is there and does not take our login."""

    def __init__(self, text: str, *, refused: bool) -> None:
        super().__init__(text)
        self.refused = refused


@dataclass(slots=True)
class Heard:
    """Messages in their order, and those that were dropped."""

    messages: list[Received | RawReceived] = field(default_factory=list)
    dropped: list[Rejected] = field(default_factory=list)


@contextmanager
def on_the_bus(
    mqtt: MqttSection,
    clock: Clock,
    subscribe: Sequence[Topic] = (),
    raw: Sequence[str] = (),
    within_s: float = CONNECTS_WITHIN_S,
) -> Iterator[MqttBus]:
    """A connected bus; raises NoBroker."""
    bus = MqttBus(mqtt, f"{mqtt.root}-cli-{os.getpid()}", clock=clock)
    for topic in subscribe:
        bus.subscribe(topic)
    for path in raw:
        bus.subscribe_raw(path)
    bus.start()
    try:
        end = clock.mono() + within_s
        while not bus.connected and clock.mono() < end and not bus.problems:
            bus.wait(POLL_S)
        if not bus.connected:
            refused = bus.problems[0].detail if bus.problems else ""
            why = refused or f"no answer within {within_s:g} s"
            raise NoBroker(f"no broker at {mqtt.host}:{mqtt.port} ({why})", refused=bool(refused))
        yield bus
    finally:
        bus.stop()


def listen(
    bus: MqttBus, clock: Clock, seconds: float, heard: Heard, enough: Callable[[], bool] = lambda: False
) -> Heard:
    """Collect for so long, or until it is enough."""
    end = clock.mono() + seconds
    while clock.mono() < end and not enough():
        bus.wait(min(POLL_S, max(0.0, end - clock.mono())))
        heard.messages += bus.drain()
        while bus.problems:
            heard.dropped.append(bus.problems.popleft())
    return heard


def stored(
    mqtt: MqttSection, clock: Clock, *subscribe: Topic, within_s: float = CONNECTS_WITHIN_S
) -> list[Received]:
    """What stands on some topics; raises NoBroker."""
    with on_the_bus(mqtt, clock, subscribe, within_s=within_s) as bus:
        messages = listen(bus, clock, STORED_WITHIN_S, Heard()).messages
    return [received for received in messages if isinstance(received, Received)]
