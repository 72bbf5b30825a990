"""One inverter as a job of its endpoint's thread: read, compare, write; a pending tightening goes first."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from dynexport.clock import Clock
from dynexport.messages import InverterState
from dynexport.modbus.drivers import InverterDevice, inverter_device, scope, writes_per_day
from dynexport.modbus.endpoint import Endpoint, ModbusError, Unreachable
from dynexport.modbus.inverter_values import ControlValues, InverterIdentity
from dynexport.modbus.sunspec import BadValue
from dynexport.settings.models import Inverter, ModbusInverter
from inverter_writer.acceptance import Accepted
from inverter_writer.decision import Device, Wanted, device_of, first_contact, for_device, wanted
from inverter_writer.handover import Handover
from inverter_writer.pen import Pen
from inverter_writer.rationing import PERSISTENT, VOLATILE, is_urgent, wait_s
from inverter_writer.readback import Readback, Verdict
from inverter_writer.report import UNKNOWN, Report, Rules

STATUS_EVERY_S = 1.0
SPENT_TIGHTEN_S = 300.0
IDENTIFY_EVERY_S = 60.0
SILENT_S = 5.0
ASLEEP = (InverterState.OFF, InverterState.SLEEPING)
ASLEEP_BELOW_W = 20.0
FAR_OFF = 10.0


class InverterJob:
    """All but `accepted`, `begin_stop`, `found.adopt` and the properties is touched by the endpoint's thread only."""

    def __init__(
        self,
        settings: Inverter,
        rules: Rules,
        clock: Clock,
        tell: Callable[[], None],
        make_device: Callable[[ModbusInverter, Endpoint], InverterDevice] = inverter_device,
        found: Handover | None = None,
        driver: InverterDevice | None = None,
    ) -> None:
        """`driver`: one that needs no endpoint, instead of `make_device`."""
        self.unit = settings.unit
        self.settings = settings
        self.rules = rules
        self.scope = scope(settings)
        self.accepted: Accepted | None = None
        self.reports: deque[Report] = deque(maxlen=100)
        self.readback = Readback()
        self.found = found or Handover()
        self.device: Device | None = None
        self.identity: InverterIdentity | None = None
        self.read_back_w: float | None = None
        self.pen = Pen(settings, rules.share_w, self.found)
        self.fault: str | None = None
        self.asleep = False
        self.foreign = False
        self.stopped = False
        self._clock = clock
        self._tell = tell
        self._make_device = make_device
        self._driver = driver
        self._stopping = False
        self._contacted = False
        self._has_control = False
        self._measured_at: datetime | None = None
        self._tighter_pct: float | None = None
        self._anew = True
        self._identify_at = float("-inf")
        self._last_ok = float("-inf")
        self._next = float("-inf")
        self._status = UNKNOWN
        self._status_at = float("-inf")
        self._writes_per_day = writes_per_day(settings)
        self._pace = PERSISTENT if self.found.persists else VOLATILE

    @property
    def applied_w(self) -> float | None:
        """What was last written, watts; None before the first write or with writing disabled."""
        written = self.pen.written
        return None if written is None or self.device is None else self.device.watts(written.percent)

    @property
    def spent(self) -> bool:
        """Whether its registers, which wear, have been written as often as one day may."""
        return self.found.persists and self.found.writes_today >= self._writes_per_day

    @property
    def connect_applied(self) -> bool | None:
        """What was last written to the connection."""
        return self.pen.connected

    @property
    def fallback_w(self) -> float | None:
        """The most that the device's own timer goes to, watts; None where it has none of ours."""
        device = self._capped()
        if device is None or not self.pen.timed(device):
            return None
        return device.watts(device.percent(self.rules.share_w))

    def wanted(self, mono: float) -> Wanted:
        """What it should be limited to now."""
        return wanted(
            self.accepted,
            self.rules.share_w,
            self.applied_w,
            mono,
            failsafe_disconnects=self.rules.failsafe_disconnects,
            scope=self.scope,
        )

    @property
    def urgent(self) -> bool:
        """Whether a tightening waits."""
        device = self._capped()
        if not self._may_write or device is None:
            return False
        percent, connect = for_device(self.wanted(self._clock.mono()), device)
        if connect not in (None, self.pen.connected):
            return True
        return is_urgent(percent, self.pen.written) and not self._gives_way(percent)

    def due(self, mono: float) -> float:
        """Seconds until the next read or write."""
        if self._stopping and not self.stopped:
            return 0.0
        device = self._capped()
        if not self._may_write or device is None:
            return self._next - mono
        percent, connect = for_device(self.wanted(mono), device)
        if connect not in (None, self.pen.connected):
            return 0.0
        if self._gives_way(percent):
            return self._next - mono
        return min(self._next - mono, self._wait_s(percent, mono))

    def hurry(self) -> None:
        """There is something new to read: do not wait for the next poll."""
        self._next = float("-inf")

    def run(self, endpoint: Endpoint | None, mono: float) -> None:
        """A write that is due, or a read; raises ModbusError."""
        if self._driver is None:
            assert isinstance(self.settings, ModbusInverter)
            assert endpoint is not None
            self._driver = self._make_device(self.settings, endpoint)
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
            self._contacted, self._anew = False, True
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

    def _capped(self) -> Device | None:
        """The device, and how far it may be opened now: `adopt` comes from another thread."""
        device, most_pct = self.device, self.found.most_pct
        if device is None or device.most_pct == most_pct:  # the usual case, asked many times a second
            return device
        return replace(device, most_pct=most_pct)

    def _wait_s(self, percent: float, mono: float) -> float:
        written = self.pen.written
        if self.spent and written is not None and not is_urgent(percent, written):
            # a tightening is never refused, but a small one that goes on all day would wear as much as raises do
            return math.inf if percent >= written.percent else written.mono + SPENT_TIGHTEN_S - mono
        return wait_s(percent, written, mono, self.rules.inverters, self._pace)

    def _cycle(self, driver: InverterDevice, mono: float) -> None:
        if self._anew:
            self._look_who(driver, mono)
        if self._has_control:
            self._compare(driver, mono)
            self._write_if_due(driver, mono)
        before = self._clock.now()
        values = driver.read()
        measured_at = values.measured_at or before + (self._clock.now() - before) / 2
        if mono - self._status_at >= STATUS_EVERY_S:
            self._status, self._status_at = driver.read_status(), mono
        allowed_w = self.applied_w if self.applied_w is not None else self.settings.rated_w
        self.asleep = values.state in ASLEEP or values.power_w < ASLEEP_BELOW_W < allowed_w
        is_news = values.measured_at is None or values.measured_at != self._measured_at
        if is_news:  # what somebody publishes is said once
            self._report(Report(values=values, status=self._status, measured_at=measured_at))
        self._measured_at = values.measured_at
        if mono >= self._identify_at:
            self._look_who(driver, mono)

    def _look_who(self, driver: InverterDevice, mono: float) -> None:
        """Another device, or another WMax, may be there, after a silence or without one: then it is met anew."""
        self._identify_at = mono + IDENTIFY_EVERY_S
        try:
            identity = driver.identify()
            self._doubt(identity.max_w)
        except BadValue:  # a rating that makes no sense now: what it was is the best that is known
            if self.device is None:
                raise
        else:
            if identity != self.identity:
                self._identify(identity)
        self._anew = False

    def _doubt(self, max_w: float) -> None:
        """Percents of a rating far below the true one would be no limit at all."""
        rated_w = self.settings.rated_w
        if not rated_w / FAR_OFF <= max_w <= rated_w * FAR_OFF:
            raise BadValue(f"its rating reads {max_w:g} W, and `rated_w` in site.yaml is {rated_w:g} W")

    def _identify(self, identity: InverterIdentity) -> None:
        self.identity = identity
        self.device = device_of(identity, self.settings)
        self._has_control = identity.why_not is None
        self._contacted = False
        self.fault = identity.why_not
        self._report(Report(identity=identity))

    def _compare(self, driver: InverterDevice, mono: float) -> None:
        control = driver.read_control()
        device = self._capped()
        assert device is not None
        read_pct = control.effective_pct
        self.read_back_w = device.watts(read_pct) if control.told and not control.foreign else None
        self.foreign = control.foreign
        if not self._contacted or self.pen.reverted(device, read_pct, mono):
            self._first_contact(driver, control, mono)
            return
        if not self.rules.enabled or self.pen.written is None or not control.told:
            return
        verdict = self.readback.see(read_pct, self.pen.written.percent, device.resolution_pct, mono)
        self._tighter_pct = read_pct if verdict is Verdict.LEAVE else None
        if verdict is Verdict.OURS:
            self.pen.stands(mono)
        if verdict is Verdict.OVERWRITE:
            self._overwrite(driver, read_pct, mono)
        if self.pen.connected is False and control.connected:
            self._connect(driver, False)

    def _first_contact(self, driver: InverterDevice, control: ControlValues, mono: float) -> None:
        """The smaller of what stands there and what is wanted is written before anything else."""
        device = self._meet(control.effective_pct)
        found_w = device.watts(control.effective_pct)
        if self.rules.enabled:
            percent, connect = for_device(first_contact(self.wanted(mono), found_w), device)
            self.pen.connected = None
            if connect is False:
                self._connect(driver, False)
            self._write(driver, percent, mono, standing_pct=control.effective_pct)
            if control.told:
                self._report(Report(found_w=found_w))
        self._contacted = True

    def _meet(self, standing_pct: float) -> Device:
        """Learn whose limit stands there; the device, as far as it may be opened now."""
        assert self.identity is not None
        self.found.meet(self.identity.key, standing_pct, self.identity.resolution_pct)
        device = self._capped()
        assert device is not None
        return device

    def _overwrite(self, driver: InverterDevice, read_pct: float, mono: float) -> None:
        """Ours goes in again; on registers that persist a tighter value that stays is one found, and caps it.

        There a looser one is overwritten ever more seldom where ours does not stay: `sparing.py`.
        """
        assert self.pen.written is not None
        tighter = read_pct < self.pen.written.percent
        device = self._meet(read_pct) if self.found.persists and tighter else self._capped()
        assert device is not None
        percent, _ = for_device(self.wanted(mono), device)
        if self.pen.again(driver, device, percent, mono):
            self._tighter_pct = None
            self._tell()

    def _write_if_due(self, driver: InverterDevice, mono: float) -> None:
        device = self._capped()
        if not self._may_write or device is None:
            return
        percent, connect = for_device(self.wanted(mono), device)
        if connect is False and self.pen.connected is not False:
            self._connect(driver, False)
        if self._wait_s(percent, mono) <= 0.0 and not self._gives_way(percent):
            self._write(driver, percent, mono)
        if connect is True and self.pen.connected is not True:
            self._connect(driver, True)

    def _gives_way(self, percent: float) -> bool:
        """Whether a tighter value of somebody else stands in the device, which ours must not loosen yet."""
        return self._tighter_pct is not None and percent >= self._tighter_pct

    def _write(
        self,
        driver: InverterDevice,
        percent: float,
        mono: float,
        *,
        standing_pct: float | None = None,
        last: bool = False,
    ) -> None:
        device = self._capped()
        assert device is not None
        self.pen.limit(driver, device, percent, mono, standing_pct=standing_pct, last=last)
        self._tighter_pct = None
        self._tell()

    def _connect(self, driver: InverterDevice, connect: bool) -> None:
        self.pen.connect(driver, connect)
        self._tell()

    def _stop(self, driver: InverterDevice, mono: float) -> None:
        if self.stopped:
            self._next = mono + self.settings.poll_s
            return
        device = self._capped()
        if self._may_write and device is not None:
            self._leave_safe(driver, device, mono)
        self.stopped = True
        self._tell()

    def _leave_safe(self, driver: InverterDevice, device: Device, mono: float) -> None:
        """A timer with a revert value is stopped by the last write: what is left must stay."""
        standing_pct = self.pen.written.percent if self.pen.written else None
        if self.rules.on_stop == "release":
            self.pen.release(driver, device, mono, standing_pct)
        elif self.rules.on_stop == "failsafe":
            limits = [self.rules.share_w, *([self.applied_w] if self.applied_w is not None else [])]
            if self.accepted is not None:
                limits.append(self.accepted.limit_w(self.scope, self.rules.share_w))
            percent = device.percent(min(limits))
            self._write(driver, percent, mono, standing_pct=standing_pct, last=True)
        elif standing_pct is not None and self.pen.timed(device):
            self._write(driver, standing_pct, mono, last=True)

    def _report(self, report: Report) -> None:
        self.reports.append(report)
        self._tell()
