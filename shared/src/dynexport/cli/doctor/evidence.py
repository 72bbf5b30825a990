"""What was heard on the bus for a few seconds, sorted for the checks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from dynexport import messages as m
from dynexport import topics
from dynexport.cli.hearing import Heard
from dynexport.cli.snapshot import Snapshot
from dynexport.inbox import Rejected
from dynexport.ports import Received


@dataclass(frozen=True, slots=True)
class Evidence:
    """The newest of everything; readings are live, the rest may be stored. `now` and `mono` are its end."""

    now: datetime
    mono: float
    snapshot: Snapshot
    limits: Mapping[str, tuple[m.Limit, bool]] = field(default_factory=dict)
    offsets_s: Mapping[str, float] = field(default_factory=dict)
    dropped: tuple[Rejected, ...] = ()
    csip: m.CsipStatus | None = None

    def age_s(self, message: m.Message) -> float:
        """How long ago it was said, by its own stamp."""
        return (self.now - message.issued_at).total_seconds()


def evidence(heard: Heard, now: datetime, mono: float) -> Evidence:
    """Sort what was heard."""
    received = [message for message in heard.messages if isinstance(message, Received)]
    snapshot = Snapshot()
    snapshot.take(received)
    limits = {
        one.id: (one.message, one.retained)
        for one in received
        if one.topic is topics.LIMIT and isinstance(one.message, m.Limit)
    }
    said = [one.message for one in received if isinstance(one.message, m.CsipStatus)]
    offsets = _offsets(received, now, mono)
    return Evidence(now, mono, snapshot, limits, offsets, tuple(heard.dropped), said[-1] if said else None)


def _offsets(received: list[Received], now: datetime, mono: float) -> dict[str, float]:
    """By topic: how much later than its stamp a live message came, seconds; negative for a clock that is ahead."""
    found: dict[str, list[float]] = {}
    for one in received:
        if one.retained or not isinstance(one.message, m.Message) or one.message.issued_at is None:
            continue
        came = now - timedelta(seconds=mono - one.mono)
        name = one.topic.path("", *one.ids).removeprefix("/")
        found.setdefault(name, []).append((came - one.message.issued_at).total_seconds())
    return {name: median(offsets) for name, offsets in found.items()}
