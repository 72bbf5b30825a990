"""What each load may use of what is left for all: in the order of site.yaml, the last is shed first. Pure.

Down at once. A load that was shed waits a minute before it is let on again, and needs a margin then, so that no
contact chatters at the limit; what it waits for is not given to those after it.
"""

from __future__ import annotations

from collections.abc import Iterable

from dynexport.settings.devices import Load
from limit_engine.beside import LoadState

OFF_AT_LEAST_S = 60.0
MARGIN, LEAST_MARGIN_W = 0.05, 50.0


def allot(loads: Iterable[LoadState], total_w: float, mono: float) -> tuple[dict[str, float], float]:
    """What each may use, watts by id, and what is left for the batteries' charging.

    Each counts with all that it may use, whether it uses it or not: their sum is never above `total_w`.
    """
    left_w = max(0.0, total_w)
    told: dict[str, float] = {}
    for load in loads:
        reserved_w = _fits_w(load.settings, left_w, on=load.told_w > 0.0)
        waits = _switches(load.settings) and load.told_w <= 0.0 and mono - load.off_since < OFF_AT_LEAST_S
        told[load.settings.id] = 0.0 if waits else reserved_w
        left_w -= reserved_w
    return told, left_w


def remember(loads: Iterable[LoadState], told: dict[str, float], mono: float) -> None:
    """Keep what each was told, and since when it is off."""
    for load in loads:
        now_w = told[load.settings.id]
        if now_w <= 0.0 < load.told_w:
            load.off_since = mono
        load.told_w = now_w
        load.meters.lately.keep(now_w, mono)


def _switches(load: Load) -> bool:
    """Whether it goes on and off: one that takes any power from 0 on has no contact to spare."""
    return load.control == "switch" or load.min_w > 0.0


def _fits_w(load: Load, left_w: float, *, on: bool) -> float:
    """What of the rest it can have: a switch all or nothing, watts anything from its least power on."""
    margin_w = 0.0 if on or not _switches(load) else max(LEAST_MARGIN_W, MARGIN * load.rated_w)
    if load.control == "switch":
        return load.rated_w if left_w >= load.rated_w + margin_w else 0.0
    given_w = min(load.rated_w, left_w)
    return given_w if given_w >= load.min_w + margin_w else 0.0
