"""What a reader of the site meter has to keep."""

from __future__ import annotations

from dynexport.conform import common
from dynexport.conform.rule import Rule, Verdict, broken, kept, unseen
from dynexport.conform.transcript import Transcript
from dynexport.messages import MeterReading
from dynexport.topics import METER_READING

PLACE = "docs/topics.md, `meter/site/reading`"
OLDEST_S, OLDEST_PERIODS = 4.0, 3.0


def _two_periods(transcript: Transcript) -> float:
    return 2.0 * transcript.subject.period_s


def _oldest_s(transcript: Transcript) -> float:
    return max(OLDEST_S, OLDEST_PERIODS * transcript.subject.period_s)


def location(transcript: Transcript) -> Verdict:
    """One location, the site's own where it is known."""
    seen = {str(message.location) for _, message in transcript.said(METER_READING, MeterReading)}
    wanted = transcript.subject.location
    if len(seen) > 1:
        return broken(f"it says {' and '.join(sorted(seen))}: a meter sits in one place")
    if wanted is not None and seen - {wanted}:
        return broken(f"it says {seen.pop()}, site.yaml says meter.location {wanted}")
    return kept(", ".join(seen)) if seen else unseen(common.NOTHING)


RULES = (
    Rule("reader/speaks", "Readings come on `meter/site/reading`.", PLACE, common.spoke(METER_READING, 3)),
    Rule(
        "reader/payload",
        "A reading is one JSON object of the documented fields, in watts, finite, within 64 KiB; "
        "unknown fields are allowed.",
        PLACE,
        common.valid(METER_READING),
    ),
    Rule("reader/version", "It says `v: 1`.", PLACE, common.versioned(METER_READING)),
    Rule(
        "reader/issued-at",
        "`issued_at` is within 5 s of the receiver's clock and never goes back.",
        "docs/safety.md, a message whose clock is off",
        common.stamped(METER_READING),
    ),
    Rule(
        "reader/measured-once",
        "A measurement is said once: `measured_at` grows with every reading.",
        PLACE,
        common.measured(METER_READING),
    ),
    Rule(
        "reader/fresh",
        "A reading was measured at most 4 s (or 3 periods) before it comes.",
        PLACE,
        common.recent(METER_READING, _oldest_s),
    ),
    Rule(
        "reader/period",
        "Readings come so often that two periods never pass in silence.",
        PLACE,
        common.every(METER_READING, _two_periods),
    ),
    Rule(
        "reader/qos",
        "Readings are sent at QoS 0: a late one is worse than none.",
        PLACE,
        common.at_qos(METER_READING),
    ),
    Rule(
        "reader/not-stored",
        "Readings never carry the retain flag.",
        "docs/safety.md, a stored (retained) reading",
        common.never_stored(METER_READING),
    ),
    Rule("reader/location", "The meter has one `location`, that of site.yaml.", PLACE, location),
    *common.life("reader"),
)

NOT_JUDGED = (
    "Whether + is import: switch a kettle on and see `power_w` rise (feed_in), or ask the engine, which "
    "notices a reversed meter after two steps of generation.",
)
