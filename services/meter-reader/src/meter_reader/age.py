"""How old a reading may be. Pure."""

from __future__ import annotations

from datetime import datetime

SHORTEST_S = 4.0
PERIODS = 3.0
MAX_AHEAD_S = 5.0


def max_age_s(period_s: float) -> float:
    """The oldest that a reading may be, seconds: contract.md, "meter to engine"."""
    return max(SHORTEST_S, PERIODS * period_s)


def doubt(measured_at: datetime, now: datetime, oldest_s: float) -> str | None:
    """Why a reading of that moment is no news; None when it is. Both clocks are wall clocks."""
    age_s = (now - measured_at).total_seconds()
    if age_s > oldest_s:
        return f"measured {age_s:.1f} s ago, {oldest_s:g} s is the most"
    if age_s < -MAX_AHEAD_S:
        return f"measured {-age_s:.1f} s in the future: one of the two clocks is wrong"
    return None
