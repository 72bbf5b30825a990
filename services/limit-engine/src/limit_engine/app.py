"""The engine as a service: what comes off the bus goes into the pure parts, what they decide goes out."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from dynexport import messages as m
from dynexport import topics
from dynexport.failsafe import failsafe_export_w, failsafe_shares_w, failsafe_w
from dynexport.ports import RawReceived, Received
from dynexport.service import Context, HealthPart, Moment
from dynexport.topics import Topic
from limit_engine import found, sources
from limit_engine.control import Bounds, ControlLaw, Plan
from limit_engine.export_scope import ExportHold
from limit_engine.merge import Envelope, merge, with_charge_buffer
from limit_engine.side import Side
from limit_engine.side_limits import side_limits
from limit_engine.side_speaker import SideSpeaker
from limit_engine.site import Others, batteries, phase_bounds, unseen_w
from limit_engine.speaker import Hold, Speaker
from limit_engine.standby import Standby
from limit_engine.step import Stepper
from limit_engine.stepping import answer
from limit_engine.watch import Watch

TICK_S = 0.2
AFTER_S = 0.001  # past a deadline
LONGEST_MEASURED_AGE_S = 10.0


def new_engine_id() -> str:
    """Random per process: two engines must never be taken for one."""
    return secrets.token_hex(4)


def plan(context: Context) -> Plan:
    """The law's fixed figures from `site.yaml`."""
    site = context.site
    return Plan(
        {inverter.id: inverter.rated_w for inverter in site.inverters},
        up_ramp_pct_per_s=site.control.up_ramp_pct_per_s,
        headroom_pct=site.control.headroom_pct,
        meter_period_s=site.meter.poll_s,
        location=m.Location(site.meter.location),
        has_battery=bool(batteries(site) or site.loads),
        feeds=site.feeds,
    )


