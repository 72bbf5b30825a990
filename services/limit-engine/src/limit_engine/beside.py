"""What stands beside the inverters and obeys: loads and batteries with their readings and what they were told. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dynexport.settings.devices import Battery, Load
from limit_engine.history import Series

READING_AGE_S = 5.0
OBEYS_WITHIN_S = 10.0


@dataclass(slots=True)
class Lately:
    """The most that one was allowed to use in the last seconds, watts; infinity while nothing was told."""

    _told: deque[tuple[float, float]] = field(default_factory=deque)

    def keep(self, told_w: float, mono: float) -> None:
        """It is told this now."""
        while self._told and mono - self._told[0][0] > OBEYS_WITHIN_S:
            self._told.popleft()
        if len(self._told) > 1 and self._told[-1][1] == self._told[-2][1] == told_w:
            self._told.pop()
        self._told.append((mono, told_w))

    def most_w(self, mono: float) -> float:
        """Watts."""
        return max((told_w for at, told_w in self._told if mono - at <= OBEYS_WITHIN_S), default=math.inf)


@dataclass(slots=True)
class Meters:
    """The readings of one device: its power over time, and when it was heard last (monotonic).

    `obeyed` is the part of its use (`sign` + for a load, - for a battery) that it was allowed: what a reading says
    beyond that does not obey us, or is wrong, and leaves room to nobody.
    """

    sign: float = 1.0
    power: Series = field(default_factory=Series)
    obeyed: Series = field(default_factory=Series)
    lately: Lately = field(default_factory=Lately)
    heard: float = float("-inf")

    def hear(self, moment: float, mono: float, power_w: float) -> None:
        """A reading, measured at `moment`."""
        if not self.fresh(mono):
            self.power, self.obeyed = Series(), Series()
        self.power.add(moment, power_w)
        self.obeyed.add(moment, self.sign * min(self.sign * power_w, self.lately.most_w(mono)))
        self.heard = mono

    def fresh(self, mono: float) -> bool:
        """Whether its last reading counts."""
        return mono - self.heard <= READING_AGE_S

    @property
    def power_w(self) -> float:
        """The last reading, watts; 0 before the first."""
        return self.power.samples[-1][1] if self.power.samples else 0.0


@dataclass(slots=True)
class LoadState:
    """A load: its place in site.yaml, its readings (+ consumption), what it may use now, and since when it is off."""

    settings: Load
    meters: Meters = field(default_factory=Meters)
    told_w: float = 0.0
    off_since: float = float("-inf")

    def used_w(self, start: float, end: float, mono: float) -> tuple[float, float]:
        """Least and most that it used over a window, watts; silent, it counts as using all that it is allowed."""
        if not self.meters.fresh(mono):
            return self.told_w, self.told_w
        least_w, most_w = self.meters.obeyed.bounds(start, end)
        return max(0.0, least_w), max(0.0, most_w)


@dataclass(slots=True)
class BatteryState:
    """A battery that we may command: its readings (+ discharge), and the most that it was allowed to charge."""

    settings: Battery
    meters: Meters = field(default_factory=lambda: Meters(sign=-1.0))
    charge_told_w: float = 0.0

    @property
    def rated_w(self) -> float:
        """What it can discharge at most, watts."""
        return self.settings.rated_w

    @property
    def max_charge_w(self) -> float:
        """What it can charge at most, watts: its discharge where nobody says."""
        return self.settings.max_charge_w or self.settings.rated_w

    def charged_w(self, start: float, end: float, mono: float) -> tuple[float, float]:
        """Least and most that it charged over a window, watts; silent, it counts as charging all that it is allowed."""
        if not self.meters.fresh(mono):
            return self.charge_told_w, self.charge_told_w
        least_w, most_w = self.meters.obeyed.bounds(start, end)
        return max(0.0, -most_w), max(0.0, -least_w)


@dataclass(slots=True)
class Beside:
    """All of them by id, in the order of site.yaml."""

    loads: dict[str, LoadState]
    batteries: dict[str, BatteryState]
    has_batteries: bool = False

    @classmethod
    def of(cls, loads: Iterable[Load], batteries: Sequence[Battery], *, others: bool = False) -> Beside:
        """From `site.yaml`: its loads, and those of its batteries that we may command; `others` make and store, too."""
        return cls(
            {load.id: LoadState(load, told_w=load.rated_w) for load in loads},
            {each.id: BatteryState(each) for each in batteries if each.control == "charge_rate"},
            has_batteries=bool(batteries) or others,
        )

    @property
    def capacity_w(self) -> float:
        """What all of them can use at most, watts."""
        return sum(load.settings.rated_w for load in self.loads.values()) + sum(
            battery.max_charge_w for battery in self.batteries.values()
        )

    @property
    def discharge_w(self) -> float:
        """What the batteries discharge at their last readings, watts, - charge."""
        return sum(battery.meters.power_w for battery in self.batteries.values())

    def used_w(self, start: float, end: float, mono: float) -> tuple[float, float]:
        """Least and most that all of them used over a window, watts: loads and charging, discharge not counted."""
        spans = [load.used_w(start, end, mono) for load in self.loads.values()]
        spans += [battery.charged_w(start, end, mono) for battery in self.batteries.values()]
        return sum(least for least, _ in spans), sum(most for _, most in spans)

    def discharge_span_w(self, start: float, end: float, mono: float) -> tuple[float, float]:
        """Least and most that the batteries with fresh readings discharged over a window, watts, - charge."""
        spans = [
            each.meters.power.bounds(start, end)
            for each in self.batteries.values()
            if each.meters.fresh(mono)
        ]
        return sum(least for least, _ in spans), sum(most for _, most in spans)

    def absorbed_w(self, battery_w: float | None, mono: float) -> float | None:
        """What may answer a change of generation before the meter sees it: all batteries, less what the loads use.

        `battery_w` is what all batteries of the site deliver; None where there is none, or one is not known.
        """
        if not self.loads:
            return battery_w
        known = all(load.meters.fresh(mono) for load in self.loads.values())
        if not known or (battery_w is None and self.has_batteries):
            return None
        return (battery_w or 0.0) - sum(load.meters.power_w for load in self.loads.values())

    def late(self, end: float, mono: float) -> bool:
        """Whether one that answers has not been read since `end`: what it does then is a guess."""
        meters = [load.meters for load in self.loads.values()]
        meters += [battery.meters for battery in self.batteries.values()]
        return any(each.fresh(mono) and each.power.newest < end for each in meters)
