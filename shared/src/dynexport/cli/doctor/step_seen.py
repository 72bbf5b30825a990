"""One step of an inverter as the readings show it: how far it moved, and what the meter showed of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

STEP_S, BEFORE_S, AFTER_S, LOOK_S = 15.0, 6.0, 12.0, 5.0
SETTLES_S, STILL = 3.0, 0.02
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


def seen(samples: Samples, began: float, over: float, end: float | None) -> Shift | None:
    """A step from `began` to `over`, watched until `end`; without an end nothing after it counts.

    None where too few readings came.
    """
    windows = [(began - LOOK_S, began), (max(began + SETTLES_S, over - LOOK_S), over)]
    if end is not None:
        windows.append((end - LOOK_S, end))
    made, meter = _levels(samples.made, windows), _levels(samples.meter, windows)
    if made is None or meter is None:
        return None
    phases = [_levels(phase, windows) for phase in samples.phases]
    noise_w = _noise_w(samples, windows, meter.change_w / made.change_w if made.change_w else 0.0)
    return Shift(
        made.change_w,
        meter.change_w,
        noise_w,
        made.drifted or (meter.drifted and abs(meter.after - meter.before) > noise_w),
        tuple(levels.change_w for levels in phases if levels is not None),
    )


def calm(samples: Samples, mono: float, rated_w: float) -> bool:
    """Whether the inverter has stood still lately."""
    recent = _within(samples.made, mono - BEFORE_S, mono)
    return len(recent) >= FEWEST and max(recent) - min(recent) < STILL * rated_w


def _levels(points: Sequence[tuple[float, float]], windows: Sequence[tuple[float, float]]) -> Levels | None:
    stretches = [_within(points, *window) for window in windows]
    if any(len(stretch) < FEWEST for stretch in stretches):
        return None
    before, within, *after = (median(stretch) for stretch in stretches)
    return Levels(before, within, after[0] if after else before)


def _noise_w(samples: Samples, windows: Sequence[tuple[float, float]], slope: float) -> float:
    """The meter's own unrest: what is left of it when its answer to the inverter, that of the step, is taken out."""
    spreads = []
    for window in windows:
        rests = [
            value - slope * _made_at(samples, moment) for moment, value in _points(samples.meter, *window)
        ]
        middle = median(rests)  # a single spike of a load does not count
        spreads.append(median(abs(rest - middle) for rest in rests))
    return max(spreads)


def _made_at(samples: Samples, moment: float) -> float:
    earlier = [power_w for at, power_w in samples.made if at <= moment]
    return earlier[-1] if earlier else samples.made[0][1]


def _points(points: Sequence[tuple[float, float]], start: float, end: float) -> list[tuple[float, float]]:
    return [(moment, value) for moment, value in points if start <= moment <= end]


def _within(points: Sequence[tuple[float, float]], start: float, end: float) -> list[float]:
    return [value for _, value in _points(points, start, end)]
