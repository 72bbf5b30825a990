"""What is said on the bus: `limit/csip`, `csip/status`, `csip/schedule`, and the events between."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from csip_client.in_force import InForce
from csip_client.model import Held, Mode
from csip_client.obey import Now, Obedience
from csip_client.schedule import Schedule
from csip_client.statement import Statement
from dynexport import messages as m
from dynexport.clock import rfc3339
from dynexport.inbox import LARGEST_PAYLOAD

TTL_S, RAMPING_TTL_S = 60.0, 7.0
TRUE_BEYOND_S = 2.0
MOST_W, LONGEST_REF = 1e8, 200  # what a message may hold: servers say "no limit" by larger numbers
COMING_S = 48 * 3600.0
LONGEST_NAME = 200  # characters of an mRID or a program in `csip/schedule`; the standard's have 32
WORDS = {
    "export_limit_w": "export at most {:.0f} W",
    "generation_limit_w": "generate at most {:.0f} W",
    "import_limit_w": "import at most {:.0f} W",
    "load_limit_w": "use at most {:.0f} W",
}


def limit(now: Now, wall: datetime, server_now: float | None) -> m.Limit | None:
    """The statement as `limit/csip`; None when there is nothing to state, and the fallback counts."""
    statement = now.statement
    if not statement.watts and not statement.switches and statement.storage_target_w is None:
        return None
    left_s = TTL_S if now.until is None or server_now is None else now.until - server_now + TRUE_BEYOND_S
    fields: dict[str, Any] = {
        **{name: round(min(value, MOST_W), 1) for name, value in statement.watts.items()},
        **statement.switches,
        "issued_at": wall,
        "ttl_s": round(max(1.0, min(RAMPING_TTL_S if now.ramping else TTL_S, left_s)), 1),
        "reason": reason(statement, now.in_force, known=server_now is not None),
    }
    if statement.storage_target_w is not None:
        fields["storage_target_w"] = max(-MOST_W, min(MOST_W, statement.storage_target_w))
    acting = _acting(now.in_force)
    if acting is not None:
        fields["ref"] = acting.control.mrid[:LONGEST_REF]
    ends = [found.until for found in now.in_force.values() if found.until is not None]
    if ends:
        fields["until"] = datetime.fromtimestamp(min(ends), UTC)
    return m.Limit(**fields)


def reason(statement: Statement, in_force: Mapping[Mode, InForce], *, known: bool) -> str:
    """A sentence: who asks for what."""
    asks = [WORDS[name].format(value) for name, value in statement.watts.items()]
    asks += [f"{name}: {'yes' if value else 'no'}" for name, value in statement.switches.items()]
    what = ", ".join(asks) or "nothing that limits"
    if not known:
        return f"utility, the tightest that is stored while its time is not known: {what}"
    acting = _acting(in_force)
    who = "utility default" if acting is None else f"utility control {acting.control.mrid}"
    held = (
        "; something in it could not be read, so the fallback holds, too" if Mode.UNKNOWN in in_force else ""
    )
    return f"{who}: {what}{held}"


def schedule(obedience: Obedience, now: Now, wall: datetime, server_now: float) -> m.CsipSchedule:
    """What is in force, and the segments of the coming 48 hours: the nearest, where not all fit into a payload."""
    current = {str(mode): _in_force(found) for mode, found in now.in_force.items()}
    whole = m.CsipSchedule(issued_at=wall, current=current, coming=_coming(obedience.plan, server_now))
    if _size(whole) <= LARGEST_PAYLOAD:
        return whole
    counts = range(len(whole.coming))
    fitting = bisect_right(counts, LARGEST_PAYLOAD, key=lambda count: _size(_first(whole, count)))
    return _first(whole, max(0, fitting - 1))


def _first(whole: m.CsipSchedule, count: int) -> m.CsipSchedule:
    """The `count` nearest segments, fewer than all, and the moment from which they are not all."""
    until = datetime.fromisoformat(whole.coming[count]["start"])
    return whole.model_copy(update={"coming": whole.coming[:count], "coming_until": until})


def _size(said: m.CsipSchedule) -> int:
    """Bytes on the wire."""
    return len(said.to_payload())


def _coming(plan: Schedule, server_now: float) -> list[dict[str, Any]]:
    segments = [
        (segment.start, str(mode), segment)
        for mode, line in plan.items()
        for segment in line
        if segment.end > server_now and segment.start < server_now + COMING_S
    ]
    return [
        {
            "mode": mode,
            "value": segment.held.control.values[Mode(mode)],
            "start": rfc3339(datetime.fromtimestamp(start, UTC)),
            "end": rfc3339(datetime.fromtimestamp(segment.end, UTC)),
            "mrid": segment.held.control.mrid[:LONGEST_NAME],
            "program": segment.held.control.program[:LONGEST_NAME],
        }
        for start, mode, segment in sorted(segments, key=lambda each: each[:2])
    ]


def _in_force(found: InForce) -> dict[str, Any]:
    said = {"value": found.value, "origin": found.origin}
    return said if found.held is None else {**said, "program": found.held.control.program[:LONGEST_NAME]}


def _acting(in_force: Mapping[Mode, InForce]) -> Held | None:
    """The control whose modes are named first: of export and generation before all others."""
    order = (Mode.EXPORT, Mode.GENERATION, *Mode)
    return next(
        (found.held for mode in order if (found := in_force.get(mode)) and found.held is not None), None
    )
