"""One meter sample seen against the inverters' histories: the interval of the load that it allows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dynexport.sharing import part_on
from limit_engine.inverters import Track
from limit_engine.load import LoadSample
from limit_engine.meter import MeterSample

CALM = 1.2


@dataclass(frozen=True, slots=True)
class Window:
    """When the meter must have taken a sample, and what each inverter made then, least and most, watts.

    `late` have not been read since: what they made is a guess.
    """

    start: float
    end: float
    made: Sequence[tuple[Track, float, float]]
    late: frozenset[str]

    @property
    def seconds(self) -> float:
        """How long it is; 0 when it is empty."""
        return max(0.0, self.end - self.start)

    @property
    def made_w(self) -> tuple[float, float]:
        """Least and most that all of them made."""
        return sum(least for _, least, _ in self.made), sum(most for _, _, most in self.made)


def window(sample: MeterSample, latency_s: tuple[float, float], answering: Iterable[Track]) -> Window:
    """Least and most of each inverter over the window of a sample; `latency_s` is the meter's least and greatest."""
    least_s, most_s = latency_s
    # A meter cannot show what is yet to come: only readings of the inverters that are late push the end on.
    start, end = sample.earliest - most_s, sample.latest - max(least_s, min(0.0, most_s))
    made = [(track, *track.power.bounds(start, end)) for track in answering]
    late = frozenset(track.id for track, _, _ in made if track.power.newest < end)
    return Window(start, end, made, late)


def load_of_the_site(power_w: float, seen: Window, ramp_w_per_s: float) -> LoadSample:
    """What the house uses: the site's power and all that was made; calm when it moved no faster than our ramp."""
    low, high = seen.made_w
    return LoadSample(power_w + low, power_w + high, not seen.late, _calm(low, high, seen, ramp_w_per_s))


def load_of_a_phase(phase: str, power_w: float, seen: Window, ramp_w_per_s: float) -> LoadSample:
    """The same of one phase: only the inverters that feed it count, by their part."""
    low = high = 0.0
    complete = True
    for track, least, most in seen.made:
        part = part_on(phase, track.phase)
        if part:
            low, high = low + part * least, high + part * most
            complete = complete and track.id not in seen.late
    return LoadSample(power_w + low, power_w + high, complete, _calm(low, high, seen, ramp_w_per_s))


def _calm(low_w: float, high_w: float, seen: Window, ramp_w_per_s: float) -> bool:
    return seen.seconds <= 0 or high_w - low_w <= CALM * ramp_w_per_s * seen.seconds
