"""Which control acts when, per control mode, over all assignments and programs. Pure.

IEEE 2030.5 10.2.3 and 12.1.3 as csip.md reads them: lower primacy wins, at the same primacy the later creation; an
overlap or a gap that only randomisation made is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from csip_client.model import Control, Held, Mode, Status


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
    return [_beside(window, alone) for window in alone]


def effective(held: Held) -> Window | None:
    """A control's own window: start and duration with its draws, cut by a cancellation; None when it has none."""
    control, draws = held.control, held.draws
    start = control.start + draws.start
    end = start + control.duration + draws.duration
    if control.status is Status.SUPERSEDED:
        return None
    if held.cancelled_at is not None:
        late = draws.cancel if control.status is Status.CANCELLED_RANDOMISED else 0
        end = min(end, held.cancelled_at + late) if start < held.cancelled_at else start
    return Window(held, start, end) if end > start else None


def _beside(window: Window, others: Sequence[Window]) -> Window:
    """Cut at, or stretched to, the effective start of the event that nominally follows."""
    control = window.held.control
    later = [other for other in others if other is not window and _follows(other.held.control, control)]
    end = min([window.end, *(other.start for other in later)])
    next_starts = [other.start for other in later if other.held.control.start == control.end]
    if next_starts and window.held.cancelled_at is None:
        end = min(next_starts)
    return Window(window.held, window.start, max(window.start, end))


def _follows(later: Control, earlier: Control) -> bool:
    return later.start >= earlier.end


def _line(candidates: Sequence[Window]) -> list[Segment]:
    """The best candidate between every two edges, adjacent ones of the same control joined."""
    edges = sorted({edge for window in candidates for edge in (window.start, window.end)})
    line: list[Segment] = []
    for start, end in pairwise(edges):
        present = [window.held for window in candidates if window.start <= start and end <= window.end]
        if not present:
            continue
        best = min(present, key=rank)
        if line and line[-1].held is best and line[-1].end == start:
            line[-1] = Segment(best, line[-1].start, end)
        else:
            line.append(Segment(best, start, end))
    return line


def rank(held: Held) -> tuple[int, int, str, str]:
    """The smaller one wins; device and mRID only make the order total."""
    return held.control.primacy, -held.created, held.control.mrid, held.control.device
