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
        values = [self._beyond(end)] if end >= self.newest else []
        later: tuple[float, float] | None = None
        for sample in reversed(self.samples):
            if sample[0] <= end:
                if later is not None and later[0] > end:
                    values.append(_between(sample, later, end))
                if sample[0] <= start:
                    values.append(self._beyond(start) if later is None else _between(sample, later, start))
                    return min(values), max(values)
                values.append(sample[1])
            later = sample
        values.append(self.samples[0][1])
        return min(values), max(values)

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
