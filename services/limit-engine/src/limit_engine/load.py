"""What the house uses, from two streams that are never of the same moment.

A meter sample fixes the load only as far as we know the generation at the sample's own moment, so each sample
is an interval: site + least generation, site + most generation over the window in which it may lie. The
estimate follows what the interval proves: it falls to the least load as soon as the whole interval lies below
it, rises only on a complete interval whose least lies above it, and is averaged while the interval is narrow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

LONGEST_MEAN = 20
NOISE_FLOOR_W = 3.0
FIRST_NOISE_W = 20.0
NOISE_GAIN = 0.05


@dataclass(frozen=True, slots=True)
class LoadSample:
    """One meter sample as an interval of the load, watts.

    `complete`: every inverter has been read at or after the sample's window. `calm`: generation moved no
    faster than our own ramp, so that the interval may raise the estimate.
    """

    low_w: float
    high_w: float
    complete: bool
    calm: bool


@dataclass(frozen=True, slots=True)
class LoadEstimate:
    """The load, the number of samples behind its mean, and the noise of one sample (standard deviation)."""

    mean_w: float
    samples: int = 1
    noise_w: float = FIRST_NOISE_W
    last_w: float | None = None
    same_side: int = 0

    @property
    def least_w(self) -> float:
        """The mean less its own uncertainty: what the target is built on."""
        return self.mean_w - self.noise_w / math.sqrt(self.samples)

    @property
    def threshold_w(self) -> float:
        """A deviation beyond this is a change of the load, not noise."""
        return 4.0 * self.noise_w + 10.0


def first(sample: LoadSample) -> LoadEstimate:
    """Start from the least load that the first sample allows."""
    return LoadEstimate(sample.low_w)


def update(estimate: LoadEstimate, sample: LoadSample) -> LoadEstimate:
    """Take in one sample; level-triggered, so that a later, better view of the same sample replaces it."""
    threshold_w = estimate.threshold_w
    if sample.high_w < estimate.mean_w - threshold_w:
        return _jump(estimate, sample.low_w)
    if sample.low_w > estimate.mean_w + threshold_w:
        return _jump(estimate, sample.low_w) if sample.complete and sample.calm else estimate
    if sample.high_w - sample.low_w > max(2.0 * estimate.noise_w, 10.0):
        return replace(estimate, last_w=None)
    if sample.low_w > estimate.mean_w and not sample.complete:
        return estimate
    return _average(estimate, sample.low_w)


def _jump(estimate: LoadEstimate, value_w: float) -> LoadEstimate:
    noise_w = estimate.noise_w
    if estimate.last_w is not None:
        noise_w = _noise(noise_w, value_w - estimate.last_w)
    return LoadEstimate(value_w, 1, noise_w, value_w)


def _average(estimate: LoadEstimate, value_w: float) -> LoadEstimate:
    deviation_w = value_w - estimate.mean_w
    noise_w = estimate.noise_w
    if estimate.last_w is not None:
        noise_w = _noise(noise_w, value_w - estimate.last_w)
    side = _run(estimate.same_side, deviation_w, noise_w)
    samples = min(estimate.samples + 1, LONGEST_MEAN)
    if abs(side) >= 3:  # three in a row on one side, beyond one deviation: a small change, follow it
        samples, side = min(samples, 3), 0
    return LoadEstimate(estimate.mean_w + deviation_w / samples, samples, noise_w, value_w, side)


def _run(run: int, deviation_w: float, noise_w: float) -> int:
    if abs(deviation_w) < noise_w:
        return 0
    sign = 1 if deviation_w > 0 else -1
    return run + sign if run * sign >= 0 else sign


def _noise(noise_w: float, difference_w: float) -> float:
    """Half the squared difference of neighbours, winsorised so that a step of the load hardly counts."""
    square = min(difference_w * difference_w / 2.0, (4.0 * noise_w + 20.0) ** 2)
    return max(NOISE_FLOOR_W, math.sqrt(noise_w**2 + NOISE_GAIN * (square - noise_w**2)))


@dataclass(slots=True)
class LoadFollower:
    """An estimate over time: each sample is seen again and again until it is complete, and counts once."""

    now: LoadEstimate | None = None
    _before: LoadEstimate | None = None

    def commit(self) -> None:
        """A new sample begins: what the last one told stays."""
        self._before = self.now

    def see(self, sample: LoadSample) -> None:
        """The sample as it is seen now, in place of how it was seen before."""
        self.now = first(sample) if self._before is None else update(self._before, sample)

    def take_back(self) -> None:
        """The newest sample is not believed: what it has raised is lowered again."""
        if self.now is not None and self._before is not None and self._before.mean_w < self.now.mean_w:
            self.now = self._before

    def forget(self) -> None:
        """Start anew."""
        self.now = self._before = None
