"""What a load is told now, from all that may have happened. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dynexport.messages import ControlState
from dynexport.settings.models import Load
from inverter_writer.acceptance import Accepted
from inverter_writer.lease import LEASE_S

RAISE_S = 1.0
REFRESH_S = 8.0
WHOLE_W = 0.5


@dataclass(frozen=True, slots=True)
class WantedLoad:
    """The most that it may use, watts; None: nobody has said anything yet, so it is told nothing."""

    limit_w: float | None
    state: ControlState


@dataclass(frozen=True, slots=True)
class ToldLoad:
    """What it was told last, watts, and when (monotonic)."""

    limit_w: float
    mono: float


def wanted_load(
    accepted: Accepted | None, told: ToldLoad | None, *, off_when_silent: bool, silent_s: float, mono: float
) -> WantedLoad:
    """A valid setpoint is followed; silence (`silent_s` since we started, where none ever came) never raises."""
    if accepted is not None and mono <= accepted.deadline:
        return WantedLoad(_limit_w(accepted), ControlState.FOLLOWING)
    limits = [] if accepted is None else [_limit_w(accepted)]
    if told is not None:
        limits.append(told.limit_w)
    if off_when_silent and (accepted is not None or silent_s > LEASE_S):
        limits.append(0.0)
    return WantedLoad(min(limits) if limits else None, ControlState.FAILSAFE)


def _limit_w(accepted: Accepted) -> float:
    return accepted.target_w if accepted.connect else 0.0


def for_load(limit_w: float, load: Load) -> float:
    """What it can be told: a switch is on where its whole rating is allowed; below its least, watts are none."""
    if load.control == "switch":
        return load.rated_w if limit_w >= load.rated_w - WHOLE_W else 0.0
    return min(limit_w, load.rated_w) if limit_w >= max(load.min_w, WHOLE_W) else 0.0


def due_s(limit_w: float, told: ToldLoad | None, load: Load, mono: float) -> float:
    """Seconds until it is to be told; 0 or less is now.

    A tightening goes at once, and what limits it is repeated. The word that it is free is said once: its owner may
    have switched it off himself.
    """
    if told is None or limit_w < told.limit_w:
        return 0.0
    if limit_w > told.limit_w:
        return told.mono + RAISE_S - mono
    return math.inf if limit_w >= load.rated_w else told.mono + REFRESH_S - mono
