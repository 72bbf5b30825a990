"""What a meter that answers by HTTP is made of: replies, readings, and what can go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from dynexport.mapping import Sample


class NoAnswer(Exception):
    """No usable answer: no connection, a time-out, a connection that broke. The text holds no secret."""


class Trouble(Exception):
    """A reading could not be had. `code` names the event; `pause_s` is how long to leave the device alone, None:
    as the poller does after any failure. The text says what to do and holds no secret.
    """

    def __init__(self, code: str, message: str, pause_s: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.pause_s = pause_s


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Http(Protocol):
    """One connection to one device."""

    def request(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One exchange; a redirection is not followed. Raises NoAnswer."""
        ...

    def cut(self) -> None:
        """End the exchange under way, from another thread."""
        ...

    def close(self) -> None:
        """Let the connection go."""
        ...


@dataclass(frozen=True, slots=True)
class WebReading:
    """One reading of the site, and of its battery where the device tells of one.

    Their moments are by the device's own clock, from which ours is ahead by `offset_s`. An age below `tells_s` it
    cannot tell from none.
    """

    site: Sample
    islanded: bool | None = None
    battery: Sample | None = None
    offset_s: float = 0.0
    tells_s: float = 0.0


class Device(Protocol):
    """A meter behind HTTP. `read` is called from one thread, `cut` from another."""

    def read(self) -> WebReading:
        """One reading; blocks for some seconds at most. Raises Trouble."""
        ...

    def cut(self) -> None:
        """End the exchange under way."""
        ...

    def close(self) -> None:
        """Let the connection go."""
        ...
