"""Which answers (DERControlResponse) are due: 1, 2, 3, 6 and 7, each once, in the order of csip.md section 7. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from csip_client.holding import LONGEST_RANDOM_S, Key
from csip_client.model import Answer, Control, Held, Status
from csip_client.schedule import Schedule, Segment, Window, effective, windows

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
    courses = _Courses(everything, plan)
    found = [Due(one, answer) for one in everything for answer in _answers(one, courses, now, awake_since)]
    return sorted(
        found, key=lambda each: (ORDER[each.answer], each.held.control.start, each.held.control.mrid)
    )


class _Courses:
    """When each control acts and when it ends: found for all of them at once, and only when one is asked about."""

    def __init__(self, everything: Sequence[Held], plan: Schedule) -> None:
        self._everything = everything
        self._plan = plan

    def segments(self, control: Control) -> list[Segment]:
        """Where it acts, in all of its modes."""
        return self._segments.get(control.key, [])

    def last_end(self, control: Control, alone: int) -> int:
        """The end of its window in the mode in which it ends last; `alone` for a control that states nothing."""
        return self._last_ends.get(control.key, alone)

    @cached_property
    def _segments(self) -> dict[Key, list[Segment]]:
        found: dict[Key, list[Segment]] = {}
        for line in self._plan.values():
            for segment in line:
                found.setdefault(segment.held.control.key, []).append(segment)
        return found

    @cached_property
    def _last_ends(self) -> dict[Key, int]:
        found: dict[Key, int] = {}
        for mode in {mode for one in self._everything for mode in one.control.values}:
            for window in windows(self._everything, mode):
                key = window.held.control.key
                found[key] = max(window.end, found.get(key, window.end))
        return found


def _asked(held: Held) -> int:
    """RespondableResource.responseRequired: bit 0 receipt, bit 1 everything specific.

    Nobody asks without replyTo, nor for a control whose program is withdrawn (CSIP-AUS P-02).
    """
    nobody = held.control.reply_to is None or held.withdrawn_at is not None
    return 0 if nobody else held.control.response_required


def _answers(held: Held, courses: _Courses, now: float, awake_since: float) -> Iterable[Answer]:
    asked = _asked(held)
    if asked & RECEIVED_BIT and Answer.RECEIVED not in held.answered:
        yield Answer.RECEIVED
    if not asked & SPECIFIC_BIT or held.answered & FINAL:
        return
    if held.control.status is Status.SUPERSEDED:
        yield Answer.SUPERSEDED
    elif held.cancelled_at is not None:
        yield Answer.CANCELLED
    else:
        yield from _of_its_course(held, courses, now, awake_since)


def _of_its_course(held: Held, courses: _Courses, now: float, awake_since: float) -> Iterable[Answer]:
    window = effective(held)
    if window is None or now < window.start or _ran_while_off(held, window, awake_since):
        return
    alone = Segment(held, window.start, window.end)
    acts = courses.segments(held.control) if held.control.values else [alone]
    acted = [segment for segment in acts if segment.start <= now and segment.end > awake_since]
    ended = now >= courses.last_end(held.control, window.end)
    if acted and Answer.STARTED not in held.answered:
        yield Answer.STARTED
    elif ended and Answer.STARTED in held.answered:
        yield Answer.COMPLETED
    elif not ended and not any(segment.end > now for segment in acted):
        yield Answer.SUPERSEDED


def _ran_while_off(held: Held, window: Window, awake_since: float) -> bool:
    """Never started and over before we were there, even if a successor that was drawn late stretched it."""
    latest = max(window.end, held.control.end + LONGEST_RANDOM_S)
    return Answer.STARTED not in held.answered and latest <= awake_since
