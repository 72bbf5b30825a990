"""What is in force now, per control mode: the acting control, else the best default that has the mode. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from csip_client.model import Held, Mode, Program
from csip_client.schedule import Schedule


@dataclass(frozen=True, slots=True)
class InForce:
    """A value with where it comes from: a control until `until`, or a program's default (`held` None)."""

    value: float | bool
    held: Held | None = None
    until: int | None = None

    @property
    def origin(self) -> str:
        """The control's mRID, or `default`."""
        return "default" if self.held is None else self.held.control.mrid


def in_force(plan: Schedule, programs: Iterable[Program], now: float) -> dict[Mode, InForce]:
    """Every mode that something states now; a mode that is left out is stated by nobody."""
    known = list(programs)
    found: dict[Mode, InForce] = {}
    for mode in Mode:
        stated = _control(plan, mode, now) or _default(known, mode)
        if stated is not None:
            found[mode] = stated
    return found


def grad_pct_per_s(programs: Iterable[Program]) -> float | None:
    """setGradW of the best program whose default gives one, percent of setMaxW a second."""
    rated = [
        (program.primacy, program.id, program.default.grad_pct_per_s)
        for program in programs
        if program.default is not None and program.default.grad_pct_per_s is not None
    ]
    return min(rated)[2] if rated else None


def _control(plan: Schedule, mode: Mode, now: float) -> InForce | None:
    for segment in plan.get(mode, ()):
        if segment.start <= now < segment.end:
            return InForce(segment.held.control.values[mode], segment.held, segment.end)
    return None


def _default(programs: list[Program], mode: Mode) -> InForce | None:
    """Per mode the best primacy counts; at equal primacy the tighter value (csip.md, finding 9)."""
    having = [
        (program.primacy, program.default.values[mode])
        for program in programs
        if program.default is not None and mode in program.default.values
    ]
    return InForce(min(having)[1]) if having else None
