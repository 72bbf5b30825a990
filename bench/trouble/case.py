"""One running site in trouble: how to cause it, and what to measure of it."""

from __future__ import annotations

import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from bench.record import Sample
from bench.scenarios import Figure
from bench.stack import CLOCK, CONTROL, Stack, stack
from dynexport import topics
from dynexport.messages import Active, Mode
from dynexport.ports import Received
from dynexport.topics import Topic

LIMIT_W, FAILSAFE_W, LOAD_W, RATED_W = 5000.0, 1500.0, 3000.0, 10_000.0
TIGHT_W, LOAD_HIGH_W, LOAD_LOW_W = 1500.0, 5000.0, 500.0  # of the rows with a load that drops by 4.5 kW
BAND_W = 50.0
MEAN_S = 60.0
STEPS_WITHIN_S = 20.0  # on a busy machine the simulator may be late
WASTED_W = 200.0
METER = "meter"


@dataclass(slots=True)
class Case:
    """A site with its export limit, watts; `brief` shortens the waits that prove nothing by their length."""

    site: Stack
    limit_w: float
    brief: bool

    def settle(self, limit_w: float | None = None, timeout_s: float = 60.0) -> float:
        """Wait for closed loop at the limit; the seconds it took. Raises RuntimeError when it does not come."""
        wanted_w = self.limit_w if limit_w is None else limit_w
        took_s = self.reach(
            lambda now: wanted_w - WASTED_W < now.export_w < wanted_w + BAND_W, timeout_s, for_s=2.0
        )
        if took_s >= timeout_s:
            last = self.site.record.samples[-1]
            raise RuntimeError(
                f"no closed loop at {wanted_w:.0f} W in {timeout_s:.0f} s: "
                f"export {last.export_w:.0f} W, load {last.load_w:.0f} W\n{self.site.logs()}"
            )
        return took_s

    def reach(self, holds: Callable[[Sample], bool], timeout_s: float, *, for_s: float = 1.0) -> float:
        """Seconds from now until the truth begins to fulfil this for `for_s`; `timeout_s` when it does not."""
        start = CLOCK.mono()
        while CLOCK.mono() - start < timeout_s:
            self.site.wait(0.2)
            since: float | None = None
            for sample in self.site.record.since(start):
                since = (since if since is not None else sample.mono) if holds(sample) else None
            if since is not None and self.site.record.samples[-1].mono - since >= for_s:
                return since - start
        return timeout_s

    def fault(self, name: str, device: str | None = None, value: float | None = None) -> float:
        """Cause a fault in the simulator; returns the moment."""
        moment = CLOCK.mono()
        self.site.simulate(name, value, device)
        return moment

    def load(self, watts: float) -> float:
        """Step the house's load; returns the moment at which it stepped."""
        asked = CLOCK.mono() - 0.1
        self.site.simulate("load_w", watts)
        end = asked + STEPS_WITHIN_S
        while CLOCK.mono() < end:
            self.site.wait(0.1)
            moment = self.site.record.load_change(asked)
            if moment is not None:
                return moment
        raise RuntimeError(f"the load has not stepped to {watts:.0f} W\n{self.site.logs()}")

    def mode(self, wanted: Mode, since: float, timeout_s: float) -> float:
        """Seconds from `since` until the engine says this mode; `timeout_s` when it does not."""
        return self.hear(
            topics.ACTIVE, lambda said: isinstance(said, Active) and said.mode is wanted, since, timeout_s
        )

    def hear(self, topic: Topic, wanted: Callable[[object], bool], since: float, timeout_s: float) -> float:
        """Seconds from `since` until such a message came; `timeout_s` when it does not."""
        while True:
            for received in self.heard(topic, since):
                if wanted(received.message):
                    return received.mono - since
            if CLOCK.mono() - since >= timeout_s:
                return timeout_s
            self.site.wait(0.1)

    def heard(self, topic: Topic, since: float) -> list[Received]:
        """What came on a topic since a moment."""
        return [said for said in self.site.heard if said.topic is topic and said.mono >= since]

    def over_s(self, since: float, ceiling_w: float | None = None, until: float = float("inf")) -> float:
        """Seconds from `since` until export is within the ceiling (the limit) for good."""
        ceiling = (self.limit_w if ceiling_w is None else ceiling_w) + BAND_W
        over = [now.mono for now in self.site.record.since(since, until) if now.export_w > ceiling]
        return max(over, default=since) - since

    def above_s(self, since: float, generation_w: float, until: float = float("inf")) -> float:
        """Seconds from `since` until generation is within this for good: export if the house used nothing."""
        ceiling = generation_w + BAND_W
        over = [n.mono for n in self.site.record.since(since, until) if n.export_w + n.load_w > ceiling]
        return max(over, default=since) - since

    def over_w(self, since: float, until: float = float("inf")) -> float:
        """How far the worst 60 s mean of the export is above the limit, watts; a shorter stretch is one mean."""
        return max(0.0, worst_mean_w(list(self.site.record.since(since, until))) - self.limit_w)


def worst_mean_w(samples: list[Sample]) -> float:
    """The highest mean export over any 60 s, watts."""
    if not samples:
        raise RuntimeError("nothing was recorded")
    moments = [sample.mono for sample in samples]
    powers = [sample.export_w for sample in samples]
    if moments[-1] - moments[0] <= MEAN_S:
        return statistics.fmean(powers)
    sums = [0.0, *accumulate(powers)]
    starts = range(bisect_right(moments, moments[-1] - MEAN_S))
    ends = (bisect_left(moments, moments[start] + MEAN_S) for start in starts)
    return max((sums[end] - sums[start]) / (end - start) for start, end in zip(starts, ends, strict=True))


Run = Callable[[Case], Iterator[Figure]]


@dataclass(frozen=True, slots=True, eq=False)
class Trouble:
    """A scenario: the rows it measures, the shape of its site, what is done. `services` False: it starts them."""

    rows: tuple[str, ...]
    run: Run
    shape: Mapping[str, Any] = field(default_factory=dict)
    services: bool = True


def standard(**shape: Any) -> dict[str, Any]:
    """A site that settles at 8 kW of generation: limit 5 kW, load 3 kW, failsafe 1.5 kW."""
    return {"export_limit_w": LIMIT_W, "load_w": LOAD_W, **shape}


def tight(**shape: Any) -> dict[str, Any]:
    """The site of the load step: limit 1.5 kW, load 5 kW, which drops by 4.5 kW."""
    return {"export_limit_w": TIGHT_W, "load_w": LOAD_HIGH_W, **shape}


def measure(trouble: Trouble, *, brief: bool) -> list[Figure]:
    """Run one scenario on a site of its own; raises RuntimeError when the site does not do what it must."""
    with stack(**trouble.shape) as site:
        for topic in (topics.METER_READING, topics.SETPOINT, topics.EVENT, topics.HEALTH):
            site.bus.subscribe(topic)
        case = Case(site, trouble.shape["export_limit_w"], brief)
        if trouble.services:
            site.start(CONTROL)
            case.settle()
        return list(trouble.run(case))