class Engine:
    """The limit engine: one `step` is drain, freeze, decide, publish."""

    def __init__(self, context: Context, engine_id: str) -> None:
        self.context = context
        self.law = ControlLaw(plan(context))
        self.others = Others(context.site)
        self.capabilities: dict[str, m.InverterCapability] = {}
        self.standby = Standby(engine_id)
        self.speaker = Speaker(context, engine_id)
        self.side = Side(context.site, self.others)
        self.side_speaker = SideSpeaker(context, engine_id)
        self.export_hold = ExportHold(self.law.plan.total_w)
        self.watch = Watch(context)
        started = context.clock.mono()
        self.sources = {
            name: sources.SourceState(name, source, started) for name, source in context.site.sources.items()
        }
        self.stepper = Stepper()
        self.running = False
        self._handlers: dict[Topic, Callable[[Received, Moment], None]] = {
            topics.METER_READING: self._meter,
            topics.INVERTER_READING: self._inverter,
            topics.INVERTER_CONTROL: self._applied,
            topics.INVERTER_CAPABILITY: self._capability,
            topics.BATTERY_READING: self._battery,
            topics.LOAD_READING: self._load,
            topics.UNCONTROLLED_READING: self._uncontrolled,
            topics.LIMIT: self._limit,
            topics.SETPOINT: self._setpoint,
            topics.REQUEST: self._request,
        }

    def start(self) -> None:
        """Subscribe to everything that a decision needs."""
        for topic in self._handlers:
            self.context.bus.subscribe(topic)

    def connected(self, now: Moment) -> None:
        """The broker is there: listen from now on, and say everything afresh."""
        if self.standby.listening_from is None:
            self.standby.listening_from = now.mono
        self.speaker.forget()
        self.side_speaker.forget()

    def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
        """One cycle; returns the seconds until the next without news."""
        for received in inbox:
            if isinstance(received, Received):
                self._handlers[received.topic](received, now)
        if not self.standby.may_speak(now.mono):
            self._stand_back()
            return TICK_S
        self._take_over(now.mono)
        envelope = self._envelope(now.mono)
        bounds = self._bounds(envelope, now.mono)
        decision = self.law.decide(
            self._beside_batteries(bounds), now.mono, ready=self._ready(now.mono), open_switch=envelope.open
        )
        limits = side_limits(envelope, decision.mode, self.sources.values())
        orders = self.side.decide(self.law, decision, bounds, limits, now.mono)
        hold = self._own_loops(bounds, decision.mode, now.mono, open_switch=envelope.open)
        decision = self.stepper.apply(decision, self.law.tracks, now.mono)
        self.watch.look(self.law, decision, bounds, self.sources, now.mono)
        self.watch.look_beside(orders)
        waiting_for = self._waiting_for(now.mono)
        self.speaker.say(
            self.law, decision, bounds, envelope, self.sources, waiting_for, now, hold=hold, orders=orders
        )
        self.side_speaker.say(orders, self.side.beside, now)
        left_s = self.law.meter_deadline - now.mono
        return min(TICK_S, left_s + AFTER_S) if left_s >= 0.0 else TICK_S

    def stop(self, now: Moment) -> None:
        """Let the next engine in at once: the lease is released with the last targets."""
        if self.standby.speaking:
            self.speaker.release(now)
            self.side_speaker.release(now)

    def health(self) -> HealthPart:
        """What has been learned of the meter and of each inverter."""
        latency, stream, load = self.law.latency, self.law.stream, self.law.load
        learned: dict[str, Any] = {
            "meter": {
                "latency_s": latency.learned_s,
                "refresh_s": round(stream.refresh_s, 2),
                "noise_w": round(load.noise_w, 1) if load else None,
            }
        }
        for name, track in self.law.tracks.items():
            learned[name] = {
                "gain": round(track.gain.value, 4),
                "tau_s": track.response.tau_s and round(track.response.tau_s, 2),
                "dead_time_s": track.response.dead_time_s and round(track.response.dead_time_s, 2),
            }
        return HealthPart(learned=learned)

    def _stand_back(self) -> None:
        """Another engine goes on: be a standby again."""
        if self.running:
            self.running = False
            self.context.mute()

    def _take_over(self, mono: float) -> None:
        """Before the first setpoint: the ramps start from what stands, never above."""
        if self.running:
            return
        self.running = True
        self.context.unmute()
        standing = {}
        shares_w = failsafe_shares_w(self.context.site)
        for name, track in self.law.tracks.items():
            made_w = track.power_w if track.answers(mono) else shares_w[name]
            standing[name] = made_w if track.applied_w is None else min(made_w, track.applied_w)
        self.law.start_from(standing)

    def _envelope(self, mono: float) -> Envelope:
        stated = [sources.candidate(state, mono) for state in self.sources.values()]
        buffer_w = sum(battery.charge_buffer_w for battery in self.others.may_charge(mono))
        counting = [with_charge_buffer(candidate, buffer_w) for candidate in stated if candidate is not None]
        return merge([sources.agreement(self.context.site), *counting])

    def _bounds(self, envelope: Envelope, mono: float) -> Bounds:
        export, generation = envelope.export_limit_w, envelope.generation_limit_w
        unseen = unseen_w(self.law.tracks, self.capabilities, mono)
        return Bounds(
            export.value if export else None,
            generation.value if generation else None,
            failsafe_w(self.context.site),
            blind_w=self.others.blind_w(mono),
            uncontrolled_w=self.others.pv_w(mono),
            unseen_w=sum(unseen.values()),
            caps_w=found.caps_w(self.capabilities, self.law.plan.rated_w),
            phases=phase_bounds(self.others, unseen, mono),
        )

    def _beside_batteries(self, bounds: Bounds) -> Bounds:
        """The inverters' bounds: what a battery is to discharge by its target is left to it."""
        if bounds.export_limit_w is None or self.side.yield_w == 0.0:
            return bounds
        return replace(bounds, export_limit_w=bounds.export_limit_w - self.side.yield_w)

    def _own_loops(self, bounds: Bounds, mode: m.Mode, mono: float, *, open_switch: bool) -> Hold:
        """What inverters with a loop of their own are told; 0 while the site is to be disconnected."""
        load = self.law.load if mode is m.Mode.NORMAL else None
        failsafe = failsafe_export_w(self.context.site)
        level_w = self.export_hold.follow(bounds, mode, load, failsafe, mono, yield_w=self.side.yield_w)
        return Hold(0.0 if open_switch else level_w, self.export_hold.disconnect)

    def _ready(self, mono: float) -> bool:
        return self._waiting_for(mono) is None

    def _waiting_for(self, mono: float) -> str | None:
        return self.watch.waiting_for(self.law, self.sources, mono)

    def _meter(self, received: Received, now: Moment) -> None:
        reading = received.message
        if isinstance(reading, m.MeterReading):
            if reading.location is not self.law.plan.location:
                self.context.bus.counters.rejected += 1
                self.watch.elsewhere(reading.location, self.law.plan.location)
                return
            moment = _measured(received, reading.issued_at, reading.measured_at)
            absorbed_w = self.side.beside.absorbed_w(self.others.battery_w(now.mono), now.mono)
            phases_w, islanded = self._phases_of(reading), reading.islanded
            self.law.hear_meter(
                moment, received.mono, reading.power_w, absorbed_w, phases_w, islanded=islanded
            )

    def _phases_of(self, reading: m.MeterReading) -> tuple[float, ...]:
        """Its power by phase where each is limited; empty when it does not say all three."""
        phases = (reading.power_a_w, reading.power_b_w, reading.power_c_w)
        known = tuple(power_w for power_w in phases if power_w is not None)
        return known if self.context.site.phase_limit_w is not None and len(known) == len(phases) else ()

    def _inverter(self, received: Received, now: Moment) -> None:
        reading = received.message
        if isinstance(reading, m.InverterReading) and received.id in self.law.tracks:
            moment = _measured(received, reading.issued_at, reading.measured_at)
            self.law.hear_inverter(
                received.id, moment, received.mono, reading.power_w, reading.state, reading.available_w
            )

    def _applied(self, received: Received, now: Moment) -> None:
        control = received.message
        known = received.id in self.law.tracks and not received.retained
        if known and isinstance(control, m.InverterControl) and control.applied_w is not None:
            self.law.hear_applied(received.id, received.mono, control.applied_w)

    def _capability(self, received: Received, now: Moment) -> None:
        if isinstance(received.message, m.InverterCapability) and received.id in self.law.tracks:
            self.capabilities[received.id] = received.message
            self.law.tracks[received.id].by_export = received.message.scope is m.Scope.EXPORT

    def _battery(self, received: Received, now: Moment) -> None:
        reading = received.message
        if isinstance(reading, m.BatteryReading):
            moment = _measured(received, reading.issued_at, reading.measured_at)
            self.others.hear_battery(received.id, reading.power_w, moment, reading.soc_pct)
            if received.id in self.side.beside.batteries:
                self.side.beside.batteries[received.id].meters.hear(moment, received.mono, reading.power_w)

    def _load(self, received: Received, now: Moment) -> None:
        reading = received.message
        if isinstance(reading, m.PowerReading) and received.id in self.side.beside.loads:
            moment = _measured(received, reading.issued_at, reading.measured_at)
            self.side.beside.loads[received.id].meters.hear(moment, received.mono, reading.power_w)

    def _uncontrolled(self, received: Received, now: Moment) -> None:
        reading = received.message
        if isinstance(reading, m.PowerReading):
            moment = _measured(received, reading.issued_at, reading.measured_at)
            self.others.hear_uncontrolled(received.id, reading.power_w, moment)

    def _limit(self, received: Received, now: Moment) -> None:
        state = self.sources.get(received.id)
        if state is None:
            self.watch.unlisted(received.id)
            return
        limit = received.message if isinstance(received.message, m.Limit) else None
        heard = sources.hear(state, limit, received.retained, now.wall, received.mono)
        self.sources[received.id] = heard.state
        self.watch.heard(received.id, heard)

    def _setpoint(self, received: Received, now: Moment) -> None:
        setpoint = received.message
        if isinstance(setpoint, m.Setpoint):
            news = self.standby.hear(setpoint.engine_id, setpoint.release, now.mono)
            if news:
                self.watch.second_engine(setpoint.engine_id)

    def _request(self, received: Received, now: Moment) -> None:
        request = received.message
        if received.ids == ("limit-engine", "pause") and isinstance(request, m.Request):
            self._pause(request, now.mono)
        elif received.ids == ("limit-engine", "step") and isinstance(request, m.Request):
            answer(self.context, self.stepper, request, self.law.tracks, self.capabilities, now.mono)

    def _pause(self, request: m.Request, mono: float) -> None:
        state = self.sources.get(request.source or "")
        if state is None or state.is_obligation or request.for_s is None:
            self.context.event(
                m.Level.WARNING,
                "pause_refused",
                f"`{request.source}` cannot be paused: name a listed preference as `source`, and `for_s` in seconds",
            )
            return
        self.sources[state.name] = sources.pause(state, mono + request.for_s)
        self.context.event(
            m.Level.INFO, "paused", f"`{state.name}` is ignored for {request.for_s:.0f} s, as the owner asked"
        )


def _measured(received: Received, issued_at: datetime, measured_at: datetime) -> float:
    """The monotonic moment of a measurement: both stamps are of the publisher's own clock."""
    age_s = (issued_at - measured_at).total_seconds()
    return received.mono - min(max(0.0, age_s), LONGEST_MEASURED_AGE_S)


def build(engine_id: str) -> Callable[[Context], Engine]:
    """The factory for `service.main`."""
    return lambda context: Engine(context, engine_id)
