"""The plant used for judging: inverters with lag, dead time and a scale error, a house, and a late meter.

Pure and exact: between events each inverter follows its first-order lag in closed form, so the step size
does not matter. Times are seconds on any clock of the caller's; power in watts, + generation, site + import.
With `load_share` the site has three phases, and the meter measures each.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from dynexport.sharing import PHASES, part_on
from dynexport.testing.plant_battery import Beside


@dataclass(frozen=True, slots=True)
class InverterModel:
    """One inverter: `gain` is the scale error of its limit, `phase` what it feeds (a, b, c or abc)."""

    rated_w: float = 10_000.0
    tau_s: float = 1.0
    dead_time_s: float = 0.0
    gain: float = 1.0
    phase: str = "abc"


@dataclass(slots=True)
class PlantInverter:
    """State of one inverter; `limit_w` None is "no limit"."""

    model: InverterModel
    available_w: float
    power_w: float = 0.0
    limit_w: float | None = None
    connected: bool = True
    revert_at: float | None = None
    revert_limit_w: float | None = None
    behind_w: float = 0.0  # what a battery on its DC side gives: its limit is of both together
    _pending: deque[tuple[float, float | None, bool]] = field(default_factory=deque)

    @property
    def aim_w(self) -> float:
        """Where its power tends to now."""
        if not self.connected:
            return 0.0
        ceiling = min(self.available_w, self.model.rated_w)
        if self.limit_w is None:
            return ceiling
        return max(0.0, min(ceiling, self.limit_w * self.model.gain - self.behind_w))

    def command(self, at: float, limit_w: float | None, connected: bool = True) -> None:
        """Write a limit at time `at`; it takes effect after the dead time."""
        self._pending.append((at + self.model.dead_time_s, limit_w, connected))

    def revert_after(self, at: float, seconds: float | None, limit_w: float | None) -> None:
        """Arm the device's own timer: at `at + seconds` the limit becomes `limit_w`; None disarms it."""
        self.revert_at = None if seconds is None else at + seconds
        self.revert_limit_w = limit_w

    def next_event(self) -> float:
        """When a pending command or the timer takes effect; infinity when there is none."""
        pending = self._pending[0][0] if self._pending else math.inf
        return min(pending, math.inf if self.revert_at is None else self.revert_at)

    def take_effect(self, now: float) -> None:
        """Apply what is due at `now`."""
        if self.revert_at is not None and self.revert_at <= now:
            self.limit_w, self.revert_at = self.revert_limit_w, None
        while self._pending and self._pending[0][0] <= now:
            _, self.limit_w, self.connected = self._pending.popleft()

    def flow(self, seconds: float) -> None:
        """Follow the lag for `seconds` with the aim held."""
        if seconds > 0:
            self.power_w += (self.aim_w - self.power_w) * -math.expm1(-seconds / self.model.tau_s)


@dataclass(frozen=True, slots=True)
class MeterModel:
    """The site meter: sampled every `refresh_s` (0: at every read), shown `latency_s` later."""

    refresh_s: float = 0.0
    latency_s: float = 0.0
    noise_w: float = 8.0
    phase_s: float = 0.0


@dataclass(frozen=True, slots=True)
class MeterValue:
    """What the meter shows, watts + import; `phases_w` is empty for one that measures the sum only."""

    power_w: float
    phases_w: tuple[float, ...] = ()


class Plant:
    """A whole site. Set `load_w`, `load_share` and each `available_w` at will, after `advance` to that moment."""

    def __init__(
        self,
        inverters: Sequence[InverterModel],
        *,
        load_w: float = 500.0,
        load_share: Sequence[float] = (),
        meter: MeterModel | None = None,
        seed: int = 1,
        start: float = 0.0,
        beside: Beside | None = None,
    ) -> None:
        self.inverters = [PlantInverter(model, available_w=model.rated_w) for model in inverters]
        self.beside = beside or Beside()
        self.load_w = load_w
        self.load_share = tuple(load_share)
        self.meter = meter or MeterModel()
        self.now = start
        self._random = random.Random(seed)
        self._refresh = self.meter.refresh_s or (0.02 if self.meter.latency_s else 0.0)
        self._next_sample = start + self.meter.phase_s
        self._samples: deque[tuple[float, MeterValue]] = deque([(-math.inf, self._true())])

    @property
    def generation_w(self) -> float:
        """What all inverters make together, true."""
        return sum(inverter.power_w for inverter in self.inverters)

    @property
    def site_w(self) -> float:
        """Power at the grid connection, + import, true."""
        return self.load_w - self.generation_w + self.beside.net_w

    @property
    def phases_w(self) -> tuple[float, ...]:
        """Power at the grid connection by phase, + import, true; empty for a site whose phases are not told apart."""
        return tuple(
            self.load_w * share
            - sum(inverter.power_w * part_on(phase, inverter.model.phase) for inverter in self.inverters)
            + self.beside.net_on(phase)
            for phase, share in zip(PHASES, self.load_share, strict=False)
        )

    def settle(self) -> None:
        """Put every inverter where it tends to; the meter has seen it."""
        self._see_behind()
        for inverter in self.inverters:
            inverter.take_effect(self.now)
            inverter.power_w = inverter.aim_w
        self.beside.settle(self.load_w - self.generation_w)
        self._samples = deque([(-math.inf, self._true())])

    def advance(self, until: float) -> None:
        """Let time pass to `until`, exactly."""
        while self.now < until:
            events = [inverter.next_event() for inverter in self.inverters]
            sample_at = self._next_sample if self._refresh else math.inf
            moment = max(self.now, min(until, sample_at, self.beside.until(self.now), *events))
            self._see_behind()
            self.beside.flow(moment - self.now, self.load_w - self.generation_w)
            for inverter in self.inverters:
                inverter.flow(moment - self.now)
            self.now = moment
            for inverter in self.inverters:
                inverter.take_effect(moment)
            self.beside.take_effect(moment)
            if sample_at <= moment:
                self._samples.append((moment + self.meter.latency_s, self._measure()))
                self._next_sample += self._refresh

    def _see_behind(self) -> None:
        """A hybrid inverter's battery gives no more than the inverter's limit, and the sun makes room for it."""
        for battery in self.beside.batteries:
            if battery.host is not None:
                host = self.inverters[battery.host]
                host.behind_w = battery.power_w
                battery.most_w = math.inf if host.limit_w is None else host.limit_w * host.model.gain

    def read_meter(self) -> MeterValue:
        """What the meter shows now."""
        if not self._refresh:
            return self._measure()
        while len(self._samples) > 1 and self._samples[1][0] <= self.now:
            self._samples.popleft()
        return self._samples[0][1]

    def _true(self) -> MeterValue:
        return MeterValue(self.site_w, self.phases_w)

    def _measure(self) -> MeterValue:
        """Each phase has its part of the noise, and the sum is the sum of the phases."""
        if not self.load_share:
            return MeterValue(self.site_w + self._noise(1))
        phases_w = tuple(power_w + self._noise(len(PHASES)) for power_w in self.phases_w)
        return MeterValue(sum(phases_w), phases_w)

    def _noise(self, parts: int) -> float:
        return self._random.gauss(0.0, self.meter.noise_w / math.sqrt(parts)) if self.meter.noise_w else 0.0
