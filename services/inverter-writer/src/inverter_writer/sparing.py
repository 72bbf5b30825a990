"""Writes that come to nothing on registers that wear: tried again ever more seldom. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from inverter_writer.rationing import TIGHTENING_PCT

AT_ONCE = 3
FIRST_S, CONTESTED_S, LONGEST_S = 10.0, 60.0, 900.0
AT_REST_S = 60.0


@dataclass(slots=True)
class Sparing:
    """For one inverter: the first tries go at once, then after 10 s, 20 s, 40 s ... up to 15 minutes.

    Where ours did stand there for a while, somebody else writes too: then 1 minute at most. A lower limit than any
    that was tried never waits.
    """

    _tries: int = 0
    _lowest_pct: float = math.inf
    _last: float = -math.inf
    _stood: bool = False

    def in_vain(self, percent: float, mono: float) -> None:
        """A write was refused, or is one more of what did not stay there."""
        self._tries += 1
        self._last, self._stood = mono, False
        self._lowest_pct = min(self._lowest_pct, percent)

    def stands(self, mono: float) -> None:
        """What we wrote was read back; after a minute of that all is forgotten."""
        self._stood = True
        if mono - self._last >= AT_REST_S:
            self._tries, self._lowest_pct = 0, math.inf

    def wait_s(self, percent: float, mono: float) -> float:
        """Seconds until this percentage may be written; 0 or less is now."""
        if self._tries < AT_ONCE or self._lowest_pct - percent > TIGHTENING_PCT:
            return 0.0
        pause_s = min(LONGEST_S, FIRST_S * 2.0 ** min(self._tries - AT_ONCE, 10))
        return self._last + (min(pause_s, CONTESTED_S) if self._stood else pause_s) - mono
