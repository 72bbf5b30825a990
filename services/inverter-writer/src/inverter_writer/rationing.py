"""When a limit is written: control.md, "writes are rationed". Pure."""

from __future__ import annotations

from dataclasses import dataclass

REFRESH_S = 8.0
BETWEEN_S = 1.0
TIGHTENING_PCT = 0.5
DEAD_BAND_PCT = 0.2


@dataclass(frozen=True, slots=True)
class Standing:
    """What we last wrote: percent, and when (monotonic)."""

    percent: float
    mono: float


def is_urgent(percent: float, standing: Standing | None) -> bool:
    """Whether it must go before all reads: a first write, or a tightening of over 0.5 %."""
    return standing is None or standing.percent - percent > TIGHTENING_PCT


def wait_s(percent: float, standing: Standing | None, mono: float, inverters: int) -> float:
    """Seconds until this percentage is due to be written; 0 or less is now."""
    if standing is None or is_urgent(percent, standing):
        return 0.0
    refresh = standing.mono + REFRESH_S - mono
    rise = percent - standing.percent
    if rise < 0.0 or rise > DEAD_BAND_PCT / inverters:
        return min(refresh, standing.mono + BETWEEN_S - mono)
    return refresh
