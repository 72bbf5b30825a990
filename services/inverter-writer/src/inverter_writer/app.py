"""The writer as a service: setpoints in; readings, capability and what was really written out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError

from dynexport import messages as m
from dynexport import topics
from dynexport.failsafe import failsafe_disconnects, failsafe_share_w
from dynexport.logs import Repeated
from dynexport.modbus.endpoint import Endpoint, ModbusError, TcpAddress
from dynexport.modbus.meter_job import MeterJob, to_reading
from dynexport.modbus.sunspec import BadValue
from dynexport.modbus.sunspec_inverter import InverterIdentity
from dynexport.modbus.sunspec_meter import MeterValues
from dynexport.modbus.worker import EndpointWorker, Job
from dynexport.ports import RawReceived, Received
from dynexport.service import Context, HealthPart, Moment
from dynexport.settings.models import SunSpecMeter
from dynexport.watchdog import STALLED
from inverter_writer.acceptance import Acceptance
from inverter_writer.inverter import InverterJob, Report, Rules, control_state

TICK_S = 0.25
CONTROL_EVERY_S = 10.0
REQUESTED_EVERY_S = 1.0
STUCK_S = 10.0
STOP_WITHIN_S = 6.0
HEARTBEAT = "DYNEXPORT_HEARTBEAT_FD"
RATING_OFF = 0.05


class Writer:
    """Owns every Modbus endpoint that has an inverter behind it."""

    def __init__(self, context: Context) -> None:
        self.context = context
        site = context.site
        self.acceptance = {inverter.id: Acceptance() for inverter in site.inverters}
        self.jobs = {
            inverter.id: InverterJob(
                inverter,
                Rules(
                    failsafe_share_w(site, inverter.id),
                    site.control.enabled,
                    len(site.inverters),
                    site.control.on_stop,
                    failsafe_disconnects(site),
                ),
                context.clock,
                context.bus.wake,
            )
            for inverter in site.inverters
        }
        self._meter: list[tuple[MeterValues, datetime] | ModbusError] = []
        self.workers = self._make_workers()
        self._repeated = Repeated()
        self._errors = 0
        self._said: dict[str, tuple[object, ...]] = {}
        self._said_at: dict[str, float] = {}
        self._capability: dict[str, m.InverterCapability] = {}
        self._conflict: dict[str, bool] = {}
        self._state: dict[str, m.ControlState] = {}
        self._heartbeat = int(os.environ.get(HEARTBEAT, "-1"))
        if self._heartbeat >= 0:
            os.set_blocking(self._heartbeat, False)

    def start(self) -> None:
        """Subscribe, and start one thread per endpoint."""
        self.context.bus.subscribe(topics.SETPOINT)
        for worker in self.workers:
            worker.start()

    def connected(self, now: Moment) -> None:
        """Say everything afresh."""
        self._said.clear()
        for name, capability in self._capability.items():
            self.context.bus.publish(topics.INVERTER_CAPABILITY, capability, name)

    def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
        """Take setpoints in, hand them on, and say what the endpoints' threads have found."""
        self._beat()
        for received in inbox:
            if isinstance(received, Received) and received.id in self.jobs:
                self._setpoint(received)
        self._watch_threads(now.mono)
        self._say_meter()
        for name, job in self.jobs.items():
            while job.reports:
                self._say_report(name, job, job.reports.popleft())
            self._say_control(name, job, now)
        return TICK_S

    def stop(self, now: Moment) -> None:
        """Leave the smaller of target and failsafe share in each inverter, as `control.on_stop` says."""
        for job in self.jobs.values():
            job.begin_stop()
        for worker in self.workers:
            worker.wake()
        end = now.mono + STOP_WITHIN_S
        while self.context.clock.mono() < end and not all(job.stopped for job in self.jobs.values()):
            self.context.clock.sleep(0.02)
        for name, job in self.jobs.items():
            if not job.stopped:
                self.context.event(m.Level.ERROR, "stop_not_written", f"{name} did not answer while stopping")
            self._say_control(name, job, self.context.moment())
        for worker in self.workers:
            worker.stop(1.0)

    def health(self) -> HealthPart:
        """Errors of devices so far."""
        return HealthPart(device_errors=self._errors)

    def _beat(self) -> None:
        """Tell the parent that the loop runs; a parent that is gone shows at the other pipe."""
        if self._heartbeat >= 0:
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(self._heartbeat, b".")

    def _make_workers(self) -> list[EndpointWorker]:
        site, clock = self.context.site, self.context.clock
        behind: dict[TcpAddress, list[Job]] = {}
        for inverter in site.inverters:
            address = TcpAddress(inverter.tcp.host, inverter.tcp.port)
            behind.setdefault(address, []).append(self.jobs[inverter.id])
        if site.meter_behind_inverter and isinstance(site.meter, SunSpecMeter):
            address = TcpAddress(site.meter.tcp.host, site.meter.tcp.port)
            behind[address].append(MeterJob(site.meter, clock, self._meter_read, self._meter_failed))
        wake = self.context.bus.wake
        return [EndpointWorker(Endpoint(address), jobs, clock, wake) for address, jobs in behind.items()]

    def _setpoint(self, received: Received) -> None:
        setpoint, name = received.message, received.id
        if not isinstance(setpoint, m.Setpoint):
            return
        refused = self.acceptance[name].offer(setpoint, received.mono)
        if refused is None:
            self._repeated.over(f"refused {name}")
            self.jobs[name].accepted = self.acceptance[name].accepted
            for worker in self.workers:
                if self.jobs[name] in worker.jobs:
                    worker.wake()
            return
        self.context.bus.counters.rejected += 1
        if (times := self._repeated.happened(f"refused {name}")) is not None:
            self.context.event(
                m.Level.WARNING,
                "setpoint_refused",
                f"a setpoint for {name} was refused: {refused}",
                times=times,
            )

    def _watch_threads(self, mono: float) -> None:
        for worker in self.workers:
            if worker.crashed is not None:
                raise worker.crashed
            if worker.busy_for(mono) > STUCK_S:
                self.context.fail(STALLED, f"{worker.endpoint.address}: a call has lasted {STUCK_S:.0f} s")

    def _meter_read(self, values: MeterValues, measured_at: datetime) -> None:
        self._meter.append((values, measured_at))
        self.context.bus.wake()

    def _meter_failed(self, error: ModbusError) -> None:
        self._meter.append(error)
        self.context.bus.wake()

    def _say_meter(self) -> None:
        while self._meter:
            found = self._meter.pop(0)
            if isinstance(found, ModbusError):
                self._say_error("the meter", found)
                continue
            self._repeated.over("error the meter")
            reading = to_reading(
                *found[:1], self.context.site.meter.location, found[1], self.context.clock.now()
            )
            self.context.bus.publish(topics.METER_READING, reading)

    def _say_report(self, name: str, job: InverterJob, report: Report) -> None:
        if report.error is not None:
            self._say_error(name, report.error, asleep=job.asleep)
        elif report.identity is not None:
            self._say_capability(name, job, report.identity)
        elif report.found_w is not None:
            self.context.event(
                m.Level.INFO,
                "first_contact",
                f"{name} was found limited to {report.found_w:.0f} W, and is now held at {job.applied_w or 0.0:.0f} W",
                inverter=name,
            )
        elif report.values is not None and report.measured_at is not None:
            times = self._repeated.over(f"error {name}")
            if times:
                self.context.event(
                    m.Level.INFO, "inverter_back", f"{name} answers again after {times} errors"
                )
            self._say_reading(name, report)

    def _say_reading(self, name: str, report: Report) -> None:
        try:
            reading = self._reading(report)
        except ValidationError as error:
            self._say_error(name, BadValue(f"a reading was dropped: {error.errors()[0]['msg']}"))
            return
        self.context.bus.publish(topics.INVERTER_READING, reading, name)

    def _reading(self, report: Report) -> m.InverterReading:
        values, status = report.values, report.status
        assert values is not None
        assert report.measured_at is not None
        return m.InverterReading(
            issued_at=m.stamp(self.context.clock.now()),
            measured_at=m.stamp(report.measured_at),
            power_w=values.power_w,
            state=values.state,
            reactive_var=values.reactive_var,
            voltage_a_v=values.voltage_a_v,
            voltage_b_v=values.voltage_b_v,
            voltage_c_v=values.voltage_c_v,
            frequency_hz=values.frequency_hz,
            energy_wh=values.energy_wh,
            available_w=status.available_w,
            connected=status.connected,
            available=status.available,
            operating=status.operating,
        )

    def _say_error(self, name: str, error: ModbusError, *, asleep: bool = False) -> None:
        self._errors += 1
        times = self._repeated.happened(f"error {name}")
        if times is None:
            return
        if asleep:
            self.context.event(
                m.Level.INFO, "inverter_asleep", f"{name} sleeps and does not answer", times=times
            )
        else:
            self.context.event(m.Level.WARNING, "device_error", f"{name}: {error}", times=times)

    def _say_capability(self, name: str, job: InverterJob, identity: InverterIdentity) -> None:
        timer = job.settings.revert_timer_s
        fallback = m.HardwareFallback.RELEASES_LIMIT if timer else m.HardwareFallback.HOLDS_LAST
        if identity.control_model is None:
            fallback = m.HardwareFallback.UNKNOWN
        capability = m.InverterCapability(
            issued_at=self.context.clock.now(),
            max_w=identity.max_w,
            max_va=identity.max_va,
            max_var=identity.max_var,
            nameplate_w=identity.nameplate_w,
            manufacturer=identity.manufacturer,
            model=identity.model,
            serial=identity.serial,
            der_type=identity.der_type,
            control_model=identity.control_model,
            resolution_w=identity.max_w * identity.resolution_pct / 100.0,
            hardware_fallback=fallback,
            fallback_s=float(timer) or None,
            min_limit_pct=job.settings.min_limit_pct,
        )
        self._capability[name] = capability
        self.context.bus.publish(topics.INVERTER_CAPABILITY, capability, name)
        rated_w = job.settings.rated_w
        if abs(identity.max_w - rated_w) > RATING_OFF * rated_w:
            self.context.event(
                m.Level.WARNING,
                "rating_differs",
                f"{name}: site.yaml says rated_w {rated_w:.0f}, the device says {identity.max_w:.0f} W",
                inverter=name,
            )

    def _say_control(self, name: str, job: InverterJob, now: Moment) -> None:
        wanted = job.wanted(now.mono)
        state = control_state(job, wanted)
        self._say_transitions(name, job, state)
        accepted = job.accepted
        slow = round(wanted.limit_w, 0)
        key = (state, job.applied_w, job.connect_applied, job.readback.conflict)
        said, at = self._said.get(name), self._said_at.get(name, float("-inf"))
        due = now.mono - at >= CONTROL_EVERY_S or said is None or said[0] != key
        if not due and not (said is not None and said[1] != slow and now.mono - at >= REQUESTED_EVERY_S):
            return
        message = m.InverterControl(
            issued_at=now.wall,
            state=state,
            requested_w=max(0.0, round(wanted.limit_w, 1)),
            applied_w=job.applied_w,
            read_back_w=job.read_back_w,
            connect=job.connect_applied,
            conflict=job.readback.conflict,
            setpoint_seq=accepted.seq if accepted else None,
            engine_id=accepted.engine_id if accepted else None,
            reason=job.fault,
        )
        if self.context.bus.publish(topics.INVERTER_CONTROL, message, name):
            self._said[name], self._said_at[name] = (key, slow), now.mono

    def _say_transitions(self, name: str, job: InverterJob, state: m.ControlState) -> None:
        if job.readback.conflict != self._conflict.get(name, False):
            self._conflict[name] = job.readback.conflict
            if job.readback.conflict:
                message = f"{name} holds {job.read_back_w or 0.0:.0f} W, which is not what was written"
                self.context.event(m.Level.WARNING, "conflict", message, inverter=name)
            else:
                self.context.event(
                    m.Level.INFO, "conflict_over", f"{name} holds what was written", inverter=name
                )
        before = self._state.get(name)
        if state is before:
            return
        self._state[name] = state
        if state is m.ControlState.FAILSAFE and before is m.ControlState.FOLLOWING:
            message = f"{name}: no valid setpoint for 15 s, held at its failsafe share or less"
            self.context.event(m.Level.ERROR, "engine_lost", message, inverter=name)
        elif state is m.ControlState.FOLLOWING:
            self.context.event(m.Level.INFO, "following", f"{name} follows the engine", inverter=name)
        elif state is m.ControlState.FAULT:
            self.context.event(m.Level.ERROR, "inverter_fault", f"{name}: {job.fault}", inverter=name)


def build(context: Context) -> Writer:
    """The factory for `service.main`."""
    return Writer(context)
