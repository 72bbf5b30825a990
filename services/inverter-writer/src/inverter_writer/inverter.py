"""One inverter as a job of its endpoint's thread: read, compare, write; a pending tightening goes first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dynexport.clock import Clock
from dynexport.messages import ControlState, InverterState
from dynexport.modbus.endpoint import Endpoint, ModbusError, Unreachable
from dynexport.modbus.sunspec_inverter import (
    ControlValues,
    InverterIdentity,
    InverterStatus,
    InverterValues,
    SunSpecInverter,
)
from dynexport.settings.models import SunSpecInverter as InverterSettings
from inverter_writer.acceptance import Accepted
from inverter_writer.decision import Device, Wanted, first_contact, for_device, wanted
from inverter_writer.rationing import Standing, is_urgent, wait_s
from inverter_writer.readback import Readback, Verdict

STATUS_EVERY_S = 1.0
SILENT_S = 5.0
ASLEEP = (InverterState.OFF, InverterState.SLEEPING)
ASLEEP_BELOW_W = 20.0
UNKNOWN = InverterStatus()


class InverterDevice(Protocol):
    """What the job needs of a driver; every call may raise ModbusError."""

    def identify(self) -> InverterIdentity: ...  # noqa: D102
    def read(self) -> InverterValues: ...  # noqa: D102
    def read_status(self) -> InverterStatus: ...  # noqa: D102
    def read_control(self) -> ControlValues: ...  # noqa: D102
    def write_limit(self, limit_pct: float, revert_s: int) -> None: ...  # noqa: D102
    def write_connect(self, connect: bool) -> None: ...  # noqa: D102
    def release(self) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Rules:
    """What is fixed for one inverter."""

    share_w: float
    enabled: bool
    inverters: int
    on_stop: str
    failsafe_disconnects: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What the endpoint's thread has to tell: one of these at a time, in order."""

    values: InverterValues | None = None
    status: InverterStatus = UNKNOWN
    measured_at: datetime | None = None
    identity: InverterIdentity | None = None
    error: ModbusError | None = None
    found_w: float | None = None


