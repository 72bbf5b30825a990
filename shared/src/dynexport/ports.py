"""What a service sees of the outside: the broker as a mailbox. `bus.MqttBus` and `testing.FakeBus` fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from dynexport.messages import Message
from dynexport.topics import Topic


@dataclass(frozen=True, slots=True)
class Received:
    """One message as it came in: a plain word where the table has no model, None for an empty payload."""

    topic: Topic
    ids: tuple[str, ...]
    message: Message | str | None
    retained: bool
    mono: float

    @property
    def id(self) -> str:
        """The first id in the topic's name, or an empty string."""
        return self.ids[0] if self.ids else ""


@dataclass(frozen=True, slots=True)
class RawReceived:
    """A message of a foreign topic (an MQTT meter's): the bytes as they are."""

    path: str
    payload: bytes
    retained: bool
    mono: float


@dataclass(frozen=True, slots=True)
class Overheard:
    """A message as the broker gave it, for who judges others: unchecked, at the QoS it was sent with.

    `stored` marks a stored (retained) copy; a live message is never marked.
    """

    path: str
    payload: bytes
    qos: int
    stored: bool
    mono: float
    wall: datetime


@dataclass(slots=True)
class BusCounters:
    """What the bus had to drop, and how often it had to reconnect; cumulative."""

    rejected: int = 0
    reconnects: int = 0
    unknown_topics: int = 0
    dropped_events: int = 0
    callback_errors: int = 0
    clock_offset_s: float | None = None
    reasons: dict[str, int] = field(default_factory=dict)


class Bus(Protocol):
    """The broker, for one service. All but `wake` are called from the service's own thread."""

    counters: BusCounters

    @property
    def connected(self) -> bool:
        """Whether the broker took us in and nothing has told otherwise since."""
        ...

    @property
    def connection(self) -> int:
        """How many times we have connected; a change means: publish the state afresh."""
        ...

    def publish(self, topic: Topic, message: Message | str | None, *ids: str) -> bool:
        """Send now; False when offline, where all but events is dropped. None sends an empty payload."""
        ...

    def publish_raw(self, path: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bool:
        """Send bytes on a foreign topic."""
        ...

    def subscribe(self, topic: Topic) -> None:
        """Receive a row of the table, now and after every reconnect."""
        ...

    def subscribe_raw(self, path: str) -> None:
        """Receive a foreign topic or filter, now and after every reconnect."""
        ...

    def drain(self) -> list[Received | RawReceived]:
        """Everything received since the last call, in order of arrival, checked; never blocks."""
        ...

    def wait(self, timeout_s: float) -> None:
        """Return when something is there to drain, when woken, or after `timeout_s`."""
        ...

    def wake(self) -> None:
        """End a `wait` from any thread."""
        ...
