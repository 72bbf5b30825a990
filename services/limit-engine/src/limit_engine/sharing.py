"""A site target shared out among inverters by water-filling, so that the sum never exceeds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Taker:
    """One inverter that takes part: its rating, and the most that it may be given now, watts."""

    id: str
    rated_w: float
    ceiling_w: float


def share_out(total_w: float, takers: Sequence[Taker]) -> dict[str, float]:
    """Equal fractions of the ratings, watts by id; what one cannot be given goes to the others.

    The sum is at most `total_w`, and no share is above its ceiling; a total that no ceiling can hold is left.
    """
    shares: dict[str, float] = {}
    left_w = max(0.0, total_w)
    waiting = sorted(takers, key=lambda taker: (taker.ceiling_w / taker.rated_w, taker.id))
    rated_w = sum(taker.rated_w for taker in waiting)
    for taker in waiting:
        fair_w = left_w * taker.rated_w / rated_w
        shares[taker.id] = min(fair_w, max(0.0, taker.ceiling_w))
        left_w = max(0.0, left_w - shares[taker.id])
        rated_w -= taker.rated_w
    return shares
