"""Which control acts when, per control mode, over all assignments and programs. Pure.

IEEE 2030.5 10.2.3 and 12.1.3 as csip.md reads them: lower primacy wins, at the same primacy the later creation; an
overlap or a gap that only randomisation made is none.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise

from csip_client.model import Held, Mode, Status


@dataclass(frozen=True, slots=True)
class Window:
    """When one control would act in one mode if it were alone: [start, end), server's seconds."""

    held: Held
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Segment:
    """[start, end) in which this control acts."""

    held: Held
    start: int
    end: int


Schedule = Mapping[Mode, Sequence[Segment]]


def schedule(held: Iterable[Held]) -> dict[Mode, list[Segment]]:
    """Per mode the segments in order of time; they never overlap, and a mode without any is left out."""
    everything = list(held)
    lines = {mode: _line(windows(everything, mode)) for mode in Mode}
    return {mode: line for mode, line in lines.items() if line}


def acting(line: Sequence[Segment], now: float) -> Held | None:
    """The control in force in one mode, or None."""
    return next((segment.held for segment in line if segment.start <= now < segment.end), None)


def next_change(plan: Schedule, now: float) -> int | None:
    """The next moment at which something starts or ends; None when nothing is to come."""
    edges = (edge for line in plan.values() for segment in line for edge in (segment.start, segment.end))
    return min((edge for edge in edges if edge > now), default=None)


def windows(held: Iterable[Held], mode: Mode) -> list[Window]:
    """The effective windows of all controls with this mode, after their neighbours' randomisation."""
    alone = [window for one in held if mode in one.control.values and (window := effective(one)) is not None]
    neighbours = _Neighbours(alone)
    return [_beside(window, neighbours) for window in alone]


def effective(held: Held) -> Window | None:
    """A control's own window: start and duration with its draws, cut by a cancellation.

    None when it has none: superseded by the server, withdrawn, or over before it began.
    """
    control, draws = held.control, held.draws
    start = control.start + draws.start
    end = start + control.duration + draws.duration
    if control.status is Status.SUPERSEDED or held.withdrawn_at is not None:
        return None
    if held.cancelled_at is not None:
        late = draws.cancel if control.status is Status.CANCELLED_RANDOMISED else 0
        end = min(end, held.cancelled_at + late) if start < held.cancelled_at else start
    return Window(held, start, end) if end > start else None


class _Neighbours:
    """The earliest effective starts, server's seconds, of the events that nominally start at a moment or later.

    Sorted once, so that a day of five-minute events costs no look at every pair; the two earliest are kept, because
    an event without duration nominally follows itself.
    """

    def __init__(self, alone: Sequence[Window]) -> None:
        ordered = sorted(alone, key=lambda window: window.held.control.start)
        self._nominal = [window.held.control.start for window in ordered]
        self._from: list[tuple[Window, ...]] = [()]
        self._at: dict[int, tuple[Window, ...]] = {}
        for window in reversed(ordered):
            start = window.held.control.start
            self._from.append(_two_earliest(window, self._from[-1]))
            self._at[start] = _two_earliest(window, self._at.get(start, ()))
        self._from.reverse()

    def start_from(self, moment: int, but: Window) -> int | None:
        """Of those that nominally start at the moment or later, without this one; None: there is none."""
        return _earliest(self._from[bisect_left(self._nominal, moment)], but)

    def start_at(self, moment: int, but: Window) -> int | None:
        """Of those that nominally start at this very moment, without this one; None: there is none."""
        return _earliest(self._at.get(moment, ()), but)


def _two_earliest(window: Window, others: tuple[Window, ...]) -> tuple[Window, ...]:
    return tuple(sorted((window, *others), key=lambda each: each.start)[:2])


def _earliest(candidates: tuple[Window, ...], but: Window) -> int | None:
    return next((window.start for window in candidates if window is not but), None)


def _beside(window: Window, neighbours: _Neighbours) -> Window:
    """Cut at, or stretched to, the effective start of the event that nominally follows."""
    nominal_end = window.held.control.end
    later = neighbours.start_from(nominal_end, window)
    end = window.end if later is None else min(window.end, later)
    successor = neighbours.start_at(nominal_end, window)
    if successor is not None and window.held.cancelled_at is None:
        end = successor
    return Window(window.held, window.start, max(window.start, end))


def _line(candidates: Sequence[Window]) -> list[Segment]:
    """The best candidate between every two edges, adjacent ones of the same control joined."""
    edges = sorted({edge for window in candidates for edge in (window.start, window.end)})
    coming = sorted(candidates, key=lambda window: window.start, reverse=True)
    present: list[tuple[tuple[int, int, str, str], int, Window]] = []  # a heap, the best on top
    line: list[Segment] = []
    for start, end in pairwise(edges):
        while coming and coming[-1].start <= start:
            window = coming.pop()
            heappush(present, (rank(window.held), len(coming), window))
        while present and present[0][2].end <= start:
            heappop(present)
        if present:
            _extend(line, Segment(present[0][2].held, start, end))
    return line


def _extend(line: list[Segment], found: Segment) -> None:
    """Add it, joined to the last one where the same control goes on."""
    if line and line[-1].held is found.held and line[-1].end == found.start:
        line[-1] = Segment(found.held, line[-1].start, found.end)
    else:
        line.append(found)


def rank(held: Held) -> tuple[int, int, str, str]:
    """The smaller one wins; device and mRID only make the order total."""
    return held.control.primacy, -held.created, held.control.mrid, held.control.device
