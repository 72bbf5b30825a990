"""A short history of one measured power: interpolated between samples, bounded over a window."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

HORIZON_S = 20.0
EXTRAPOLATE_S = 1.0


@dataclass(slots=True)
class Series:
    """(seconds, watts) samples in order of time, `HORIZON_S` of them."""

    samples: deque[tuple[float, float]] = field(default_factory=deque)

    def add(self, moment: float, value_w: float) -> None:
        """Append a sample; one that is not newer than the last is ignored."""
        if self.samples and moment <= self.samples[-1][0]:
            return
        self.samples.append((moment, value_w))
        while len(self.samples) > 2 and self.samples[1][0] < moment - HORIZON_S:
            self.samples.popleft()

    @property
    def newest(self) -> float:
        """The moment of the last sample; minus infinity without one."""
        return self.samples[-1][0] if self.samples else float("-inf")

    def bounds(self, start: float, end: float) -> tuple[float, float]:
        """The least and the most over [start, end], watts; beyond the last sample its slope goes on.

        Raises ValueError without samples.
        """
        if not self.samples:
            raise ValueError("no samples")
        later: tuple[float, float] | None = None
        low = high = self._beyond(end) if end >= self.newest else None
        for moment, value in reversed(self.samples):
            if moment <= end:
                if later is not None and later[0] > end:
                    low, high = _widen(low, high, _between((moment, value), later, end))
                if moment <= start:
                    if later is not None:
                        value = _between((moment, value), later, max(start, moment))
                    elif start > moment:
                        value = self._beyond(start)
                    return _widen(low, high, value)
                low, high = _widen(low, high, value)
            later = (moment, value)
        return _widen(low, high, self.samples[0][1])

    def slope(self, span_s: float) -> float:
        """The mean rate over the last `span_s`, watts a second; 0 while there is too little."""
        if len(self.samples) < 2:
            return 0.0
        end, value = self.samples[-1]
        for moment, earlier in reversed(self.samples):
            if moment <= end - span_s:
                return (value - earlier) / (end - moment)
        moment, earlier = self.samples[0]
        return (value - earlier) / (end - moment)

    def at(self, moment: float) -> float:
        """The interpolated value; raises ValueError without samples."""
        return self.bounds(moment, moment)[0]

    def _beyond(self, moment: float) -> float:
        end, value = self.samples[-1]
        if len(self.samples) < 2:
            return value
        before, earlier = self.samples[-2]
        ahead = min(moment - end, EXTRAPOLATE_S)
        return value + (value - earlier) / max(end - before, 0.05) * ahead


def _between(left: tuple[float, float], right: tuple[float, float], moment: float) -> float:
    share = (moment - left[0]) / (right[0] - left[0])
    return left[1] + share * (right[1] - left[1])


def _widen(low: float | None, high: float | None, value: float) -> tuple[float, float]:
    if low is None or high is None:
        return value, value
    return min(low, value), max(high, value)
