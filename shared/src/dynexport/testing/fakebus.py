"""A bus without a broker: what a service publishes is kept, what a test delivers is checked as the real one does."""

from __future__ import annotations

from collections import deque

from dynexport.clock import Clock
from dynexport.inbox import Rejected, check, count
from dynexport.messages import Message
from dynexport.ports import BusCounters, RawReceived, Received
from dynexport.topics import Topic

ROOT = "dynexport"


class FakeBus:
    """Implements ports.Bus."""

    def __init__(self, clock: Clock, root: str = ROOT) -> None:
        self.root = root
        self.counters = BusCounters()
        self.problems: deque[Rejected] = deque()
        self.published: list[tuple[str, Message | str | None]] = []
        self.raw_published: list[tuple[str, bytes]] = []
        self.subscribed: list[Topic] = []
        self.subscribed_raw: list[str] = []
        self.online = True
        self.connections = 1
        self.woken = 0
        self._clock = clock
        self._arrived: list[Received | RawReceived] = []

    @property
    def connected(self) -> bool:
        """Whether `online` is set."""
        return self.online

    @property
    def connection(self) -> int:
        """How many times it has connected."""
        return self.connections

    def publish(self, topic: Topic, message: Message | str | None, *ids: str) -> bool:
        """Keep it, checked against its model."""
        if not self.online:
            return False
        if isinstance(message, Message) and topic.model is not None:
            topic.model.model_validate_json(message.to_payload())
        self.published.append((topic.path(self.root, *ids).removeprefix(f"{self.root}/"), message))
        return True

    def publish_raw(self, path: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bool:
        """Keep it."""
        self.raw_published.append((path, payload))
        return self.online

    def subscribe(self, topic: Topic) -> None:
        """Remember it."""
        self.subscribed.append(topic)

    def subscribe_raw(self, path: str) -> None:
        """Remember it."""
        self.subscribed_raw.append(path)

    def drain(self) -> list[Received | RawReceived]:
        """What was delivered since."""
        arrived, self._arrived = self._arrived, []
        return arrived

    def wait(self, timeout_s: float) -> None:
        """Return at once."""

    def wake(self) -> None:
        """Count it."""
        self.woken += 1

    def deliver(
        self, topic: Topic, message: Message | bytes | None, *ids: str, retained: bool = False
    ) -> None:
        """Let a message arrive; bytes are taken as they are."""
        payload = message.to_payload() if isinstance(message, Message) else message or b""
        path = topic.path(self.root, *ids)
        found = topic.match(self.root, path) or ()
        checked = check(topic, found, path, payload, retained, self._clock.now(), self._clock.mono())
        if isinstance(checked, Rejected):
            count(self.counters, checked)
            self.problems.append(checked)
        else:
            self._arrived.append(checked)

    def deliver_raw(self, path: str, payload: bytes, *, retained: bool = False) -> None:
        """Let a foreign message arrive."""
        self._arrived.append(RawReceived(path, payload, retained, self._clock.mono()))

    def all(self, topic: Topic, *ids: str) -> list[Message | str | None]:
        """Everything published on a topic, oldest first."""
        name = topic.path(self.root, *ids).removeprefix(f"{self.root}/")
        return [message for path, message in self.published if path == name]

    def last(self, topic: Topic, *ids: str) -> Message | str | None:
        """The newest message on a topic; raises LookupError when there is none."""
        messages = self.all(topic, *ids)
        if not messages:
            raise LookupError(f"nothing was published on {topic.path(self.root, *ids)}")
        return messages[-1]
