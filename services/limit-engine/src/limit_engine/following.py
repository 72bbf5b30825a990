"""Whether a battery does what it is told. Pure.

One that does not is given up within seconds, so that nothing is curtailed for it or counted on it, and is left alone
for some minutes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

GIVE_UP_S, LEFT_ALONE_S = 8.0, 300.0
NEAR, LEAST_NEAR_W = 0.1, 100.0


@dataclass(slots=True)
class Following:
    """One battery; `rated_w` is the larger of what it charges and discharges, watts. Moments are monotonic."""

    rated_w: float
    alone_until: float = float("-inf")
    _astray_since: float | None = None
    _marked_w: float = 0.0

    def left_alone(self, mono: float) -> bool:
        """Whether it is not told any power now."""
        return mono < self.alone_until

    def look(self, told_w: float | None, power_w: float, mono: float) -> bool:
        """Compare its reading with what it was told; True when it has just been given up.

        One that moves the right way is given more time, however slow it is.
        """
        if self.left_alone(mono):
            return False
        way_w = 0.0 if told_w is None else told_w - power_w
        near_w = max(LEAST_NEAR_W, NEAR * self.rated_w)
        moved_w = math.copysign(1.0, way_w) * (power_w - self._marked_w)
        if abs(way_w) <= near_w:
            self._astray_since = None
        elif self._astray_since is None or moved_w > near_w:
            self._astray_since, self._marked_w = mono, power_w
        elif mono - self._astray_since >= GIVE_UP_S:
            self._astray_since, self.alone_until = None, mono + LEFT_ALONE_S
            return True
        return False
