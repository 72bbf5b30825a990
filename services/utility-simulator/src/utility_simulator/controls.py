"""Programs, their defaults and controls as the server holds them; marks what it cancels and supersedes as envoy does.

csip.md, section 7: a new control supersedes at once every older one of its program with which it shares a mode and
any moment; creationTime is rewritten with each mark; a cancelled control is marked 3 where its start was randomised.
Seconds are the server's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

SCHEDULED, ACTIVE, CANCELLED, CANCELLED_RANDOMISED, SUPERSEDED = range(5)
MODE = re.compile(r"<(?:csipaus:)?(opMod\w+)[ >/]")


@dataclass(frozen=True, slots=True)
class Control:
    """A DERControl; `base` is what stands in its DERControlBase, `extra` what stands before it."""

    mrid: str
    start: int
    duration: int
    base: str
    created: int
    status: int = SCHEDULED
    randomize_start: int | None = None
    reply_to: str = ""
    extra: str = ""

    @property
    def end(self) -> int:
        """Start + duration, before any randomisation."""
        return self.start + self.duration

    @property
    def modes(self) -> frozenset[str]:
        """The names of its control modes."""
        return frozenset(MODE.findall(self.base))

    def collides(self, other: Control) -> bool:
        """Whether both want the same mode at some moment."""
        return bool(self.modes & other.modes) and self.start < other.end and other.start < self.end

    def status_at(self, now: float) -> int:
        """EventStatus.currentStatus."""
        if self.status == SCHEDULED and self.start <= now < self.end:
            return ACTIVE
        return self.status

    def xml(self, now: float) -> str:
        """The element, wanting every answer."""
        randomize = (
            "" if self.randomize_start is None else f"<randomizeStart>{self.randomize_start}</randomizeStart>"
        )
        return (
            f'<DERControl replyTo="{self.reply_to}" responseRequired="03"><mRID>{self.mrid}</mRID>'
            f"<creationTime>{self.created}</creationTime>"
            f"<EventStatus><currentStatus>{self.status_at(now)}</currentStatus>"
            f"<dateTime>{self.created}</dateTime><potentiallySuperseded>false</potentiallySuperseded></EventStatus>"
            f"<interval><duration>{self.duration}</duration><start>{self.start}</start></interval>"
            f"{randomize}{self.extra}<DERControlBase>{self.base}</DERControlBase></DERControl>"
        )


@dataclass(slots=True)
class Program:
    """A DERProgram. `controls` by any key, a text is served as it stands.

    `default` is the inside of its DefaultDERControl, or the status with which asking for it is answered.
    """

    primacy: int
    controls: dict[str, Control | str] = field(default_factory=dict)
    default: str | int | None = None
    tag: str = ""

    def create(self, control: Control, now: float) -> None:
        """List it; what it collides with is marked superseded."""
        for key, other in self.controls.items():
            if (
                isinstance(other, Control)
                and other.status == SCHEDULED
                and other.end > now
                and control.collides(other)
            ):
                self.controls[key] = replace(other, status=SUPERSEDED, created=int(now))
        self.controls[control.mrid] = control

    def cancel(self, now: float, key: str | None = None) -> int:
        """Mark one control cancelled, or every one that is not over; how many were."""
        number = 0
        for name, control in self.controls.items():
            if isinstance(control, str) or control.status != SCHEDULED or control.end <= now:
                continue
            if key is None or name == key:
                how = CANCELLED if control.randomize_start is None else CANCELLED_RANDOMISED
                self.controls[name] = replace(control, status=how, created=int(now))
                number += 1
        return number

    def listed(self, now: float, *, ended: bool) -> list[str]:
        """Its controls as elements in order of their start; those that are over only if `ended`."""
        texts = [control for control in self.controls.values() if isinstance(control, str)]
        made = [control for control in self.controls.values() if isinstance(control, Control)]
        shown = [control for control in made if ended or control.end > now]
        return texts + [control.xml(now) for control in sorted(shown, key=lambda each: each.start)]


def watts(mode: str, value: int, multiplier: int = 0) -> str:
    """A CSIP-AUS limit inside a DERControlBase."""
    return f"<csipaus:{mode}><multiplier>{multiplier}</multiplier><value>{value}</value></csipaus:{mode}>"


def stated(base: str, grad: int | None = None) -> str:
    """The inside of a DefaultDERControl; `grad` is setGradW, hundredths of a percent a second."""
    rate = "" if grad is None else f"<setGradW>{grad}</setGradW>"
    return f"<DERControlBase>{base}</DERControlBase>{rate}"
