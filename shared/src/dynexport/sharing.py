"""Targets shared out among inverters by water-filling, so that no sum ever exceeds its target. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

PHASES = ("a", "b", "c")
EVENLY = "abc"
SITE = ""
NO_PHASES: Mapping[str, float] = {}


class Taker(NamedTuple):
    """One inverter that takes part: its rating, the most that it may be given now, watts, and its phase."""

    id: str
    rated_w: float
    ceiling_w: float
    phase: str = EVENLY


def part_on(phase: str, feeds: str) -> float:
    """The part of its power that what feeds `feeds` puts on `phase`: a third when it feeds all three."""
    return 1.0 / 3.0 if feeds == EVENLY else float(feeds == phase)


def on_phase(phase: str, powers_w: Mapping[str, float], feeds: Mapping[str, str]) -> float:
    """What these powers put on one phase together, watts; `feeds` says the phase of each."""
    return sum(power_w * part_on(phase, feeds[name]) for name, power_w in powers_w.items())


def share_out(
    total_w: float, takers: Sequence[Taker], phases_w: Mapping[str, float] = NO_PHASES
) -> dict[str, float]:
    """Equal fractions of the ratings, watts by id; what one cannot be given goes to the others.

    The sum is at most `total_w`, on each phase at most its part of `phases_w` (empty: phases do not matter), and no
    share is above its ceiling. Nobody could be given more without taking it from somebody who has no larger
    fraction. More to share out never lowers a share; a looser phase never lowers the sum.
    """
    waiting = sorted(takers, key=lambda taker: (taker.ceiling_w / taker.rated_w, taker.id))
    if not phases_w:
        return _of_the_site(max(0.0, total_w), waiting)
    levels = _levels({SITE: max(0.0, total_w), **phases_w}, waiting)
    return {
        taker.id: max(0.0, min(taker.ceiling_w, levels.get(taker.phase, 1.0) * taker.rated_w))
        for taker in waiting
    }


def _of_the_site(left_w: float, waiting: Sequence[Taker]) -> dict[str, float]:
    """With one target only: each takes its part of what those before it have left."""
    shares: dict[str, float] = {}
    rated_w = sum(taker.rated_w for taker in waiting)
    for taker in waiting:
        fair_w = left_w * taker.rated_w / rated_w
        shares[taker.id] = min(fair_w, max(0.0, taker.ceiling_w))
        left_w = max(0.0, left_w - shares[taker.id])
        rated_w -= taker.rated_w
    return shares


def _levels(left_w: dict[str, float], waiting: Sequence[Taker]) -> dict[str, float]:
    """The fraction of their ratings at which those of each phase stop; absent where only ceilings stop them.

    All rise together. Whoever reaches its ceiling, or any of its targets (`left_w`, by phase and `SITE`), stops
    there, and the rest goes on. `waiting` is in the order of the ceilings.
    """
    rising: dict[str, float] = {}
    for taker in waiting:
        rising[taker.phase] = rising.get(taker.phase, 0.0) + taker.rated_w
    count = Counter(taker.phase for taker in waiting)
    levels: dict[str, float] = {}
    queue = deque(waiting)
    level = 0.0
    while rising:
        while queue[0].phase not in rising:
            queue.popleft()
        slopes = {target: slope for target in left_w if (slope := _slope(target, rising)) > 0.0}
        first = min(slopes, key=lambda target: left_w[target] / slopes[target])
        reach = max(0.0, left_w[first] / slopes[first])
        ceiling = max(0.0, queue[0].ceiling_w) / queue[0].rated_w - level
        step = min(reach, ceiling)
        level += step
        for target, slope in slopes.items():
            left_w[target] -= slope * step
        if ceiling <= reach:
            taker = queue.popleft()
            count[taker.phase] -= 1
            if count[taker.phase]:
                rising[taker.phase] -= taker.rated_w
            else:
                del rising[taker.phase]
        else:
            for phase in [phase for phase in rising if first in (SITE, phase) or phase == EVENLY]:
                levels[phase] = level
                del rising[phase]
    return levels


def _slope(target: str, rising: Mapping[str, float]) -> float:
    """How fast a target is used up while those in `rising` (watts by phase) rise."""
    if target == SITE:
        return sum(rising.values())
    return rising.get(target, 0.0) + rising.get(EVENLY, 0.0) / 3.0
