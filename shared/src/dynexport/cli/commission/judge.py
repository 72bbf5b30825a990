"""Whether a site reached a level in time and held it: from samples, pure.

A level is held when export stays within 4 % of the inverters' ratings of it. Of the ratings, because what inverters
and meters are off by goes with their size, not with the level, and 4 % of a limit of 0 W would be nothing at all. The
distributors' papers that were at hand do not say of what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import mean, median

TOLERANCE = 0.04
WITHIN_S = 15.0
HOLD_S = 120.0
STEADY_S = 3.0
FREE = 0.05
MOSTLY = 0.25


class Outcome(StrEnum):
    """How a level went."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_REACHABLE = "not reachable now"
    TIGHTER = "not testable"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Sample:
    """One moment (monotonic, seconds), watts: export negative while importing, `held_w` the inverters' limits."""

    mono: float
    export_w: float
    made_w: float
    held_w: float | None = None

    @property
    def load_w(self) -> float:
        """What the house uses."""
        return self.made_w - self.export_w


@dataclass(frozen=True, slots=True)
class Run:
    """What was seen of one level from the moment at which it was set; `tighter` and `trouble` ended it, in words."""

    level_w: float
    began: float
    hold_s: float
    samples: tuple[Sample, ...]
    switched: tuple[float, ...] = ()
    tighter: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Excursion:
    """A stretch out of the band, `over` it or under; `load_w` is by how much the house's load was another after it."""

    start: float
    end: float
    over: bool
    load_w: float
    free: bool

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Judgement:
    """One level's outcome, why in a sentence, and its figures: seconds, watts; None where there is none."""

    level_w: float
    outcome: Outcome
    sentence: str
    reached_s: float | None = None
    held_s: float | None = None
    mean_w: float | None = None
    over_w: float | None = None
    excursions: tuple[Excursion, ...] = ()

    @property
    def over_s(self) -> float:
        """The longest time over the band, seconds."""
        return max((one.seconds for one in self.excursions if one.over), default=0.0)


def judge(run: Run, rated_w: float) -> Judgement:
    """The verdict on one level, `rated_w` is the sum of the ratings."""
    if run.tighter:
        return Judgement(run.level_w, Outcome.TIGHTER, run.tighter)
    if run.trouble:
        return Judgement(run.level_w, Outcome.ABORTED, run.trouble)
    tolerance_w = TOLERANCE * rated_w
    reached = _reached(run, tolerance_w)
    if reached is None:
        return _never(run, tolerance_w, rated_w)
    held = [sample for sample in run.samples if sample.mono >= reached]
    excursions = tuple(_excursions(held, run.level_w, tolerance_w, rated_w))
    outcome, sentence = _verdict(run, reached, held, excursions, tolerance_w)
    return Judgement(
        run.level_w,
        outcome,
        sentence,
        reached_s=reached - run.began,
        held_s=held[-1].mono - reached,
        mean_w=mean(sample.export_w for sample in held),
        over_w=max(sample.export_w for sample in held) - run.level_w,
        excursions=excursions,
    )


def _reached(run: Run, tolerance_w: float) -> float | None:
    """The first moment from which export stays in the band for some seconds."""
    since: float | None = None
    for sample in run.samples:
        if abs(sample.export_w - run.level_w) > tolerance_w:
            since = None
        elif since is None:
            since = sample.mono
        elif sample.mono - since >= STEADY_S:
            return since
    return None


def _never(run: Run, tolerance_w: float, rated_w: float) -> Judgement:
    """It was never in the band for long: over it, below it with inverters that make all they can, or just below."""
    late = [sample for sample in run.samples if sample.mono >= run.began + WITHIN_S]
    if not late:
        return Judgement(run.level_w, Outcome.ABORTED, "too few readings came")
    most_w = max(sample.export_w for sample in late)
    if most_w > run.level_w + tolerance_w:
        sentence = (
            f"export was still {most_w:.0f} W, {most_w - run.level_w:.0f} W over, after {WITHIN_S:.0f} s"
        )
        return Judgement(run.level_w, Outcome.FAILED, sentence, over_w=most_w - run.level_w)
    usual_w = median(sample.export_w for sample in late)
    if _free(late, rated_w):
        sentence = f"all that the site could make left {max(0.0, usual_w):.0f} W of export"
        return Judgement(run.level_w, Outcome.NOT_REACHABLE, sentence, mean_w=usual_w)
    sentence = f"export stayed at {usual_w:.0f} W though the inverters could make more"
    return Judgement(run.level_w, Outcome.FAILED, sentence, mean_w=usual_w)


def _verdict(
    run: Run,
    reached: float,
    held: Sequence[Sample],
    excursions: Sequence[Excursion],
    tolerance_w: float,
) -> tuple[Outcome, str]:
    took_s = reached - run.began
    if took_s > WITHIN_S:
        return Outcome.FAILED, f"reached after {took_s:.1f} s, {WITHIN_S:.0f} s are allowed"
    for one in excursions:
        if one.over and abs(one.load_w) < tolerance_w / 2:
            return Outcome.FAILED, f"over the level for {one.seconds:.1f} s though the load had not changed"
        if one.seconds > WITHIN_S and not (one.free and not one.over):
            where = "over" if one.over else "under"
            return Outcome.FAILED, f"{where} the level for {one.seconds:.1f} s after the load had changed"
    shaded_s = sum(one.seconds for one in excursions if one.free and not one.over and one.seconds > WITHIN_S)
    lasted_s = held[-1].mono - reached
    if lasted_s < run.hold_s:
        return Outcome.ABORTED, f"held for {lasted_s:.0f} s of {run.hold_s:.0f} s"
    if shaded_s > MOSTLY * lasted_s:
        return (
            Outcome.NOT_REACHABLE,
            f"the sun did not last: for {shaded_s:.0f} s the site could not make enough",
        )
    return Outcome.PASSED, f"reached in {took_s:.1f} s, held for {lasted_s:.0f} s"


def _excursions(
    held: Sequence[Sample], level_w: float, tolerance_w: float, rated_w: float
) -> list[Excursion]:
    """Every stretch out of the band, with the load before and after it."""
    found, inside = [], 0
    for at, sample in enumerate(held):
        if abs(sample.export_w - level_w) <= tolerance_w:
            if at > inside:
                found.append(_excursion(held, inside, at, level_w, rated_w))
            inside = at + 1
    if inside < len(held):
        found.append(_excursion(held, inside, len(held), level_w, rated_w))
    return found


def _excursion(held: Sequence[Sample], first: int, end: int, level_w: float, rated_w: float) -> Excursion:
    stretch = held[first:end]
    start, stop = stretch[0].mono, held[min(end, len(held) - 1)].mono
    before = [one.load_w for one in held if start - STEADY_S <= one.mono < start]
    after = [one.load_w for one in held if stop <= one.mono <= stop + STEADY_S]
    load_w = median(after) - median(before) if before and after else 0.0
    return Excursion(start, stop, stretch[0].export_w > level_w, load_w, _free(stretch, rated_w))


def _free(stretch: Sequence[Sample], rated_w: float) -> bool:
    """Whether the inverters made all that they could: less than they might, or their whole rating."""
    slack_w = FREE * rated_w
    full = [
        sample
        for sample in stretch
        if sample.made_w >= rated_w - slack_w
        or (sample.held_w is not None and sample.made_w < sample.held_w - slack_w)
    ]
    return len(full) > len(stretch) / 2
