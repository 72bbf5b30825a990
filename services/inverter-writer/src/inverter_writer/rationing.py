"""When a limit is written: control.md, "writes are rationed". Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

TIGHTENING_PCT = 0.5


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds to the refresh, after which a small tightening and a raise may follow; percent that no raise is for."""

    refresh_s: float
    tighten_s: float
    raise_s: float
    dead_band_pct: float


VOLATILE = Pace(refresh_s=8.0, tighten_s=1.0, raise_s=1.0, dead_band_pct=0.2)
# flash memory lasts for some 100,000 writes: on change only, and seldom
PERSISTENT = Pace(refresh_s=math.inf, tighten_s=10.0, raise_s=60.0, dead_band_pct=1.0)


@dataclass(frozen=True, slots=True)
class Standing:
    """What we last wrote: percent, and when (monotonic)."""

    percent: float
    mono: float


def is_urgent(percent: float, standing: Standing | None) -> bool:
    """Whether it must go before all reads: a first write, or a tightening of over 0.5 %."""
    return standing is None or standing.percent - percent > TIGHTENING_PCT


def wait_s(
    percent: float, standing: Standing | None, mono: float, inverters: int, pace: Pace = VOLATILE
) -> float:
    """Seconds until this percentage is due to be written; 0 or less is now."""
    if standing is None or is_urgent(percent, standing):
        return 0.0
    refresh = standing.mono + pace.refresh_s - mono
    rise = percent - standing.percent
    if rise < 0.0:
        return min(refresh, standing.mono + pace.tighten_s - mono)
    if rise > pace.dead_band_pct / inverters:
        return min(refresh, standing.mono + pace.raise_s - mono)
    return refresh
