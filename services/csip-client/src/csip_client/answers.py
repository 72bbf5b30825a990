"""Which answers (DERControlResponse) are due: 1, 2, 3, 6 and 7, each once, in the order of csip.md section 7. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from csip_client.model import Answer, Held, Status
from csip_client.schedule import Schedule, Segment, effective, windows

FINAL = frozenset({Answer.COMPLETED, Answer.CANCELLED, Answer.SUPERSEDED})
ORDER = {
    Answer.RECEIVED: 0,
    Answer.CANCELLED: 1,
    Answer.SUPERSEDED: 1,
    Answer.COMPLETED: 2,
    Answer.STARTED: 3,
}
RECEIVED_BIT, SPECIFIC_BIT = 1, 2


@dataclass(frozen=True, slots=True)
class Due:
    """One answer to send now."""

    held: Held
    answer: Answer


def due(held: Iterable[Held], plan: Schedule, now: float, *, awake_since: float) -> list[Due]:
    """What is to be answered now; a control that ran wholly before `awake_since`, while we were off, gets no 2 or 3.

    All 1s go first, then 6 and 7, then 3, then 2. One control gets 2 and 3 in two calls.
    """
    everything = list(held)
    found = [
        Due(one, answer) for one in everything for answer in _answers(one, everything, plan, now, awake_since)
    ]
    wanted = [each for each in found if _asked_for(each)]
    return sorted(
        wanted, key=lambda each: (ORDER[each.answer], each.held.control.start, each.held.control.mrid)
    )


def _asked_for(each: Due) -> bool:
    """RespondableResource.responseRequired: bit 0 receipt, bit 1 everything specific; without replyTo nobody asks."""
    control = each.held.control
    bit = RECEIVED_BIT if each.answer is Answer.RECEIVED else SPECIFIC_BIT
    return control.reply_to is not None and bool(control.response_required & bit)


def _answers(
    held: Held, everything: list[Held], plan: Schedule, now: float, awake_since: float
) -> Iterable[Answer]:
    if Answer.RECEIVED not in held.answered:
        yield Answer.RECEIVED
    if held.answered & FINAL:
        return
    if held.control.status is Status.SUPERSEDED:
        yield Answer.SUPERSEDED
    elif held.cancelled_at is not None:
        yield Answer.CANCELLED
    else:
        yield from _of_its_course(held, everything, plan, now, awake_since)


def _of_its_course(
    held: Held, everything: list[Held], plan: Schedule, now: float, awake_since: float
) -> Iterable[Answer]:
    window = effective(held)
    if window is None or now < window.start:
        return
    acts = _segments(held, plan) if held.control.values else [Segment(held, window.start, window.end)]
    acted = [segment for segment in acts if segment.start <= now and segment.end > awake_since]
    ended = now >= _last_end(held, everything, window.end)
    if acted and Answer.STARTED not in held.answered:
        yield Answer.STARTED
    elif ended and Answer.STARTED in held.answered:
        yield Answer.COMPLETED
    elif not ended and not any(segment.end > now for segment in acted):
        yield Answer.SUPERSEDED


def _segments(held: Held, plan: Schedule) -> list[Segment]:
    return [
        segment for line in plan.values() for segment in line if segment.held.control.key == held.control.key
    ]


def _last_end(held: Held, everything: list[Held], alone: int) -> int:
    """The end of its window in the mode in which it ends last; `alone` for a control that states nothing."""
    ends = [
        window.end
        for mode in held.control.values
        for window in windows(everything, mode)
        if window.held.control.key == held.control.key
    ]
    return max(ends, default=alone)
