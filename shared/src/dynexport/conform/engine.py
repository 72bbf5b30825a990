"""What an engine has to keep."""

from __future__ import annotations

from dynexport.conform import common
from dynexport.conform.rule import Rule, Verdict, broken, kept, unseen
from dynexport.conform.transcript import Transcript
from dynexport.messages import Setpoint
from dynexport.topics import ACTIVE, SETPOINT

SETPOINTS = "docs/topics.md, `setpoint/+`"
ENVELOPE = "docs/topics.md, `active`"
LONGEST_TTL_S = 15.0


def one_engine(transcript: Transcript) -> Verdict:
    """One `engine_id`."""
    ids = {message.engine_id for _, message in transcript.said(SETPOINT, Setpoint)}
    if len(ids) > 1:
        return broken(
            f"{len(ids)} engines speak ({', '.join(sorted(ids))}): one id for each process, one process"
        )
    return kept() if ids else unseen(common.NOTHING)


def numbered(transcript: Transcript) -> Verdict:
    """`seq` grows with every setpoint of one engine."""
    last: dict[str, int] = {}
    for _, message in transcript.said(SETPOINT, Setpoint):
        before = last.get(message.engine_id)
        if before is not None and message.seq <= before:
            return broken(f"seq {message.seq} follows {before}")
        last[message.engine_id] = message.seq
    return kept() if last else unseen(common.NOTHING)


def reasonable(transcript: Transcript) -> Verdict:
    """No negative target, no long life."""
    said = [message for _, message in transcript.said(SETPOINT, Setpoint)]
    for message in said:
        if message.target_w < 0:
            return broken(f"target_w {message.target_w:g} is below 0")
        if message.ttl_s > LONGEST_TTL_S:
            return broken(f"ttl_s {message.ttl_s:g}, {LONGEST_TTL_S:g} is the most")
    return kept() if said else unseen(common.NOTHING)


RULES = (
    Rule("engine/setpoints", "Setpoints come on `setpoint/ID`.", SETPOINTS, common.spoke(SETPOINT, 3)),
    Rule(
        "engine/setpoint-payload",
        "A setpoint is one JSON object of the documented fields.",
        SETPOINTS,
        common.valid(SETPOINT),
    ),
    Rule(
        "engine/setpoint-issued-at",
        "`issued_at` is within 5 s of the receiver's clock.",
        SETPOINTS,
        common.stamped(SETPOINT),
    ),
    Rule(
        "engine/setpoint-period",
        "Setpoints come every second (here: never 3 s of silence).",
        SETPOINTS,
        common.every(SETPOINT, lambda _: 3.0),
    ),
    Rule("engine/setpoint-qos", "Setpoints are sent at QoS 0.", SETPOINTS, common.at_qos(SETPOINT)),
    Rule(
        "engine/setpoint-not-stored",
        "Setpoints never carry the retain flag.",
        SETPOINTS,
        common.never_stored(SETPOINT),
    ),
    Rule("engine/one", "One engine speaks.", "docs/safety.md, two engines run", one_engine),
    Rule("engine/seq", "`seq` grows with every setpoint of one engine.", SETPOINTS, numbered),
    Rule("engine/target", "`target_w` is 0 or more, `ttl_s` 15 s at most.", SETPOINTS, reasonable),
    Rule("engine/active", "The envelope comes on `active`.", ENVELOPE, common.spoke(ACTIVE, 1)),
    Rule(
        "engine/active-payload",
        "It is one JSON object of the documented fields.",
        ENVELOPE,
        common.valid(ACTIVE),
    ),
    Rule(
        "engine/active-period",
        "It comes every 5 s and on change (here: within 8 s).",
        ENVELOPE,
        common.every(ACTIVE, lambda _: 8.0),
    ),
    Rule("engine/active-qos", "It is sent at QoS 1.", ENVELOPE, common.at_qos(ACTIVE)),
    Rule("engine/active-stored", "It is stored.", ENVELOPE, common.is_stored(ACTIVE)),
    *common.life("engine"),
)

NOT_JUDGED = (
    "Whether it keeps the site inside its limits: `make bench` and the tests of limit-engine do that.",
)
