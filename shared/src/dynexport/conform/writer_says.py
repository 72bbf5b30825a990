"""What a writer has to say of its inverter."""

from __future__ import annotations

from itertools import pairwise

from dynexport.conform import common
from dynexport.conform.rule import Rule, Verdict, broken, kept, unseen
from dynexport.conform.transcript import Transcript, decoded
from dynexport.messages import ControlState, HardwareFallback, InverterCapability, InverterControl
from dynexport.topics import INVERTER_CAPABILITY, INVERTER_CONTROL, INVERTER_READING

READING = "docs/topics.md, `inverter/+/reading`"
CAPABILITY = "docs/topics.md, `inverter/+/capability`"
CONTROL = "docs/topics.md, `inverter/+/control`"
LONGEST_CONTROL_GAP_S = 15.0
SETTLES_S = 3.0
TOLERANCE = 0.01
OLDEST_READING_S = 5.0


def names_what_it_follows(transcript: Transcript) -> Verdict:
    """Who follows says which setpoint."""
    following = [
        control
        for _, control in transcript.said(INVERTER_CONTROL, InverterControl)
        if control.state is ControlState.FOLLOWING
    ]
    for control in following:
        missing = [name for name in ("requested_w", "setpoint_seq") if getattr(control, name) is None]
        if missing:
            return broken(f"state is following, but {missing[0]} is left out")
    return kept() if following else unseen("it never said that it follows")


def applies_no_more(transcript: Transcript) -> Verdict:
    """What was written is never above what is wanted for longer than 3 s."""
    said = transcript.said(INVERTER_CONTROL, InverterControl)
    ends = [*(heard.mono for heard, _ in said[1:]), transcript.until]
    seen = 0
    for (heard, control), end in zip(said, ends, strict=False):
        if control.requested_w is None or control.applied_w is None:
            continue
        seen += 1
        slack_w = max(1.0, TOLERANCE * control.requested_w)
        if control.applied_w > control.requested_w + slack_w and end - heard.mono > SETTLES_S:
            return broken(
                f"requested {control.requested_w:.0f} W, applied {control.applied_w:.0f} W: round down"
            )
    return kept() if seen else unseen("it applied nothing (control.enabled is false?)")


def says_what_happens_when_it_dies(transcript: Transcript) -> Verdict:
    """`hardware_fallback` is stated, and `chosen_w` with its watts and seconds."""
    payload = transcript.stored(INVERTER_CAPABILITY)
    capability = decoded(InverterCapability, payload) if payload else None
    if capability is None:
        return unseen("no capability is stored")
    if "hardware_fallback" not in capability.model_fields_set:
        return broken("hardware_fallback is left out: say `unknown` when nobody knows")
    chosen = capability.hardware_fallback is HardwareFallback.CHOSEN_W
    if chosen and None in (capability.fallback_w, capability.fallback_s):
        return broken("hardware_fallback chosen_w needs fallback_w and fallback_s")
    return kept(str(capability.hardware_fallback))


def has_capability(transcript: Transcript) -> Verdict:
    """Said live, or stored before we came."""
    path = transcript.subject.path(INVERTER_CAPABILITY)
    if transcript.stored(INVERTER_CAPABILITY) or transcript.live(INVERTER_CAPABILITY):
        return kept()
    return broken(f"nothing on {path}: publish it, stored, at start and on change")


def numbers_rise(transcript: Transcript) -> Verdict:
    """With one engine in force `setpoint_seq` never goes back."""
    said = [control for _, control in transcript.said(INVERTER_CONTROL, InverterControl)]
    for before, after in pairwise(said):
        if before.engine_id is None or before.engine_id != after.engine_id:
            continue
        if None not in (before.setpoint_seq, after.setpoint_seq) and (after.setpoint_seq or 0) < (
            before.setpoint_seq or 0
        ):
            return broken(f"setpoint_seq went back from {before.setpoint_seq} to {after.setpoint_seq}")
    return kept() if len(said) > 1 else unseen("fewer than two controls were heard")


RULES = (
    Rule(
        "writer/reading",
        "Readings come on `inverter/ID/reading`.",
        READING,
        common.spoke(INVERTER_READING, 3),
    ),
    Rule(
        "writer/reading-payload",
        "A reading is one JSON object of the documented fields.",
        READING,
        common.valid(INVERTER_READING),
    ),
    Rule("writer/reading-version", "A reading says `v: 1`.", READING, common.versioned(INVERTER_READING)),
    Rule(
        "writer/reading-issued-at",
        "A reading's `issued_at` is within 5 s of the receiver's clock and never goes back.",
        "docs/safety.md, a message whose clock is off",
        common.stamped(INVERTER_READING),
    ),
    Rule(
        "writer/reading-once",
        "A measurement is said once: `measured_at` grows.",
        READING,
        common.measured(INVERTER_READING),
    ),
    Rule(
        "writer/reading-fresh",
        "A reading was measured at most 5 s before it comes.",
        READING,
        common.recent(INVERTER_READING, lambda _: OLDEST_READING_S),
    ),
    Rule(
        "writer/reading-period",
        "Readings come every second or faster (here: never 2 s of silence).",
        READING,
        common.every(INVERTER_READING, lambda _: 2.0),
    ),
    Rule("writer/reading-qos", "Readings are sent at QoS 0.", READING, common.at_qos(INVERTER_READING)),
    Rule(
        "writer/reading-not-stored",
        "Readings never carry the retain flag.",
        READING,
        common.never_stored(INVERTER_READING),
    ),
    Rule(
        "writer/capability", "`inverter/ID/capability` says what the inverter is.", CAPABILITY, has_capability
    ),
    Rule(
        "writer/capability-payload",
        "It is one JSON object of the documented fields.",
        CAPABILITY,
        common.valid(INVERTER_CAPABILITY),
    ),
    Rule("writer/capability-stored", "It is stored.", CAPABILITY, common.is_stored(INVERTER_CAPABILITY)),
    Rule(
        "writer/capability-fallback",
        "It says what the inverter does when nobody refreshes its limit.",
        CAPABILITY,
        says_what_happens_when_it_dies,
    ),
    Rule(
        "writer/control-payload",
        "`inverter/ID/control` is one JSON object of the documented fields.",
        CONTROL,
        common.valid(INVERTER_CONTROL),
    ),
    Rule(
        "writer/control-period",
        "`control` comes every 10 s and on change (here: within 15 s).",
        CONTROL,
        common.every(INVERTER_CONTROL, lambda _: LONGEST_CONTROL_GAP_S),
    ),
    Rule("writer/control-qos", "`control` is sent at QoS 1.", CONTROL, common.at_qos(INVERTER_CONTROL)),
    Rule("writer/control-stored", "`control` is stored.", CONTROL, common.is_stored(INVERTER_CONTROL)),
    Rule(
        "writer/control-names",
        "Who follows names the setpoint: `requested_w`, `setpoint_seq`.",
        CONTROL,
        names_what_it_follows,
    ),
    Rule(
        "writer/applied",
        "`applied_w` is never above `requested_w` for long: percentages are rounded down.",
        CONTROL,
        applies_no_more,
    ),
    Rule("writer/order", "Of one engine, `setpoint_seq` never goes back.", CONTROL, numbers_rise),
)
