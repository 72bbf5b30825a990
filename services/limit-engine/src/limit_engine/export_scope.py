"""What an inverter is told that holds the site's export by its own meter and loop (scope `export`). Pure.

Such a register often persists, so the number is a steady one: tightened at once, raised only to what has been allowed
without a break for a while, and what depends on measured powers is rounded down to steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dynexport.messages import Mode
from limit_engine.load import LoadEstimate
from limit_engine.terms import Bounds

RAISED_AFTER_S = 10.0
STEP = 0.02
OUT_OF_REACH = 0.05
BACK_AFTER_S = 60.0


@dataclass(slots=True)
class ExportHold:
    """The number over time; `rated_w` is the sum of all ratings.

    `disconnect`: a generation limit that the house alone uses up cannot be held by an export limit of 0, so the
    inverter is to be disconnected until it fits again for a minute.
    """

    rated_w: float
    level_w: float | None = None
    disconnect: bool = False
    _waiting_w: float = math.inf
    _waiting_since: float | None = None
    _fits_since: float | None = None

    def follow(
        self,
        bounds: Bounds,
        mode: Mode,
        load: LoadEstimate | None,
        failsafe_w: float,
        mono: float,
        *,
        yield_w: float = 0.0,
    ) -> float | None:
        """What the site may export now, watts; None while nothing limits. `bounds` are the merged ones.

        `yield_w` of it is left to batteries that are to discharge.
        """
        wanted_w = math.inf if bounds.export_limit_w is None else max(0.0, bounds.export_limit_w)
        if mode is Mode.FAILSAFE:
            wanted_w = min(wanted_w, failsafe_w)
        room_w = self._room_w(bounds, load)
        self._reach(room_w, mono)
        if yield_w > 0.0 and not math.isinf(wanted_w):
            wanted_w = self._steps(wanted_w - yield_w)
        if room_w is not None:
            wanted_w = min(wanted_w, self._steps(room_w))
        blind = mode is not Mode.NORMAL
        self._move(wanted_w, mono, may_rise=not blind)
        return None if self.level_w is None or math.isinf(self.level_w) else self.level_w

    def _move(self, wanted_w: float, mono: float, *, may_rise: bool) -> None:
        if self.level_w is None or wanted_w <= self.level_w:
            self.level_w, self._waiting_since, self._waiting_w = wanted_w, None, math.inf
            return
        if not may_rise:
            self._waiting_since = None
            return
        if self._waiting_since is None:
            self._waiting_since, self._waiting_w = mono, wanted_w
        self._waiting_w = min(self._waiting_w, wanted_w)
        if mono - self._waiting_since >= RAISED_AFTER_S:
            self.level_w, self._waiting_since = self._waiting_w, None

    def _room_w(self, bounds: Bounds, load: LoadEstimate | None) -> float | None:
        """What a generation limit leaves for export: all that is made is used here or exported. Below 0 it is too much.

        Without a load it is not known: the number that stands is then never raised.
        """
        if bounds.generation_limit_w is None:
            return None
        ceiling_w = bounds.generation_limit_w - bounds.uncontrolled_w - bounds.unseen_w
        most_w = load.mean_w + load.noise_w if load else 0.0
        return ceiling_w - most_w

    def _steps(self, room_w: float) -> float:
        step_w = STEP * self.rated_w
        return max(0.0, math.floor(room_w / step_w) * step_w)

    def _reach(self, room_w: float | None, mono: float) -> None:
        if room_w is not None and room_w < -OUT_OF_REACH * self.rated_w:
            self.disconnect, self._fits_since = True, None
        elif not self.disconnect:
            return
        elif room_w is not None and room_w <= 0.0:
            self._fits_since = None
        elif self._fits_since is None:
            self._fits_since = mono
        elif mono - self._fits_since >= BACK_AFTER_S:
            self.disconnect, self._fits_since = False, None
