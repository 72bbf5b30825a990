"""What the writer says of its devices: readings, capability, control, and the events between."""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError

from dynexport import messages as m
from dynexport import topics
from dynexport.logs import Repeated
from dynexport.modbus.endpoint import ModbusError
from dynexport.modbus.inverter_values import InverterIdentity
from dynexport.modbus.meter_job import to_reading
from dynexport.modbus.sunspec import BadValue
from dynexport.modbus.sunspec_meter import MeterValues
from dynexport.service import Context, Moment
from inverter_writer.describe import capability_of, control_of, control_state, remark, trouble
from inverter_writer.inverter import InverterJob
from inverter_writer.report import Report

CONTROL_EVERY_S = 10.0
REQUESTED_EVERY_S = 1.0
RATING_OFF = 0.05
METER = "the meter"


class Voice:
    """Publishes; remembers only what it said, to know what changed."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.errors = 0
        self.repeated = Repeated()
        self._capability: dict[str, m.InverterCapability] = {}
        self._known: dict[str, tuple[object, ...]] = {}
        self._said: dict[str, tuple[tuple[object, ...], float, float]] = {}
        self._conflict: dict[str, bool] = {}
        self._state: dict[str, m.ControlState] = {}

    def afresh(self) -> None:
        """After a reconnect: the stored topics again."""
        self._said.clear()
        for name, capability in self._capability.items():
            self.context.bus.publish(topics.INVERTER_CAPABILITY, capability, name)

    def meter(self, values: MeterValues, measured_at: datetime) -> None:
        """A reading of the meter behind an inverter's endpoint."""
        try:
            reading = to_reading(
                values, self.context.site.meter.location, measured_at, self.context.clock.now()
            )
        except ValidationError as error:
            self.error(METER, BadValue(f"a reading was dropped: {error.errors()[0]['msg']}"))
            return
        self.repeated.over(f"error {METER}")
        self.context.bus.publish(topics.METER_READING, reading)

    def report(self, name: str, job: InverterJob, report: Report) -> None:
        """What an endpoint's thread has found."""
        if report.error is not None:
            self.error(name, report.error, asleep=job.asleep)
        elif report.identity is not None:
            self._rating(name, job, report.identity)
        elif report.found_w is not None:
            held_w = job.applied_w or 0.0
            message = f"{name} was found limited to {report.found_w:.0f} W, and is now held at {held_w:.0f} W"
            self.context.event(m.Level.INFO, "first_contact", message, inverter=name)
        else:
            self._reading(name, report)

    def error(self, name: str, error: ModbusError, *, asleep: bool = False) -> None:
        """A device did not answer, or oddly; one that sleeps is no warning."""
        self.errors += 1
        times = self.repeated.happened(f"error {name}")
        if times is None:
            return
        if asleep:
            self.context.event(
                m.Level.INFO, "inverter_asleep", f"{name} sleeps and does not answer", times=times
            )
        else:
            self.context.event(m.Level.WARNING, "device_error", f"{name}: {error}", times=times)

    def refused(self, name: str, why: str) -> None:
        """A setpoint was not accepted."""
        self.context.bus.counters.rejected += 1
        if (times := self.repeated.happened(f"refused {name}")) is not None:
            message = f"a setpoint for {name} was refused: {why}"
            self.context.event(m.Level.WARNING, "setpoint_refused", message, times=times)

    def accepted(self, name: str) -> None:
        """A setpoint was accepted."""
        self.repeated.over(f"refused {name}")

    def control(self, name: str, job: InverterJob, now: Moment) -> None:
        """`inverter/<id>/control`, when it is due: every 10 s, and on change."""
        wanted = job.wanted(now.mono)
        state = control_state(job, wanted)
        self._transitions(name, job, state)
        key = (state, job.applied_w, job.connect_applied, job.readback.conflict, remark(job, wanted))
        requested_w = max(0.0, round(wanted.limit_w, 1))
        if not self._due(name, key, requested_w, now.mono):
            return
        if self.context.bus.publish(topics.INVERTER_CONTROL, control_of(job, wanted, now.wall), name):
            self._said[name] = (key, requested_w, now.mono)

    def capability(self, name: str, job: InverterJob, now: Moment) -> None:
        """`inverter/<id>/capability`, on change; and what went wrong with what is remembered of it."""
        while job.found.troubles:
            trouble = job.found.troubles.popleft()
            self.context.event(m.Level.WARNING, "state_file", f"{name}: {trouble}", inverter=name)
        met = job.found.persists and job.found.met
        known = (job.identity, met, job.found.found_pct, job.found.adopted)
        if known == self._known.get(name) or (capability := capability_of(job, now.wall)) is None:
            return
        self._known[name] = known
        before, self._capability[name] = self._capability.get(name), capability
        self.context.bus.publish(topics.INVERTER_CAPABILITY, capability, name)
        said = (before.found_limit_w, before.adopted) if before else (None, None)
        if (capability.found_limit_w, capability.adopted) != said:
            self._found(name, capability)

    def adopted(self, name: str, job: InverterJob) -> None:
        """The owner's word on a found limit, which may have been none."""
        if not job.found.adopt():
            message = f"{name}: no limit was found in it that is not ours, so there is nothing to adopt"
            self.context.event(m.Level.INFO, "nothing_to_adopt", message, inverter=name)

    def _found(self, name: str, capability: m.InverterCapability) -> None:
        if capability.found_limit_w is None:
            return
        limit = f"{name} holds a limit of {capability.found_limit_w:.0f} W that is not ours"
        if capability.adopted:
            message = f"{limit}; its owner adopted it: it may be loosened"
            self.context.event(m.Level.INFO, "limit_adopted", message, inverter=name)
        else:
            message = f"{limit}: it is kept until `dynexport adopt {name}`"
            self.context.event(m.Level.WARNING, "limit_found", message, inverter=name)

    def _due(self, name: str, key: tuple[object, ...], requested_w: float, mono: float) -> bool:
        if name not in self._said:
            return True
        said, said_w, at = self._said[name]
        if key != said or mono - at >= CONTROL_EVERY_S:
            return True
        return abs(requested_w - said_w) >= 1.0 and mono - at >= REQUESTED_EVERY_S

    def _reading(self, name: str, report: Report) -> None:
        try:
            reading = self._message(report)
        except ValidationError as error:
            self.error(name, BadValue(f"a reading was dropped: {error.errors()[0]['msg']}"))
            return
        if times := self.repeated.over(f"error {name}"):
            self.context.event(m.Level.INFO, "inverter_back", f"{name} answers again after {times} errors")
        self.context.bus.publish(topics.INVERTER_READING, reading, name)

    def _message(self, report: Report) -> m.InverterReading:
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

    def _rating(self, name: str, job: InverterJob, identity: InverterIdentity) -> None:
        rated_w = job.settings.rated_w
        if abs(identity.max_w - rated_w) > RATING_OFF * rated_w:
            message = f"{name}: site.yaml says rated_w {rated_w:.0f}, the device says {identity.max_w:.0f} W"
            self.context.event(m.Level.WARNING, "rating_differs", message, inverter=name)

    def _transitions(self, name: str, job: InverterJob, state: m.ControlState) -> None:
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
            self.context.event(m.Level.ERROR, "inverter_fault", f"{name}: {trouble(job)}", inverter=name)
