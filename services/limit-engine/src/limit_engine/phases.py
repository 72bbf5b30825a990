"""A limit for each phase: what the inverters may put on it. control.md, "Per phase".

Each phase has a load of its own, known from the meter's power on it just as the site's is; where the meter does not
say it, that phase is held as if nothing were used on it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from dynexport.messages import Mode
from dynexport.sharing import NO_PHASES, PHASES
from limit_engine.load import LoadFollower

NOTHING = dict.fromkeys(PHASES, 0.0)


@dataclass(frozen=True, slots=True)
class PhaseBounds:
    """What limits the phases this cycle, watts: `limit_w` is what none may export above.

    By phase: `blind_w` what makes power and does not obey us, and `unseen_w` inverters that do not answer, as open
    loop has to count them; `failsafe_w` what the inverters may make in failsafe.
    """

    limit_w: float
    blind_w: Mapping[str, float] = field(default_factory=NOTHING.copy)
    unseen_w: Mapping[str, float] = field(default_factory=NOTHING.copy)
    failsafe_w: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class PhaseLoads:
    """The loads of the phases; `unknown` says that the meter does not tell them while it tells the site's."""

    loads: dict[str, LoadFollower] = field(
        default_factory=lambda: {phase: LoadFollower() for phase in PHASES}
    )
    heard: float = float("-inf")
    unknown: bool = False
    _closed_w: dict[str, float] = field(default_factory=dict)

    def forget(self) -> None:
        """Closed loop was left: the loads are learned anew."""
        for load in self.loads.values():
            load.forget()

    def targets_w(self, bounds: PhaseBounds | None, mode: Mode, *, fresh: bool) -> Mapping[str, float]:
        """What the inverters may put on each phase now, watts; empty without a limit per phase.

        `fresh`: the meter's phases are young enough for closed loop.
        """
        if bounds is None:
            return NO_PHASES
        known = fresh and all(load.now is not None for load in self.loads.values())
        self.unknown = mode is Mode.NORMAL and not known
        if mode is Mode.FAILSAFE:
            return {phase: self._failsafe_w(phase, bounds) for phase in PHASES}
        if mode is Mode.NORMAL and known:
            self._closed_w = {
                phase: max(0.0, load.now.least_w + bounds.limit_w)
                for phase, load in self.loads.items()
                if load.now is not None
            }
            return self._closed_w
        return {phase: self._blind_w(phase, bounds) for phase in PHASES}

    def _blind_w(self, phase: str, bounds: PhaseBounds) -> float:
        """Open loop: the load taken as 0, and never above the target on entry."""
        least_w = bounds.limit_w - bounds.blind_w[phase] - bounds.unseen_w[phase]
        return min(max(0.0, least_w), self._closed_w.get(phase, math.inf))

    @staticmethod
    def _failsafe_w(phase: str, bounds: PhaseBounds) -> float:
        blind_w = max(0.0, bounds.limit_w - bounds.blind_w[phase])
        return min(blind_w, bounds.failsafe_w.get(phase, math.inf))
