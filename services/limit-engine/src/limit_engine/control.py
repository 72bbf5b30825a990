"""The control law of control.md: from what is known now to what each inverter may make.

Pure: no IO, no clock. Readings are fed in with the moment at which they were measured (seconds, monotonic);
`decide` re-derives the whole decision every time it is asked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dynexport.messages import InverterState, Location, Mode
from dynexport.sharing import EVENLY, PHASES, on_phase
from limit_engine.inverters import Track
from limit_engine.latency import MeterLatency
from limit_engine.load import LoadEstimate, LoadFollower, LoadSample
from limit_engine.meter import MeterSample, MeterStream
from limit_engine.own_loops import OwnLoops
from limit_engine.phases import PhaseLoads
from limit_engine.plausibility import Plausibility
from limit_engine.ramp import Ramp
from limit_engine.shares import reach_w, shares_w
from limit_engine.terms import Bounds, Decision, Plan
from limit_engine.view import Window, load_of_a_phase, load_of_the_site, window

__all__ = ["Bounds", "ControlLaw", "Decision", "Plan"]

MOVING_S, MOVING, LESSON = 3.0, 0.002, 0.05
FULL_W = 1.0
EXPORTS = 0.01  # of all ratings: more than a cut-off meter errs by


@dataclass(slots=True)
class ControlLaw:
    """The state of the law between cycles."""

    plan: Plan
    latency: MeterLatency = field(default_factory=MeterLatency)
    stream: MeterStream = field(default_factory=MeterStream)
    phases: PhaseLoads = field(default_factory=PhaseLoads)
    ramp: Ramp = field(init=False)
    tracks: dict[str, Track] = field(init=False)
    islanded: bool | None = None
    plausibility: Plausibility = field(init=False)
    _total_w: float = field(init=False)
    _judges: dict[str, Plausibility] = field(init=False)
    _feeds: dict[str, str] = field(init=False)
    _rated_on_w: dict[str, float] = field(init=False)
    _load: LoadFollower = field(default_factory=LoadFollower)
    _own_loops: OwnLoops = field(default_factory=OwnLoops)
    _sample: MeterSample | None = None
    _complete: bool = False
    _meter_heard: float = float("-inf")
    _site_w: float = 0.0
    _mode: Mode = Mode.FAILSAFE
    _entry_w: float = 0.0

    def __post_init__(self) -> None:
        rate = self.plan.up_ramp_pct_per_s / 100.0
        self._total_w = self.plan.total_w
        self.ramp = Ramp(0.0, rate * self.plan.total_w)
        self.tracks = {
            name: Track(name, rated_w, Ramp(0.0, rate * rated_w), self.plan.feeds.get(name, EVENLY))
            for name, rated_w in self.plan.rated_w.items()
        }
        self.plausibility = Plausibility(self.plan.total_w, self.plan.has_battery)
        self._feeds = {name: track.phase for name, track in self.tracks.items()}
        self._rated_on_w = {phase: on_phase(phase, self.plan.rated_w, self._feeds) for phase in PHASES}
        self._judges = {
            phase: Plausibility(rated_w, self.plan.has_battery)
            for phase, rated_w in self._rated_on_w.items()
            if rated_w > 0
        }

    @property
    def meter_wrong(self) -> str | None:
        """Why the meter counts as dead though it is alive, in words; None when it makes sense."""
        if self.plausibility.wrong:
            return self.plausibility.wrong
        return next(
            (
                f"on phase {phase} {judge.wrong}, or an inverter's `phase` is not right"
                for phase, judge in self._judges.items()
                if judge.wrong
            ),
            None,
        )

    @property
    def sample(self) -> MeterSample | None:
        """The newest meter sample of closed loop."""
        return self._sample

    def seen(self, mono: float) -> Window | None:
        """The window of that sample, and what the inverters made in it; None without one."""
        if self._sample is None:
            return None
        return window(self._sample, self.latency.window_s, self._answering(mono))

    def timely(self, mono: float) -> bool:
        """Whether the meter is young enough to raise by."""
        return mono - self._meter_heard <= 2.0 * self.plan.meter_period_s + 0.1

    @property
    def load(self) -> LoadEstimate | None:
        """What the house uses, as far as it is known."""
        return self._load.now

    def hear_meter(
        self,
        moment: float,
        mono: float,
        power_w: float,
        battery_w: float | None = None,
        phases_w: tuple[float, ...] = (),
        *,
        islanded: bool | None = None,
    ) -> None:
        """A meter reading, measured at `moment`, heard at `mono`; `phases_w` is empty where it does not say them.

        Cut off from the grid (`islanded`) it is 0 whatever the house uses and the roof makes. So it only keeps the
        meter alive: the load stays as it was last known on the grid, and nothing is judged or learned by it. The
        reading before may have been one of the cut-off site already: what it has raised is taken back. One that
        shows an export is of a site on the grid, whatever its gateway says.
        """
        if islanded and self.plan.location is Location.FEED_IN:
            islanded = power_w > -EXPORTS * self.plan.total_w
        entered = bool(islanded) and not self.islanded
        self._meter_heard, self._site_w, self.islanded = mono, power_w, islanded
        if islanded and self.load is not None and self.plan.location is Location.FEED_IN:
            self._rest(mono, entered=entered, heard_phases=bool(phases_w))
            return
        if self.plan.location is Location.FEED_IN:
            made_w = {track.id: track.power_w for track in self._answering(mono)}
            self.plausibility.observe(mono, power_w, sum(made_w.values()), battery_w)
            for phase, phase_w in zip(PHASES, phases_w, strict=False):
                if phase in self._judges:
                    self._judges[phase].observe(mono, phase_w, on_phase(phase, made_w, self._feeds))
        if phases_w:
            self.phases.heard = mono
        sample = self.stream.read(moment, power_w, phases_w)
        if sample is not None:
            self._sample, self._complete = sample, False
            for load in (self._load, *self.phases.loads.values()):
                load.commit()
            self.latency.add((sample.earliest + sample.latest) / 2.0, power_w)
            self._learn_latency(mono)

    def _rest(self, mono: float, *, entered: bool, heard_phases: bool) -> None:
        if heard_phases:
            self.phases.heard = mono
        for load in (self._load, *self.phases.loads.values()) if entered else ():
            load.take_back()
        if entered:
            self._sample = None
        for judge in (self.plausibility, *self._judges.values()):
            judge.forget()

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
        phases_w = self.phases.targets_w(bounds.phases, mode, fresh=self._young(self.phases.heard, mono))
        may_rise = mode is not Mode.NORMAL or self._timely(mono, bounds)
        taking = list(self.tracks.values()) if mode is Mode.FAILSAFE else self._answering(mono)
        target_w = min(target_w, self._total_w)
        if phases_w:
            target_w = min(target_w, reach_w(target_w, phases_w, self.tracks, taking, bounds.caps_w))
        total_w = self.ramp.follow(target_w, mono, may_rise=may_rise)
        shares = shares_w(total_w, phases_w, self.tracks, taking, bounds.caps_w, self._headroom(bounds))
        shares = self._own_loops.make_room(shares, taking, total_w, mono)
        for name, track in self.tracks.items():
            shares[name] = track.ramp.follow(shares[name], mono, may_rise=may_rise)
            track.command(shares[name], mono)
        commands = {name: shares[name] / track.gain.value for name, track in self.tracks.items()}
        for name, cap_w in bounds.caps_w.items():  # a cap is one of the register, so gain does not lift it
            commands[name] = min(commands[name], cap_w)
        load_w = self.load.mean_w if self.load else None
        return Decision(mode, total_w, shares, commands, load_w, self._full(shares, phases_w))

    def meter_fresh(self, mono: float) -> bool:
        """Whether the last meter reading is young enough for closed loop."""
        return mono <= self.meter_deadline

    @property
    def meter_deadline(self) -> float:
        """Until when the last meter reading counts."""
        return self._meter_heard + self.plan.open_loop_after_s

    def _young(self, heard: float, mono: float) -> bool:
        return mono - heard <= self.plan.open_loop_after_s

    def _timely(self, mono: float, bounds: Bounds) -> bool:
        """Whether the meter is young enough to raise by."""
        closed = bounds.phases is not None and not self.phases.unknown
        heard = min(self._meter_heard, self.phases.heard) if closed else self._meter_heard
        return mono - heard <= 2.0 * self.plan.meter_period_s + 0.1

    def _choose_mode(self, mono: float, ready: bool) -> Mode:
        stale = not self.meter_fresh(mono) or self.load is None
        if not ready:
            mode = Mode.FAILSAFE
        elif stale or self.meter_wrong:
            mode = Mode.OPEN_LOOP
        else:
            mode = Mode.NORMAL
        if mode is Mode.OPEN_LOOP and self._mode is not Mode.OPEN_LOOP:
            self._entry_w = sum(track.share_w for track in self.tracks.values())
        if mode is not Mode.NORMAL:
            self._load.forget()
            self.phases.forget()
            self._sample = None
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

    def _full(self, shares_w: Mapping[str, float], phases_w: Mapping[str, float]) -> tuple[str, ...]:
        """The phases that have all that they may have, and could have more."""
        return tuple(
            phase
            for phase, target_w in phases_w.items()
            if target_w < self._rated_on_w[phase]
            and on_phase(phase, shares_w, self._feeds) >= target_w - FULL_W
        )

    def _headroom(self, bounds: Bounds) -> float | None:
        least = [limit for limit in (bounds.export_limit_w, bounds.generation_limit_w) if limit is not None]
        if not (least and min(least) < self._total_w) and not self._phase_may_exceed(bounds):
            return None
        return self.plan.headroom_pct / 100.0

    def _phase_may_exceed(self, bounds: Bounds) -> bool:
        return bounds.phases is not None and max(self._rated_on_w.values()) > bounds.phases.limit_w

    def _answering(self, mono: float) -> Sequence[Track]:
        return [track for track in self.tracks.values() if track.answers(mono) and track.power.samples]

    def _estimate(self, mono: float) -> None:
        """Level-triggered: the sample is looked at again until every inverter was read after it."""
        if self._sample is None or (self._complete and self.load is not None):
            return
        sample, rate = self._sample, self.ramp.rate_w_per_s
        if self.plan.location is Location.CONSUMPTION:
            self._complete = True
            self._load.see(LoadSample(sample.power_w, sample.power_w, complete=True, calm=True))
            for phase, power_w in zip(PHASES, sample.phases_w, strict=False):
                self.phases.loads[phase].see(LoadSample(power_w, power_w, complete=True, calm=True))
            return
        seen = window(sample, self.latency.window_s, self._answering(mono))
        self._complete = not seen.late
        self._load.see(load_of_the_site(sample.power_w, seen, rate))
        for phase, power_w in zip(PHASES, sample.phases_w, strict=False):
            rate = self._rated_on_w[phase] * self.plan.up_ramp_pct_per_s / 100.0
            self.phases.loads[phase].see(load_of_a_phase(phase, power_w, seen, rate))

    def _learn_latency(self, mono: float) -> None:
        answering = self._answering(mono)
        if self.plan.location is not Location.FEED_IN or not answering:
            return
        if abs(sum(track.power.slope(MOVING_S) for track in answering)) > MOVING * self._total_w:
            known_from = max(track.power.samples[0][0] for track in answering)
            self.latency.learn(
                lambda moment: sum(track.power.at(moment) for track in answering),
                known_from,
                LESSON * self._total_w,
            )
