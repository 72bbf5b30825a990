"""What a writer has to make of setpoints, judged by its `control` while `conform` acts as the engine."""

from __future__ import annotations

from collections.abc import Callable

from dynexport.conform.rule import Rule, Verdict, broken, kept, unseen
from dynexport.conform.transcript import Asked, Heard, Transcript
from dynexport.messages import ControlState, InverterControl
from dynexport.topics import INVERTER_CONTROL

SETPOINT = "docs/topics.md, `setpoint/+`"
ACCEPTANCE = "services/inverter-writer/README.md, which setpoint counts"
SETTLES_S = 3.0
TOLERANCE = 0.01
NOT_ASKED = "conform did not act as the engine (--passive)"
NOT_OBEYED = "it obeyed no setpoint at all (see writer/obeys)"

Said = tuple[Heard, InverterControl]


def _controls(transcript: Transcript, began: float, ended: float) -> list[Said]:
    said = transcript.said(INVERTER_CONTROL, InverterControl)
    return [(heard, control) for heard, control in said if began <= heard.mono <= ended]


def _held_w(control: InverterControl) -> float | None:
    """The most that this control lets the inverter make."""
    known = [watts for watts in (control.requested_w, control.applied_w) if watts is not None]
    return max(known) if known else None


def _slack_w(asked: Asked) -> float:
    return max(1.0, TOLERANCE * asked.target_w)


def _obeyed(transcript: Transcript, asked: Asked) -> bool:
    """Whether the last word of that time is the target, in what is wanted and in what was written."""
    controls = _controls(transcript, asked.began, asked.ended)
    if not controls:
        return False
    last, slack_w = controls[-1][1], _slack_w(asked)
    if last.state in (ControlState.FAILSAFE, ControlState.FAULT):
        return False
    if last.requested_w is None or abs(last.requested_w - asked.target_w) > slack_w:
        return False
    return last.applied_w is None or last.applied_w <= asked.target_w + slack_w


def _shown(controls: list[Said]) -> str:
    if not controls:
        return "its control said nothing in that time"
    last = controls[-1][1]
    return f"its control says {last.state}, requested {last.requested_w} W, applied {last.applied_w} W"


def _follows(transcript: Transcript) -> bool:
    asked = transcript.probe("obeys")
    return asked is not None and _obeyed(transcript, asked)


def obeys(probe: str, words: str) -> Callable[[Transcript], Verdict]:
    """The setpoint of that probe shows in `control` while it is awaited."""

    def check(transcript: Transcript) -> Verdict:
        asked = transcript.probe(probe)
        if asked is None:
            return unseen(NOT_ASKED)
        if probe != "obeys" and not _follows(transcript):
            return unseen(NOT_OBEYED)
        if _obeyed(transcript, asked):
            return kept(f"{asked.target_w:.0f} W")
        seen = _shown(_controls(transcript, asked.began, asked.ended))
        return broken(f"{words} to {asked.target_w:.0f} W, but {seen}")

    return check


def refuses(probe: str, words: str) -> Callable[[Transcript], Verdict]:
    """Nothing rises above what stood before that probe."""

    def check(transcript: Transcript) -> Verdict:
        asked = transcript.probe(probe)
        if asked is None:
            return unseen(NOT_ASKED)
        if not _follows(transcript):
            return unseen(NOT_OBEYED)
        ceiling_w = asked.standing_w + max(1.0, TOLERANCE * asked.standing_w)
        for _, control in _controls(transcript, asked.began, asked.ended):
            if (held_w := _held_w(control)) is not None and held_w > ceiling_w:
                return broken(f"{words} raised it from {asked.standing_w:.0f} to {held_w:.0f} W")
        return kept()

    return check


def no_target_below_zero(transcript: Transcript) -> Verdict:
    """A negative target changes nothing: not taken, not clipped to 0."""
    asked = transcript.probe("negative")
    raised = refuses("negative", "a negative target")(transcript)
    if asked is None or raised != kept():
        return raised
    slack_w = max(1.0, TOLERANCE * asked.standing_w)
    for _, control in _controls(transcript, asked.began, asked.ended):
        if control.requested_w is not None and control.requested_w < asked.standing_w - slack_w:
            return broken(f"a negative target was taken as {control.requested_w:.0f} W: drop such a setpoint")
    return kept()


def silence(transcript: Transcript) -> Verdict:
    """After the deadline it says failsafe and holds what stands or less."""
    asked = transcript.probe("silence")
    if asked is None:
        return unseen(NOT_ASKED)
    if not _follows(transcript):
        return unseen(NOT_OBEYED)
    controls = _controls(transcript, asked.began, asked.ended)
    late = [control for heard, control in controls if heard.mono > asked.began + SETTLES_S]
    raised = [
        held for control in late if (held := _held_w(control)) and held > asked.target_w + _slack_w(asked)
    ]
    if raised:
        return broken(
            f"silence raised it from {asked.target_w:.0f} to {raised[0]:.0f} W: hold the smaller one"
        )
    if not controls or controls[-1][1].state not in (ControlState.FAILSAFE, ControlState.DISABLED):
        seconds = asked.ended - asked.began
        return broken(f"{seconds:.0f} s without a setpoint, ttl_s has passed, but {_shown(controls)}")
    return kept()


RULES = (
    Rule(
        "writer/obeys",
        "A valid setpoint is obeyed, and shows in `control` within 3 s.",
        SETPOINT,
        obeys("obeys", "it was set"),
    ),
    Rule(
        "writer/tightens",
        "A tighter one as well, in what is applied too.",
        SETPOINT,
        obeys("tightens", "it was tightened"),
    ),
    Rule(
        "writer/retained",
        "A setpoint with the retain flag is dropped.",
        "docs/safety.md, a stored (retained) setpoint",
        refuses("retained", "a retained setpoint"),
    ),
    Rule(
        "writer/old",
        "One whose `issued_at` is more than 5 s off is dropped.",
        "docs/safety.md, a message whose clock is off",
        refuses("old", "a setpoint issued 10 s ago"),
    ),
    Rule(
        "writer/replayed",
        "One whose `seq` is not greater than the last of its engine is dropped.",
        ACCEPTANCE,
        refuses("replayed", "a setpoint with a seq used before"),
    ),
    Rule(
        "writer/rubbish",
        "What is no JSON is dropped, and the writer goes on.",
        "docs/safety.md, malformed messages",
        refuses("rubbish", "rubbish"),
    ),
    Rule("writer/negative", "A target below 0 is dropped.", ACCEPTANCE, no_target_below_zero),
    Rule(
        "writer/other-looser",
        "While one engine speaks, another one can raise nothing.",
        ACCEPTANCE,
        refuses("other-looser", "a second engine"),
    ),
    Rule(
        "writer/other-tighter",
        "But its tighter target counts.",
        ACCEPTANCE,
        obeys("other-tighter", "a second engine tightened it"),
    ),
    Rule(
        "writer/silence",
        "Without a setpoint for its `ttl_s` (15 s at most) it says `failsafe` and holds what stands, "
        "or less.",
        "docs/safety.md, limit-engine is killed or frozen",
        silence,
    ),
    Rule(
        "writer/release",
        "After a setpoint with `release: true` another engine is obeyed at once.",
        ACCEPTANCE,
        obeys("taken-over", "after a release another engine set it"),
    ),
)
