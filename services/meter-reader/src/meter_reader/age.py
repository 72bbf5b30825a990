"""How old a reading may be. Pure."""

from __future__ import annotations

SHORTEST_S = 4.0
PERIODS = 3.0


def max_age_s(period_s: float) -> float:
    """The oldest that a reading may be, seconds: contract.md, "meter to engine"."""
    return max(SHORTEST_S, PERIODS * period_s)
