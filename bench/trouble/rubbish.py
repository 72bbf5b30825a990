"""Malformed, empty, absurd, stored and stale payloads for every topic of the table."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dynexport import topics
from dynexport.clock import rfc3339
from dynexport.messages import Message
from dynexport.testing.examples import EXAMPLES
from dynexport.topics import TABLE, Topic

IDS: dict[Topic, tuple[str, ...]] = {
    topics.REQUEST: ("limit-engine", "pause"),
    topics.LIMIT: ("manual",),
    topics.AVAILABILITY: ("limit-engine",),
    topics.HEALTH: ("bench",),
    topics.INFO: ("bench",),
    topics.EVENT: ("bench",),
    topics.BATTERY_READING: ("none",),
}
BROKEN = (b"{", b"null", b"[1]", b"\xff\xfe\x00", b'{"v": 2}', b"7", b"x" * 70_000, b"{}")
GENEROUS_W = 50_000.0
STALE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Rubbish:
    """One bad message; `refused` tells that whoever listens must count it as dropped."""

    topic: Topic
    path: str
    payload: bytes
    retain: bool = False
    refused: bool = True


def rubbish(root: str, now: datetime, rng: random.Random) -> Iterator[Rubbish]:
    """Bad messages for every topic, in random order."""
    everything = [bad for topic in TABLE for bad in _of(topic, root, now)]
    rng.shuffle(everything)
    yield from everything


def stored(root: str, now: datetime) -> Iterator[Rubbish]:
    """Generous readings and setpoints, stored in the broker before anybody listens."""
    for topic in TABLE:
        if topic.stored is topics.Stored.IGNORED and topic is not topics.REQUEST:
            yield Rubbish(topic, _path(topic, root), _generous(topic, now), retain=True)


def _of(topic: Topic, root: str, now: datetime) -> Iterator[Rubbish]:
    path = _path(topic, root)
    if topic is not topics.LIMIT:  # there an empty payload is a word: it withdraws
        yield Rubbish(topic, path, b"", refused=False)
    if topic.model is None:
        return
    for payload in BROKEN:
        yield Rubbish(topic, path, payload)
    for value in (1e30, float("nan"), "much", [1], {"a": 1}):
        yield Rubbish(topic, path, _with_all(topic, value))
    if topic.skew_checked:
        yield Rubbish(topic, path, _generous(topic, now - STALE))
        yield Rubbish(topic, path, _generous(topic, now + STALE))


def _path(topic: Topic, root: str) -> str:
    ids = IDS.get(topic, ("i0",) * topic.ids)
    return topic.path(root, *ids[: topic.ids]) if topic.ids else topic.path(root)


def _fields(topic: Topic) -> dict[str, Any]:
    example = EXAMPLES[topic]
    assert isinstance(example, Message)
    return dict(json.loads(example.to_payload()))


def _with_all(topic: Topic, value: object) -> bytes:
    """The example with every field but the version and the stamps replaced."""
    kept = ("v", "issued_at", "measured_at")
    return json.dumps({key: old if key in kept else value for key, old in _fields(topic).items()}).encode()


def _generous(topic: Topic, at: datetime) -> bytes:
    """Valid but for its age: it would let every inverter run free."""
    fields = _fields(topic) | {"issued_at": rfc3339(at)}
    if "measured_at" in fields:
        fields["measured_at"] = rfc3339(at)
    for name in ("power_w", "target_w"):
        if name in fields:
            fields[name] = GENEROUS_W
    return json.dumps(fields).encode()
