"""The only module that knows what time it is: everything else is told."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Wall time for stamps, monotonic time for ages; the two are never mixed."""

    def now(self) -> datetime:
        """Wall time, UTC, aware."""
        ...

    def mono(self) -> float:
        """Seconds that never jump; only differences mean anything."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; a fake clock returns at once and moves on."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Wall time, UTC, aware."""
        return datetime.now(UTC)

    def mono(self) -> float:
        """CLOCK_MONOTONIC, seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait at least `seconds`."""
        time.sleep(max(0.0, seconds))


class FakeClock:
    """A clock that a test moves: `advance` moves both clocks, `step_wall` only the wall."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 15, 2, 0, tzinfo=UTC)
        self._mono = 1000.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Wall time, UTC, aware."""
        return self._now

    def mono(self) -> float:
        """Seconds since an arbitrary start."""
        return self._mono

    def sleep(self, seconds: float) -> None:
        """Return at once, `seconds` later."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on both clocks."""
        with self._lock:
            self._mono += seconds
            self._now += timedelta(seconds=seconds)

    def step_wall(self, seconds: float) -> None:
        """Make the wall clock jump, as NTP or an owner does."""
        self._now += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Fresh(Generic[T]):
    """A value and the monotonic moment it was true; unknown once it is too old."""

    value: T
    mono: float

    def age(self, mono: float) -> float:
        """Seconds since the value was true."""
        return mono - self.mono

    def get(self, max_age_s: float, mono: float) -> T | None:
        """The value while it is at most `max_age_s` old, else None (unknown)."""
        return self.value if self.age(mono) <= max_age_s else None


def rfc3339(moment: datetime) -> str:
    """UTC with milliseconds, as the contract writes times: `2026-01-15T02:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
