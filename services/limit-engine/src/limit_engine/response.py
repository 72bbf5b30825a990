"""An inverter's dead time and lag, learned from its answers to our own downward steps."""

from __future__ import annotations

import math
from dataclasses import dataclass

LONGEST_S = 15.0


@dataclass(slots=True)
class Response:
    """Dead time and first-order lag, seconds; None until the first step was answered."""

    dead_time_s: float | None = None
    tau_s: float | None = None
    _started: float | None = None
    _from_w: float = 0.0
    _to_w: float = 0.0
    _half: float | None = None

    @property
    def settles_in_s(self) -> float | None:
        """How long a step takes to be all but done: dead time and three lags."""
        if self.dead_time_s is None or self.tau_s is None:
            return None
        return min(LONGEST_S, self.dead_time_s + 3.0 * self.tau_s)

    def step(self, moment: float, from_w: float, to_w: float) -> None:
        """A command was sent that asks for another power."""
        self._started, self._from_w, self._to_w, self._half = moment, from_w, to_w, None

    def cancel(self) -> None:
        """Another command came before the answer was complete."""
        self._started = None

    def see(self, moment: float, power_w: float) -> None:
        """Take in a reading; at half and nine tenths of the way the times are taken."""
        if self._started is None or moment <= self._started:
            return
        if moment - self._started > LONGEST_S:
            self._started = None
            return
        done = (power_w - self._from_w) / (self._to_w - self._from_w)
        if self._half is None and done >= 0.5:
            self._half = moment
        if self._half is None or done < 0.9:
            return
        tau_s = max(0.05, (moment - self._half) / math.log(5.0))
        dead_s = max(0.0, self._half - self._started - tau_s * math.log(2.0))
        self.tau_s = tau_s if self.tau_s is None else 0.5 * (self.tau_s + tau_s)
        self.dead_time_s = dead_s if self.dead_time_s is None else 0.5 * (self.dead_time_s + dead_s)
        self._started = None
