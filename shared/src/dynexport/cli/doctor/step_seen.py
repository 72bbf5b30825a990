"""One step of an inverter as the readings show it: how far it moved, and what the meter showed of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

STEP_S, BEFORE_S, AFTER_S, LOOK_S = 15.0, 6.0, 12.0, 5.0
DRIFT = 0.4
FEWEST = 3


@dataclass(frozen=True, slots=True)
class Samples:
    """Readings with their moments (monotonic, seconds), watts: the inverter's, the meter's and its phases'."""

    made: Sequence[tuple[float, float]]
    meter: Sequence[tuple[float, float]]
    phases: Sequence[Sequence[tuple[float, float]]] = ()


@dataclass(frozen=True, slots=True)
class Shift:
    """What the step changed, watts (+ more): the inverter, the meter, its phases; `noise_w` is the meter's own.

    `drifted`: before and after it were not the same, so the sun or the house changed meanwhile.
    """

    made_w: float
    meter_w: float
    noise_w: float
    drifted: bool
    phases_w: tuple[float, ...] = ()

    @property
    def ratio(self) -> float:
        """What the meter shows of the step: 1 is all of it, as import; 0 none; negative the opposite."""
        return -self.meter_w / self.made_w if self.made_w else 0.0


@dataclass(frozen=True, slots=True)
class Levels:
    """The medians before, in and after the step, watts."""

    before: float
    within: float
    after: float

    @property
    def change_w(self) -> float:
        """The step against the mean of both sides, which takes a slow drift out."""
        return self.within - (self.before + self.after) / 2.0

    @property
    def drifted(self) -> bool:
        """Whether the two sides differ by much of the change."""
        return abs(self.after - self.before) > DRIFT * abs(self.change_w)


def seen(samples: Samples, began: float, step_s: float, end: float) -> Shift | None:
    """A step that began at `began`, was watched until `end`; None where too few readings came."""
    made, meter = _levels(samples.made, began, step_s, end), _levels(samples.meter, began, step_s, end)
    if made is None or meter is None:
        return None
    phases = [_levels(phase, began, step_s, end) for phase in samples.phases]
    noise_w = max(_spread(_within(samples.meter, *window)) for window in _windows(began, step_s, end))
    return Shift(
        made.change_w,
        meter.change_w,
        noise_w,
        made.drifted or (meter.drifted and abs(meter.after - meter.before) > noise_w),
        tuple(levels.change_w for levels in phases if levels is not None),
    )


def _windows(began: float, step_s: float, end: float) -> tuple[tuple[float, float], ...]:
    """Where all stands still: up to the step, its last seconds, the last seconds of all."""
    return ((began - LOOK_S, began), (began + step_s - LOOK_S, began + step_s), (end - LOOK_S, end))


def _levels(points: Sequence[tuple[float, float]], began: float, step_s: float, end: float) -> Levels | None:
    stretches = [_within(points, *window) for window in _windows(began, step_s, end)]
    if any(len(stretch) < FEWEST for stretch in stretches):
        return None
    return Levels(*(median(stretch) for stretch in stretches))


def _within(points: Sequence[tuple[float, float]], start: float, end: float) -> list[float]:
    return [value for moment, value in points if start <= moment <= end]


def _spread(values: Sequence[float]) -> float:
    """The median distance from the median: a single spike of a load does not count."""
    middle = median(values)
    return median(abs(value - middle) for value in values)
