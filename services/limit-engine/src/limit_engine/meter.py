"""The meter's readings as samples: when a value was really taken, and whether a reading tells anything new."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

WORST_REFRESH_S = 1.0
LONGEST_REFRESH_S = 2.0


@dataclass(frozen=True, slots=True)
class MeterSample:
    """A value and the window of read moments in which the meter must have taken it (latency not counted).

    `phases_w` is the same by phase, empty where the meter does not say it.
    """

    power_w: float
    earliest: float
    latest: float
    phases_w: tuple[float, ...] = ()


@dataclass(slots=True)
class MeterStream:
    """Readings in, samples out; learns how often the meter refreshes."""

    newest: float = float("-inf")
    _value_w: float | None = None
    _phases_w: tuple[float, ...] = ()
    _changed: float = float("-inf")
    _intervals: deque[float] = field(default_factory=lambda: deque(maxlen=15))

    @property
    def refresh_s(self) -> float:
        """The usual time between two changes of the value, seconds."""
        if len(self._intervals) < 5:
            return WORST_REFRESH_S
        return min(LONGEST_REFRESH_S, sorted(self._intervals)[len(self._intervals) // 2])

    def read(self, moment: float, power_w: float, phases_w: tuple[float, ...] = ()) -> MeterSample | None:
        """Take in a reading; None when it only repeats the sample before."""
        before, self.newest = self.newest, max(self.newest, moment)
        if self._value_w is None:
            self._take(moment, power_w, phases_w)
            return MeterSample(power_w, moment - WORST_REFRESH_S, moment, phases_w)
        since_s = moment - self._changed
        if power_w == self._value_w and (phases_w == self._phases_w or not (phases_w and self._phases_w)):
            if since_s < 1.5 * self.refresh_s:
                return None
            self._take(moment, power_w, phases_w)
            return MeterSample(power_w, moment - self.refresh_s, moment, phases_w)
        self._intervals.append(since_s)
        self._take(moment, power_w, phases_w)
        return MeterSample(power_w, max(before, moment - LONGEST_REFRESH_S), moment, phases_w)

    def _take(self, moment: float, power_w: float, phases_w: tuple[float, ...]) -> None:
        self._value_w, self._phases_w, self._changed = power_w, phases_w, moment
