"""The control law of control.md: from what is known now to what each inverter may make.

Pure: no IO, no clock. Readings are fed in with the moment at which they were measured (seconds, monotonic);
`decide` re-derives the whole decision every time it is asked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dynexport.messages import InverterState, Location, Mode
from limit_engine.inverters import Track
from limit_engine.latency import MeterLatency
from limit_engine.load import LoadEstimate, LoadSample, first, update
from limit_engine.meter import MeterSample, MeterStream
from limit_engine.plausibility import Plausibility
from limit_engine.ramp import Ramp
from limit_engine.sharing import Taker, share_out

MOVING_S, MOVING, LESSON = 3.0, 0.002, 0.05
NOTICED_S = 0.1  # from the end of the meter's deadline to the setpoint that answers it


@dataclass(frozen=True, slots=True)
class Plan:
    """The fixed figures of a site: ratings by inverter id, watts, and the settings of the law."""

    rated_w: Mapping[str, float]
    up_ramp_pct_per_s: float = 20.0
    headroom_pct: float = 10.0
    meter_period_s: float = 0.5
    location: Location = Location.FEED_IN
    has_battery: bool = False

    @property
    def total_w(self) -> float:
        """The sum of the ratings."""
        return sum(self.rated_w.values())

    @property
    def open_loop_after_s(self) -> float:
        """How old the last meter reading may be: open loop is in force within 4 s, or 3 periods if longer."""
        return max(4.0, 3.0 * self.meter_period_s) - NOTICED_S


@dataclass(frozen=True, slots=True)
class Bounds:
    """What limits this cycle, watts: None is no limit.

    `blind_w`: all that makes power and does not obey us, as open loop has to count it; `uncontrolled_w`: of
    that what a generation limit counts; `unseen_w`: inverters that do not answer, as both count them.
    """

    export_limit_w: float | None
    generation_limit_w: float | None = None
    failsafe_w: float | None = None
    blind_w: float = 0.0
    uncontrolled_w: float = 0.0
    unseen_w: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What each inverter is commanded (`commands_w`, gain counted in) and why, watts."""

    mode: Mode
    target_w: float
    shares_w: Mapping[str, float]
    commands_w: Mapping[str, float]
    load_w: float | None
    limited: bool


