"""Keeps what a program says on a broker, for `conform`."""

from __future__ import annotations

from collections.abc import Iterable

from dynexport.bus import LONGEST_QUEUE, MqttBus
from dynexport.cli.connect import CLOCK
from dynexport.conform.transcript import Heard
from dynexport.ports import Overheard

STORED_WITHIN_S = 1.0


class Ear:
    """Everything that comes on some topics, as it came: the first 10,000 messages."""

    def __init__(self, bus: MqttBus, names: Iterable[str]) -> None:
        self.heard: list[Heard] = []
        self._copies: list[Heard] | None = None
        self._bus = bus
        self._names = tuple(names)
        self._listen()

    def stored(self) -> dict[str, bytes]:
        """What the broker holds stored now: it sends every copy again to who subscribes again."""
        self._copies = []
        self._listen()
        CLOCK.sleep(STORED_WITHIN_S)
        copies, self._copies = self._copies, None
        return {heard.topic: heard.payload for heard in copies}

    def _listen(self) -> None:
        for name in self._names:
            self._bus.overhear(f"{self._bus.root}/{name}", self._hear)

    def _hear(self, message: Overheard) -> None:
        """On the network's thread."""
        topic = message.path.removeprefix(f"{self._bus.root}/")
        heard = Heard(topic, message.payload, message.qos, message.stored, message.mono, message.wall)
        copies = self._copies
        if message.stored and copies is not None:
            copies.append(heard)
        elif len(self.heard) < LONGEST_QUEUE:
            self.heard.append(heard)
