"""Down in one step, up ramped."""

from __future__ import annotations

from dataclasses import dataclass

BUCKET_S = 1.0


@dataclass(slots=True)
class Ramp:
    """A level that falls at once and rises at `rate_w_per_s`; up to a second's worth is saved while it rests.

    The saved second matters because a raise is written to an inverter at most once a second.
    """

    level_w: float
    rate_w_per_s: float
    _saved_s: float = 0.0
    _mono: float | None = None

    def follow(self, wanted_w: float, mono: float, *, may_rise: bool = True) -> float:
        """Move towards `wanted_w`; returns the new level, watts."""
        elapsed_s = 0.0 if self._mono is None else max(0.0, mono - self._mono)
        self._mono = mono
        self._saved_s = min(BUCKET_S, self._saved_s + elapsed_s)
        if wanted_w <= self.level_w:
            self.level_w = wanted_w
        elif may_rise:
            step_w = min(wanted_w - self.level_w, self._saved_s * self.rate_w_per_s)
            self._saved_s -= step_w / self.rate_w_per_s
            self.level_w += step_w
        return self.level_w