@dataclass(slots=True)
class ControlLaw:
    """The state of the law between cycles."""

    plan: Plan
    latency: MeterLatency = field(default_factory=MeterLatency)
    stream: MeterStream = field(default_factory=MeterStream)
    load: LoadEstimate | None = None
    ramp: Ramp = field(init=False)
    tracks: dict[str, Track] = field(init=False)
    plausibility: Plausibility = field(init=False)
    _committed: LoadEstimate | None = None
    _sample: MeterSample | None = None
    _complete: bool = False
    _meter_heard: float = float("-inf")
    _site_w: float = 0.0
    _mode: Mode = Mode.FAILSAFE
    _entry_w: float = 0.0

    def __post_init__(self) -> None:
        rate = self.plan.up_ramp_pct_per_s / 100.0
        self.ramp = Ramp(0.0, rate * self.plan.total_w)
        self.tracks = {
            name: Track(name, rated_w, Ramp(0.0, rate * rated_w))
            for name, rated_w in self.plan.rated_w.items()
        }
        self.plausibility = Plausibility(self.plan.total_w, self.plan.has_battery)

    def hear_meter(self, moment: float, mono: float, power_w: float, battery_w: float | None = None) -> None:
        """A meter reading, measured at `moment`, heard at `mono`."""
        self._meter_heard, self._site_w = mono, power_w
        if self.plan.location is Location.FEED_IN:
            generation_w = sum(track.power_w for track in self._answering(mono))
            self.plausibility.observe(mono, power_w, generation_w, battery_w)
        sample = self.stream.read(moment, power_w)
        if sample is not None:
            self._committed, self._sample, self._complete = self.load, sample, False
            self.latency.add((sample.earliest + sample.latest) / 2.0, power_w)
            self._learn_latency(mono)

    def hear_inverter(
        self,
        name: str,
        moment: float,
        mono: float,
        power_w: float,
        state: InverterState,
        available_w: float | None = None,
    ) -> None:
        """An inverter's reading, measured at `moment`, heard at `mono`; unknown names raise KeyError."""
        self.tracks[name].hear(moment, mono, power_w, state, available_w)
        self.tracks[name].learn(mono)

    def hear_applied(self, name: str, mono: float, applied_w: float) -> None:
        """What the writer has really written to an inverter, watts; unknown names raise KeyError."""
        self.tracks[name].written(mono, applied_w)

    def start_from(self, shares_w: Mapping[str, float]) -> None:
        """Take over: the ramps start from these shares, never from more than stands."""
        for name, track in self.tracks.items():
            track.ramp.level_w = shares_w.get(name, 0.0)
        self.ramp.level_w = sum(track.share_w for track in self.tracks.values())

    def decide(self, bounds: Bounds, mono: float, *, ready: bool, open_switch: bool = False) -> Decision:
        """One cycle. `ready` False is failsafe; `open_switch` disconnects, so that the way back is ramped."""
        self._estimate(mono)
        mode = self._choose_mode(mono, ready)
        target_w = self._target(bounds, mode)
        if open_switch:
            target_w = 0.0
        limited = target_w < self.plan.total_w
        may_rise = mode is not Mode.NORMAL or mono - self._meter_heard <= 2.0 * self.plan.meter_period_s + 0.1
        total_w = self.ramp.follow(min(target_w, self.plan.total_w), mono, may_rise=may_rise)
        shares = self._share(total_w, bounds, mode, mono, may_rise)
        commands = {name: shares[name] / track.gain.value for name, track in self.tracks.items()}
        return Decision(mode, total_w, shares, commands, self.load.mean_w if self.load else None, limited)

    def meter_fresh(self, mono: float) -> bool:
        """Whether the last meter reading is young enough for closed loop."""
        return mono <= self.meter_deadline

    @property
    def meter_deadline(self) -> float:
        """Until when the last meter reading counts."""
        return self._meter_heard + self.plan.open_loop_after_s

    def _choose_mode(self, mono: float, ready: bool) -> Mode:
        stale = not self.meter_fresh(mono) or self.load is None
        if not ready:
            mode = Mode.FAILSAFE
        elif stale or self.plausibility.wrong:
            mode = Mode.OPEN_LOOP
        else:
            mode = Mode.NORMAL
        if mode is Mode.OPEN_LOOP and self._mode is not Mode.OPEN_LOOP:
            self._entry_w = sum(track.share_w for track in self.tracks.values())
        if mode is not Mode.NORMAL:
            self.load = self._committed = self._sample = None
        self._mode = mode
        return mode

    def _target(self, bounds: Bounds, mode: Mode) -> float:
        ceiling_w = math.inf
        if bounds.generation_limit_w is not None:
            ceiling_w = max(0.0, bounds.generation_limit_w - bounds.uncontrolled_w - bounds.unseen_w)
        export_w = math.inf if bounds.export_limit_w is None else bounds.export_limit_w
        if mode is Mode.NORMAL and self.load is not None:
            return max(0.0, min(self.load.least_w + export_w, ceiling_w))
        if mode is Mode.OPEN_LOOP:
            return min(max(0.0, export_w - bounds.blind_w - bounds.unseen_w), ceiling_w, self._entry_w)
        blind_w = min(max(0.0, export_w - bounds.blind_w), ceiling_w)
        return min(blind_w, math.inf if bounds.failsafe_w is None else bounds.failsafe_w)

    def _share(
        self, total_w: float, bounds: Bounds, mode: Mode, mono: float, may_rise: bool
    ) -> dict[str, float]:
        headroom = self._headroom(bounds)
        answering = {track.id for track in self._answering(mono)}
        if mode is Mode.FAILSAFE:
            answering = set(self.tracks)
        takers = [
            Taker(track.id, track.rated_w, track.ceiling_w(headroom))
            for track in self.tracks.values()
            if track.id in answering
        ]
        wanted = share_out(total_w, takers)
        shares = {}
        for track in self.tracks.values():
            want_w = wanted.get(track.id)
            if (
                want_w is None
            ):  # it does not answer: what it makes is part of the load, and it is never raised
                want_w = min(track.share_w, total_w * track.rated_w / self.plan.total_w)
            shares[track.id] = track.ramp.follow(want_w, mono, may_rise=may_rise)
            track.command(shares[track.id], mono)
        return shares

    def _headroom(self, bounds: Bounds) -> float | None:
        least = [limit for limit in (bounds.export_limit_w, bounds.generation_limit_w) if limit is not None]
        if not least or min(least) >= self.plan.total_w:
            return None
        return self.plan.headroom_pct / 100.0

    def _answering(self, mono: float) -> Sequence[Track]:
        return [track for track in self.tracks.values() if track.answers(mono) and track.power.samples]

    def _estimate(self, mono: float) -> None:
        """Level-triggered: the sample is looked at again until every inverter was read after it."""
        if self._sample is None or (self._complete and self.load is not None):
            return
        view = self._view(self._sample, self._answering(mono))
        self._complete = view.complete
        self.load = first(view) if self._committed is None else update(self._committed, view)

    def _learn_latency(self, mono: float) -> None:
        answering = self._answering(mono)
        if self.plan.location is not Location.FEED_IN or not answering:
            return
        if abs(sum(track.power.slope(MOVING_S) for track in answering)) > MOVING * self.plan.total_w:
            known_from = max(track.power.samples[0][0] for track in answering)
            self.latency.learn(
                lambda moment: sum(track.power.at(moment) for track in answering),
                known_from,
                LESSON * self.plan.total_w,
            )

    def _view(self, sample: MeterSample, answering: Sequence[Track]) -> LoadSample:
        if self.plan.location is Location.CONSUMPTION:
            return LoadSample(sample.power_w, sample.power_w, complete=True, calm=True)
        least_s, most_s = self.latency.window_s
        # A meter cannot show what is yet to come: only readings of the inverters that are late push the end on.
        start, end = sample.earliest - most_s, sample.latest - max(least_s, min(0.0, most_s))
        low = high = sample.power_w
        complete, rate = True, 0.0
        for track in answering:
            lowest, highest = track.power.bounds(start, end)
            low, high = low + lowest, high + highest
            complete = complete and track.power.newest >= end
            rate += (highest - lowest) / (end - start) if end > start else 0.0
        return LoadSample(low, high, complete, rate <= 1.2 * self.ramp.rate_w_per_s)
