"""What a source of limits has to keep."""

from __future__ import annotations

from itertools import pairwise

from dynexport.conform import common
from dynexport.conform.rule import Rule, Verdict, broken, kept, unseen
from dynexport.conform.transcript import Transcript, decoded
from dynexport.messages import SWITCHES, WATT_LIMITS, Limit
from dynexport.topics import LIMIT

PLACE = "docs/topics.md, `limit/+`"
LONGEST_GAP_S = 15.0
DEFAULT_TTL_S = 60.0
GRACE_S = 2.0
TRANSIT_S = 0.5
NO_STATEMENT = "no statement was heard"


def _obliged(transcript: Transcript) -> bool:
    return transcript.subject.obligation


def _gaps(transcript: Transcript) -> list[tuple[float, Limit]]:
    """After each statement: how long nothing else came, up to the end."""
    live = transcript.running(LIMIT)
    ends = [*(heard.mono for heard in live[1:]), transcript.until]
    pairs = [
        (end - heard.mono, decoded(Limit, heard.payload)) for heard, end in zip(live, ends, strict=False)
    ]
    return [(gap_s, limit) for gap_s, limit in pairs if limit is not None]


def repeats(transcript: Transcript) -> Verdict:
    """Every 10 s, with some grace; after a withdrawal it may be silent."""
    gaps = [gap_s for gap_s, _ in _gaps(transcript)]
    if not gaps:
        return unseen(NO_STATEMENT)
    worst_s = max(*gaps, transcript.running(LIMIT)[0].mono - transcript.began)
    if worst_s > LONGEST_GAP_S:
        return broken(f"silent for {worst_s:.0f} s: say the statement again every 10 s, changed or not")
    return kept(f"silent for {worst_s:.1f} s at most")


def before_deadline(transcript: Transcript) -> Verdict:
    """The next statement comes before the last one has run out."""
    gaps = _gaps(transcript)
    for gap_s, limit in gaps:
        ttl_s = DEFAULT_TTL_S if limit.ttl_s is None else limit.ttl_s
        if gap_s > ttl_s:
            return broken(f"ttl_s {ttl_s:g}, but {gap_s:.1f} s of silence: it counted as dead meanwhile")
    return kept() if gaps else unseen(NO_STATEMENT)


def ends_in_time(transcript: Transcript) -> Verdict:
    """`ttl_s` does not outlive `until` by more than 2 s."""
    seen = 0
    for heard, limit in transcript.said(LIMIT, Limit):
        if limit.until is None:
            continue
        seen += 1
        left_s = (limit.until - heard.wall).total_seconds()
        ttl_s = DEFAULT_TTL_S if limit.ttl_s is None else limit.ttl_s
        if ttl_s > max(0.0, left_s) + GRACE_S + TRANSIT_S:
            return broken(f"ttl_s {ttl_s:g} outlives until, which is {left_s:.1f} s away: cut ttl_s to it")
    return kept() if seen else unseen("no statement had an `until`")


def states_something(transcript: Transcript) -> Verdict:
    """A statement states something, and a null switch is no statement."""
    said = [limit for _, limit in transcript.said(LIMIT, Limit)]
    for limit in said:
        null = [name for name in SWITCHES if name in limit.model_fields_set and getattr(limit, name) is None]
        if null:
            return broken(f"{null[0]} is null, which states nothing: say true or false, or leave it out")
        if (
            not any(limit.states(name) for name in (*WATT_LIMITS, *SWITCHES))
            and limit.storage_target_w is None
        ):
            return broken(
                'it limits nothing: name a limit (null: "no limit"), or take it back with an empty payload'
            )
    return kept() if said else unseen(NO_STATEMENT)


def keeps_its_attributes(transcript: Transcript) -> Verdict:
    """What was stated is stated in the next statement too: "no limit" is null, not left out."""
    said = [limit for _, limit in transcript.said(LIMIT, Limit)]
    for before, after in pairwise(said):
        lost = [name for name in (*WATT_LIMITS, *SWITCHES) if before.states(name) and not after.states(name)]
        if lost:
            means = "its fallback" if transcript.subject.obligation else "nothing"
            return broken(
                f'{lost[0]} was stated, then left out, which means {means}: for "no limit" say null'
            )
    return kept() if len(said) > 1 else unseen("fewer than two statements were heard")


def withdraws(transcript: Transcript) -> Verdict:
    """An empty payload that leaves nothing stored."""
    live = transcript.live(LIMIT)
    if not any(not heard.payload for heard in live):
        return unseen("it took nothing back meanwhile")
    if not live[-1].payload and transcript.stored_after(LIMIT) is not None:
        return broken(
            "the empty payload was sent without the retain flag: the broker still holds the last limit"
        )
    return kept()


def stored_with_stamp(transcript: Transcript) -> Verdict:
    """A stored copy can be aged by `issued_at` alone."""
    payload = transcript.stored(LIMIT)
    if payload is None:
        return unseen("the broker holds no copy")
    limit = decoded(Limit, payload)
    if limit is None or limit.issued_at is None:
        return broken("the stored copy has no issued_at: whoever starts later cannot know its age")
    return kept()


RULES = (
    Rule("limit-source/speaks", "Statements come on `limit/NAME`.", PLACE, common.spoke(LIMIT, 1)),
    Rule(
        "limit-source/payload",
        "A statement is one JSON object of the documented fields; limits are positive watts, "
        "within 64 KiB; unknown fields are allowed.",
        PLACE,
        common.valid(LIMIT),
    ),
    Rule("limit-source/version", "It says `v: 1`.", PLACE, common.versioned(LIMIT)),
    Rule(
        "limit-source/issued-at",
        "`issued_at` is within 5 s of the receiver's clock and never goes back; only a "
        "preference may leave it out.",
        "docs/safety.md, a stored or stale message of an obligation",
        common.stamped(LIMIT, _obliged),
    ),
    Rule("limit-source/period", "A statement is repeated every 10 s (here: within 15 s).", PLACE, repeats),
    Rule(
        "limit-source/deadline",
        "The next statement comes within `ttl_s` (60 s without it).",
        PLACE,
        before_deadline,
    ),
    Rule("limit-source/until", "`ttl_s` ends at most 2 s after `until`.", PLACE, ends_in_time),
    Rule(
        "limit-source/states",
        "A statement states something; a null switch does not.",
        PLACE,
        states_something,
    ),
    Rule(
        "limit-source/null",
        '"No limit" is null; what is left out states nothing (an obligation: its fallback).',
        PLACE,
        keeps_its_attributes,
    ),
    Rule("limit-source/qos", "Statements are sent at QoS 1.", PLACE, common.at_qos(LIMIT)),
    Rule("limit-source/stored", "Statements carry the retain flag.", PLACE, common.is_stored(LIMIT)),
    Rule("limit-source/stored-age", "The stored copy has `issued_at`.", PLACE, stored_with_stamp),
    Rule(
        "limit-source/withdrawal",
        "It is taken back by an empty payload with the retain flag.",
        PLACE,
        withdraws,
    ),
    *common.life("limit-source"),
)

NOT_JUDGED = (
    "Whether the limit is the right one, and whether site.yaml lists the source: an unlisted one has no effect.",
    "A `ttl_s` above the source's `max_ttl_s` is cut to it (300 s for an obligation, a day for a preference).",
)
