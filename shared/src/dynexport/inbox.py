"""What a receiver checks before a message counts; the real bus and the fake one share it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from dynexport.messages import Message
from dynexport.ports import BusCounters, Received
from dynexport.topics import TABLE, Stored, Topic

LARGEST_PAYLOAD = 64 * 1024
MAX_SKEW_S = 5.0


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a message was dropped, or what the broker refused; `offset_s` for a stamp that is off."""

    path: str
    kind: str
    detail: str
    offset_s: float | None = None

    @property
    def sentence(self) -> str:
        """For people."""
        match self.kind:
            case "login_refused":
                return f"the broker refused our login: {self.detail}"
            case "write_refused":
                return f"the broker refused our message on {self.path}: its ACL does not allow it ({self.detail})"
            case "read_refused":
                return f"the broker refused our subscription to {self.path}: {self.detail}"
            case _:
                return f"a message on {self.path} was dropped: {self.detail}"


def find(root: str, path: str) -> tuple[Topic, tuple[str, ...]] | None:
    """The row of the table that `path` belongs to, with its ids; None for an unknown topic."""
    for topic in TABLE:
        ids = topic.match(root, path)
        if ids is not None:
            return topic, ids
    return None


def check(
    topic: Topic, ids: tuple[str, ...], path: str, payload: bytes, retained: bool, wall: datetime, mono: float
) -> Received | Rejected:
    """Turn bytes into a checked message; never raises."""
    if retained and topic.stored is Stored.IGNORED:
        return Rejected(path, "retained", "a stored copy is not for control")
    if not payload:
        return Received(topic, ids, None, retained, mono)
    if len(payload) > LARGEST_PAYLOAD:
        return Rejected(path, "too_large", f"{len(payload)} bytes")
    if topic.model is None:
        return Received(topic, ids, payload.decode(errors="replace"), retained, mono)
    try:
        message = topic.model.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "payload"
        return Rejected(path, "invalid", f"{where}: {first['msg']}")
    offset_s = _offset_s(topic, message, wall)
    if offset_s is not None and abs(offset_s) > MAX_SKEW_S:
        return Rejected(path, "clock_skew", f"issued_at differs by {offset_s:.1f} s", offset_s)
    return Received(topic, ids, message, retained, mono)


def _offset_s(topic: Topic, message: Message, wall: datetime) -> float | None:
    if not topic.skew_checked or message.issued_at is None:
        return None
    return (wall - message.issued_at).total_seconds()


def count(counters: BusCounters, rejected: Rejected) -> None:
    """Count a dropped message."""
    counters.rejected += 1
    counters.reasons[rejected.kind] = counters.reasons.get(rejected.kind, 0) + 1
    if rejected.offset_s is not None:
        counters.clock_offset_s = rejected.offset_s
