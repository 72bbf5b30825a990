"""What was heard of one program on a broker: the only input of a rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from pydantic import ValidationError

from dynexport.messages import Message
from dynexport.topics import Topic

M = TypeVar("M", bound=Message)


class Role(StrEnum):
    """Whose place a program takes."""

    READER = "reader"
    LIMIT_SOURCE = "limit-source"
    WRITER = "writer"
    ENGINE = "engine"


@dataclass(frozen=True, slots=True)
class Subject:
    """The program that is judged: `name` is its source or its inverter, `service` whose availability it keeps."""

    role: Role
    name: str = ""
    service: str | None = None
    period_s: float = 1.0
    obligation: bool = True
    location: str | None = None

    def path(self, topic: Topic) -> str:
        """The topic's name below the root, the subject's own name in it."""
        return topic.name.replace("+", self.name, 1)

    def owns(self, topic: Topic, path: str) -> bool:
        """Whether a topic below the root is the subject's own; the name `+` stands for every one."""
        return path == self.path(topic) or (self.name == "+" and topic.match("", f"/{path}") is not None)


@dataclass(frozen=True, slots=True)
class Heard:
    """One message: `topic` below the root, `mono` and `wall` the receiver's clocks, `stored` a stored copy."""

    topic: str
    payload: bytes
    qos: int
    stored: bool
    mono: float
    wall: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """What we, as the engine, asked a writer from `began` to `ended`; `standing_w` held before."""

    probe: str
    began: float
    ended: float
    target_w: float
    standing_w: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """Everything heard from `began` to `ended` (monotonic), and what the broker holds stored.

    `kept` while the program runs, `left` after it was stopped; without a stop the two are one.
    """

    subject: Subject
    began: float
    ended: float
    heard: tuple[Heard, ...]
    kept: Mapping[str, bytes] = field(default_factory=dict)
    left: Mapping[str, bytes] = field(default_factory=dict)
    asked: tuple[Asked, ...] = ()
    stop_asked: float | None = None

    @property
    def until(self) -> float:
        """The end of the time in which the program was meant to run."""
        return self.ended if self.stop_asked is None else self.stop_asked

    def live(self, topic: Topic) -> list[Heard]:
        """The live messages on the subject's topic, oldest first."""
        return [heard for heard in self.heard if not heard.stored and self.subject.owns(topic, heard.topic)]

    def running(self, topic: Topic) -> list[Heard]:
        """Those of the time in which the program was meant to run."""
        return [heard for heard in self.live(topic) if heard.mono <= self.until]

    def said(self, topic: Topic, model: type[M]) -> list[tuple[Heard, M]]:
        """The live messages that can be read, each with its meaning."""
        pairs = [(heard, decoded(model, heard.payload)) for heard in self.live(topic)]
        return [(heard, message) for heard, message in pairs if message is not None]

    def stored_at_start(self, topic: Topic) -> bytes | None:
        """The stored copy that the broker had for us when we came."""
        found = [heard for heard in self.heard if heard.stored and self.subject.owns(topic, heard.topic)]
        return found[0].payload if found else None

    def stored(self, topic: Topic) -> bytes | None:
        """The stored copy that the broker has for whoever comes while the program runs."""
        return self._first(topic, self.kept)

    def stored_after(self, topic: Topic) -> bytes | None:
        """The one that it has after all."""
        return self._first(topic, self.left)

    def _first(self, topic: Topic, copies: Mapping[str, bytes]) -> bytes | None:
        found = [payload for path, payload in copies.items() if self.subject.owns(topic, path)]
        return found[0] if found else None

    def probe(self, name: str) -> Asked | None:
        """What was asked under that name."""
        return next((asked for asked in self.asked if asked.probe == name), None)


def decoded(model: type[M], payload: bytes) -> M | None:
    """The message, or None when the model refuses it."""
    try:
        return model.model_validate_json(payload)
    except ValidationError:
        return None
