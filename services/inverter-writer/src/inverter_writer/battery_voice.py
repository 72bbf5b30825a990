"""What the writer says of its batteries: readings, what was asked and written, and the events between."""

from __future__ import annotations

from pydantic import ValidationError

from dynexport import messages as m
from dynexport import topics
from dynexport.logs import Repeated
from dynexport.modbus.battery_values import FREE
from dynexport.modbus.endpoint import ModbusError
from dynexport.modbus.sunspec import BadValue
from dynexport.service import Context, Moment
from inverter_writer.battery_decision import WantedOrder
from inverter_writer.battery_job import BatteryJob, BatteryReport

CONTROL_EVERY_S = 10.0
EVENTS = {
    m.ControlState.FAILSAFE: (
        m.Level.WARNING, "battery_engine_lost", "no valid setpoint for 15 s: only the last bounds still hold",
    ),
    m.ControlState.FOLLOWING: (m.Level.INFO, "battery_following", "it follows the engine"),
}  # fmt: skip


class BatteryVoice:
    """Publishes; remembers only what it said, to know what changed."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.errors = 0
        self._repeated = Repeated()
        self._said: dict[str, tuple[object, float]] = {}
        self._state: dict[str, m.ControlState] = {}
        self._conflict: dict[str, bool] = {}

    def afresh(self) -> None:
        """After a reconnect: the stored topics again."""
        self._said.clear()

    def report(self, name: str, job: BatteryJob, report: BatteryReport) -> None:
        """What an endpoint's thread has found."""
        if report.error is not None:
            self._error(name, report.error)
            return
        assert report.values is not None
        assert report.measured_at is not None
        sign = -1.0 if job.place.battery.invert else 1.0
        try:
            reading = m.BatteryReading(
                issued_at=m.stamp(self.context.clock.now()),
                measured_at=m.stamp(report.measured_at),
                power_w=sign * report.values.power_w,
                soc_pct=report.values.soc_pct,
                energy_wh=report.values.energy_wh,
                state=report.values.state,
            )
        except ValidationError as error:
            self._error(name, BadValue(f"a reading was dropped: {error.errors()[0]['msg']}"))
            return
        if times := self._repeated.over(f"error {name}"):
            self._event(m.Level.INFO, "battery_back", name, f"it answers again after {times} errors")
        self.context.bus.publish(topics.BATTERY_READING, reading, name)

    def refused(self, name: str, why: str) -> None:
        """A setpoint was not accepted."""
        self.context.bus.counters.rejected += 1
        if (times := self._repeated.happened(f"refused {name}")) is not None:
            message = f"a battery setpoint for {name} was refused: {why}"
            self.context.event(m.Level.WARNING, "setpoint_refused", message, times=times)

    def accepted(self, name: str) -> None:
        """A setpoint was accepted."""
        self._repeated.over(f"refused {name}")

    def control(self, name: str, job: BatteryJob, now: Moment) -> None:
        """`battery/<id>/control`, every 10 s and on change, for a battery that we may command."""
        if job.place.battery.control == "none":
            return
        said = control_of(job, job.wanted(now.mono), now)
        self._transitions(name, job, said.state)
        key = said.model_copy(update={"issued_at": None, "setpoint_seq": None})
        known, at = self._said.get(name, (None, 0.0))
        if key == known and now.mono - at < CONTROL_EVERY_S:
            return
        if self.context.bus.publish(topics.BATTERY_CONTROL, said, name):
            self._said[name] = (key, now.mono)

    def _transitions(self, name: str, job: BatteryJob, state: m.ControlState) -> None:
        if job.pen.conflict != self._conflict.get(name, False):
            self._conflict[name] = job.pen.conflict
            if job.pen.conflict:
                self._event(
                    m.Level.WARNING, "battery_conflict", name, "it is told something else than we wrote"
                )
            else:
                self._event(m.Level.INFO, "battery_conflict_over", name, "it is told what we wrote")
        before = self._state.get(name)
        self._state[name] = state
        if state is before or (state is m.ControlState.FAILSAFE and before is not m.ControlState.FOLLOWING):
            return
        if state is m.ControlState.FAULT:
            self._event(m.Level.ERROR, "battery_fault", name, job.fault or "")
        elif state in EVENTS:
            level, code, message = EVENTS[state]
            self._event(level, code, name, message)

    def _error(self, name: str, error: ModbusError) -> None:
        self.errors += 1
        if (times := self._repeated.happened(f"error {name}")) is not None:
            self._event(m.Level.WARNING, "battery_error", name, f"{error}", times=times)

    def _event(self, level: m.Level, code: str, name: str, message: str, **data: object) -> None:
        self.context.event(level, code, f"{name}: {message}", battery=name, **data)


def control_state(job: BatteryJob, wanted: WantedOrder) -> m.ControlState:
    """The state for `battery/<id>/control`."""
    if job.fault is not None:
        return m.ControlState.FAULT
    return wanted.state if job.enabled else m.ControlState.DISABLED


def control_of(job: BatteryJob, wanted: WantedOrder, now: Moment) -> m.BatteryControl:
    """What was asked, written and read back."""
    applied = job.pen.written.order if job.pen.written else FREE
    read_back = job.read_back or FREE
    return m.BatteryControl(
        issued_at=now.wall,
        state=control_state(job, wanted),
        requested_w=wanted.order.target_w,
        requested_max_charge_w=wanted.order.max_charge_w,
        requested_max_discharge_w=wanted.order.max_discharge_w,
        applied_w=applied.target_w,
        applied_max_charge_w=applied.max_charge_w,
        applied_max_discharge_w=applied.max_discharge_w,
        read_back_w=read_back.target_w,
        read_back_max_charge_w=read_back.max_charge_w,
        read_back_max_discharge_w=read_back.max_discharge_w,
        conflict=job.pen.conflict,
        setpoint_seq=job.accepted.seq if job.accepted else None,
        engine_id=job.accepted.engine_id if job.accepted else None,
        reason=job.fault,
    )
