"""A step on request: one inverter 5 % of its rating lower for some seconds, so that `doctor` sees who answers.

Pure. It only lowers: while it lasts, every inverter is held at what it was commanded (else another would make up for
the step, and the meter would not show it), and afterwards all go back by the ramp.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dynexport.messages import InverterCapability, Mode, Scope
from limit_engine.inverters import Track
from limit_engine.terms import Decision

STEP = 0.05
LEAST = 0.10
USUAL_S, SHORTEST_S, LONGEST_S = 10.0, 3.0, 30.0


class Refused(Exception):
    """Why no step is taken now, in words."""


@dataclass(slots=True)
class Stepper:
    """The step in force: the most that each inverter may be commanded, watts by id; empty without a step."""

    caps_w: dict[str, float] = field(default_factory=dict)
    until: float = float("-inf")
    _last: Decision | None = None
    _mono: float = float("-inf")

    def ask(
        self, track: Track | None, capability: InverterCapability | None, for_s: float | None, mono: float
    ) -> float:
        """Begin a step of an inverter; returns the watts it is held at from now on. Raises Refused."""
        if track is None:
            raise Refused("name a listed inverter as `id`")
        if self.caps_w:
            raise Refused("the step before is not over yet")
        commands_w = self._commands()
        if not track.answers(mono):
            raise Refused(f"{track.id} does not answer")
        if capability is not None and capability.scope is Scope.EXPORT:
            raise Refused(f"{track.id} holds the site's export by its own meter: it is not ours to step")
        target_w = _target_w(track, commands_w[track.id])
        if capability is not None and target_w < capability.min_limit_pct / 100.0 * track.rated_w:
            raise Refused(f"{track.id} would go to standby: it cannot be held at {target_w:.0f} W")
        self.caps_w = {**commands_w, track.id: target_w}
        self.until = mono + min(LONGEST_S, max(SHORTEST_S, USUAL_S if for_s is None else for_s))
        return target_w

    def apply(self, decision: Decision, tracks: Mapping[str, Track], mono: float) -> Decision:
        """The decision with what is commanded now: never more. After its end the step gives way by the ramp."""
        if self.caps_w:
            decision = replace(decision, commands_w=self._lowered(decision.commands_w, tracks, mono))
        self._last, self._mono = decision, mono
        return decision

    def _commands(self) -> Mapping[str, float]:
        """What was commanded last; only normal control knows what its meter answers."""
        if self._last is None or self._last.mode is not Mode.NORMAL:
            mode = Mode.FAILSAFE if self._last is None else self._last.mode
            raise Refused(f"control is in {mode.value.replace('_', ' ')}")
        return self._last.commands_w

    def _lowered(
        self, wanted_w: Mapping[str, float], tracks: Mapping[str, Track], mono: float
    ) -> dict[str, float]:
        over_s = max(0.0, mono - max(self._mono, self.until))
        for name, track in tracks.items():
            self.caps_w[name] += track.ramp.rate_w_per_s * over_s
        lowered = {name: min(watts, self.caps_w[name]) for name, watts in wanted_w.items()}
        if mono > self.until and lowered == dict(wanted_w):
            self.caps_w = {}
        return lowered


def _target_w(track: Track, command_w: float) -> float:
    """5 % of the rating below what it makes, or is held at; raises Refused where that leaves too little."""
    standing_w = min(track.power_w, command_w)
    if standing_w < LEAST * track.rated_w:
        raise Refused(
            f"{track.id} makes {track.power_w:.0f} W, under a tenth of its rating: too little to step"
        )
    return standing_w - STEP * track.rated_w