class InverterJob:
    """All but `accepted`, `begin_stop` and the properties is touched by the endpoint's thread only."""

    def __init__(
        self,
        settings: InverterSettings,
        rules: Rules,
        clock: Clock,
        tell: Callable[[], None],
        make_device: Callable[[Endpoint, int], InverterDevice] = SunSpecInverter,
    ) -> None:
        self.unit = settings.unit
        self.settings = settings
        self.rules = rules
        self.accepted: Accepted | None = None
        self.reports: deque[Report] = deque(maxlen=100)
        self.readback = Readback()
        self.device: Device | None = None
        self.read_back_w: float | None = None
        self.written: Standing | None = None
        self.fault: str | None = None
        self.asleep = False
        self.stopped = False
        self._clock = clock
        self._tell = tell
        self._make_device = make_device
        self._driver: InverterDevice | None = None
        self._stopping = False
        self._contacted = False
        self._has_control = False
        self._tighter_pct: float | None = None
        self._last_ok = float("-inf")
        self._next = float("-inf")
        self._status = UNKNOWN
        self._status_at = float("-inf")
        self._connect_written: bool | None = None

    @property
    def applied_w(self) -> float | None:
        """What was last written, watts; None before the first write or with writing disabled."""
        if self.written is None or self.device is None:
            return None
        return self.device.watts(self.written.percent)

    @property
    def connect_applied(self) -> bool | None:
        """What was last written to the connection."""
        return self._connect_written

    def wanted(self, mono: float) -> Wanted:
        """What it should be limited to now."""
        return wanted(
            self.accepted,
            self.rules.share_w,
            self.applied_w,
            mono,
            failsafe_disconnects=self.rules.failsafe_disconnects,
        )

    @property
    def urgent(self) -> bool:
        """Whether a tightening waits."""
        if not self._may_write or self.device is None:
            return False
        percent, connect = for_device(self.wanted(self._clock.mono()), self.device)
        if connect not in (None, self._connect_written):
            return True
        return is_urgent(percent, self.written) and not self._gives_way(percent)

    def due(self, mono: float) -> float:
        """Seconds until the next read or write."""
        if self._stopping and not self.stopped:
            return 0.0
        if not self._may_write or self.device is None:
            return self._next - mono
        percent, connect = for_device(self.wanted(mono), self.device)
        if connect not in (None, self._connect_written):
            return 0.0
        if self._gives_way(percent):
            return self._next - mono
        return min(self._next - mono, wait_s(percent, self.written, mono, self.rules.inverters))

    def run(self, endpoint: Endpoint, mono: float) -> None:
        """A write that is due, or a read; raises ModbusError."""
        if self._driver is None:
            self._driver = self._make_device(endpoint, self.unit)
        if self._stopping:
            self._stop(self._driver, mono)
        elif self._contacted and (mono < self._next or self.urgent):
            self._write_if_due(self._driver, mono)
        else:
            self._next = max(self._next + self.settings.poll_s, mono + 0.5 * self.settings.poll_s)
            self._cycle(self._driver, mono)
        self._last_ok = self._clock.mono()

    def failed(self, error: ModbusError, mono: float) -> None:
        """It did not answer, or oddly; after a silence the next contact is a first one again."""
        if mono - self._last_ok > SILENT_S:
            self._contacted = False
        if self.device is None and not isinstance(error, Unreachable):
            self.fault = str(error)
        self.stopped = self.stopped or self._stopping
        self._report(Report(error=error))

    def begin_stop(self) -> None:
        """From the service: leave things safe at the next turn; `stopped` says when it was tried."""
        self._stopping = True

    @property
    def _may_write(self) -> bool:
        return self.rules.enabled and self._contacted and self.fault is None

    def _cycle(self, driver: InverterDevice, mono: float) -> None:
        if self.device is None:
            self._identify(driver)
        if self._has_control:
            self._compare(driver, mono)
            self._write_if_due(driver, mono)
        before = self._clock.now()
        values = driver.read()
        measured_at = before + (self._clock.now() - before) / 2
        if mono - self._status_at >= STATUS_EVERY_S:
            self._status, self._status_at = driver.read_status(), mono
        allowed_w = self.applied_w if self.applied_w is not None else self.settings.rated_w
        self.asleep = values.state in ASLEEP or values.power_w < ASLEEP_BELOW_W < allowed_w
        self._report(Report(values=values, status=self._status, measured_at=measured_at))

    def _identify(self, driver: InverterDevice) -> None:
        identity = driver.identify()
        settings = self.settings
        self.device = Device(
            identity.max_w, identity.resolution_pct, settings.min_limit_pct, settings.can_limit_to_zero
        )
        self._has_control = identity.control_model is not None
        self.fault = None if self._has_control else "it has no control model 123: it cannot be limited"
        self._report(Report(identity=identity))

    def _compare(self, driver: InverterDevice, mono: float) -> None:
        assert self.device is not None
        control = driver.read_control()
        self.read_back_w = self.device.watts(control.effective_pct)
        if not self.rules.enabled:
            return
        if not self._contacted:
            self._first_contact(driver, control, mono)
            return
        if self.written is None:
            return
        verdict = self.readback.see(
            control.effective_pct, self.written.percent, self.device.resolution_pct, mono
        )
        percent, _ = for_device(self.wanted(mono), self.device)
        self._tighter_pct = control.effective_pct if verdict is Verdict.LEAVE else None
        if verdict is Verdict.OVERWRITE:
            self._write(driver, percent, mono)
        if self._connect_written is False and control.connected:
            self._write_connect(driver, False)

    def _first_contact(self, driver: InverterDevice, control: ControlValues, mono: float) -> None:
        """The smaller of what stands there and what is wanted is written before anything else."""
        assert self.device is not None
        assert self.read_back_w is not None
        percent, connect = for_device(first_contact(self.wanted(mono), self.read_back_w), self.device)
        self._connect_written = None
        if connect is False:
            self._write_connect(driver, False)
        self._write(driver, percent, mono)
        self._contacted = True
        self._report(Report(found_w=self.read_back_w))

    def _write_if_due(self, driver: InverterDevice, mono: float) -> None:
        if not self._may_write or self.device is None:
            return
        percent, connect = for_device(self.wanted(mono), self.device)
        if connect is False and self._connect_written is not False:
            self._write_connect(driver, False)
        due = wait_s(percent, self.written, mono, self.rules.inverters) <= 0.0
        if due and not self._gives_way(percent):
            self._write(driver, percent, mono)
        if connect is True and self._connect_written is not True:
            self._write_connect(driver, True)

    def _gives_way(self, percent: float) -> bool:
        """Whether a tighter value of somebody else stands in the device, which ours must not loosen yet."""
        return self._tighter_pct is not None and percent >= self._tighter_pct

    def _write(self, driver: InverterDevice, percent: float, mono: float) -> None:
        driver.write_limit(percent, self.settings.revert_timer_s)
        self._tighter_pct = None
        self.written = Standing(percent, mono)
        self._tell()

    def _write_connect(self, driver: InverterDevice, connect: bool) -> None:
        driver.write_connect(connect)
        self._connect_written = connect
        self._tell()

    def _stop(self, driver: InverterDevice, mono: float) -> None:
        if self.stopped:
            self._next = mono + self.settings.poll_s
            return
        if self._may_write and self.device is not None:
            self._leave_safe(driver, mono)
        self.stopped = True
        self._tell()

    def _leave_safe(self, driver: InverterDevice, mono: float) -> None:
        assert self.device is not None
        if self.rules.on_stop == "release":
            driver.release()
        elif self.rules.on_stop == "failsafe":
            limits = [self.rules.share_w, *([self.applied_w] if self.applied_w is not None else [])]
            if self.accepted is not None:
                limits.append(self.accepted.target_w)
            self._write(driver, self.device.percent(min(limits)), mono)

    def _report(self, report: Report) -> None:
        self.reports.append(report)
        self._tell()


def control_state(job: InverterJob, wanted_now: Wanted) -> ControlState:
    """The state for `inverter/<id>/control`."""
    if job.fault is not None:
        return ControlState.FAULT
    return wanted_now.state if job.rules.enabled else ControlState.DISABLED
