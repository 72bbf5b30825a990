"""How much is curtailed, and how we know: contract.md on `curtailed_w`. Never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from limit_engine.inverters import Track


@dataclass(frozen=True, slots=True)
class Curtailment:
    """Watts not made because of a limit, None when nothing tells, and the basis in words."""

    watts: float | None
    basis: str


OFF_GRID = Curtailment(None, "the site is cut off from the grid: its own gateway holds the inverters down")


def curtailment(tracks: Sequence[Track]) -> Curtailment:
    """From the inverters' own available power, else from a sibling that is not at its limit."""
    if not tracks:
        return Curtailment(None, "no inverter answers")
    held = [track for track in tracks if at_limit(track)]
    if not held:
        if any(track.by_export for track in tracks):
            return Curtailment(
                None, "an inverter holds the export itself, and does not say whether it has to"
            )
        return Curtailment(0.0, "no inverter is at its limit")
    unknown = [track for track in held if track.available_w is None]
    if not unknown:
        return Curtailment(_missed(held), "available power as the inverters report it")
    free = [track for track in tracks if track not in held and track.power_w > 0]
    if not free:
        return Curtailment(None, "curtailed, amount unknown")
    best = max(track.power_w / track.rated_w for track in free)
    guessed = sum(max(0.0, best * track.rated_w - track.power_w) for track in unknown)
    known = [track for track in held if track.available_w is not None]
    return Curtailment(_missed(known) + guessed, "an inverter beside it that is not limited")


def at_limit(track: Track) -> bool:
    """Whether its power sits at what it may make, below its rating."""
    command_w = track.share_w
    return command_w < 0.995 * track.rated_w and track.power_w > command_w - 0.02 * track.rated_w


def _missed(tracks: Sequence[Track]) -> float:
    return sum(max(0.0, (track.available_w or 0.0) - track.power_w) for track in tracks)
