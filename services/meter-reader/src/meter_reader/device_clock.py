"""How far a device's clock is from ours, from the times that its answers carry, which are whole seconds. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

ANSWERS = 30
RESOLUTION_S = 1.0
TOO_SMALL_TO_TELL_S = 1.5


@dataclass(slots=True)
class DeviceClock:
    """Learns the offset so that it errs to the old side: a reading never looks younger than it is by more than what
    whole seconds hide. A step of the device's clock is followed at once where it makes readings younger, after
    30 answers where it makes them older.
    """

    _least_s: deque[float] = field(default_factory=lambda: deque(maxlen=ANSWERS))

    def heard(self, asked: datetime, said: datetime) -> None:
        """The device said `said` (cut to the second) in an answer to what was asked at `asked`."""
        self._least_s.append((asked - said).total_seconds() - RESOLUTION_S)

    @property
    def offset_s(self) -> float:
        """Ours less the device's, seconds; 0 for a difference that whole seconds cannot tell from none."""
        if not self._least_s:
            return 0.0
        least_s = max(self._least_s)
        return 0.0 if abs(least_s + RESOLUTION_S / 2) < TOO_SMALL_TO_TELL_S else least_s


def http_date(text: str) -> datetime | None:
    """A `Date` header; None when it is none."""
    try:
        found = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None
