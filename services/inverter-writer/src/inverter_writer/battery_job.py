"""One battery as a job of its endpoint's thread: read it, tell it, and refresh that before its own timer runs out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from dynexport.clock import Clock
from dynexport.modbus.battery_values import BatteryDevice, BatteryIdentity, BatteryValues, Order
from dynexport.modbus.endpoint import Endpoint, ModbusError, Unreachable
from dynexport.modbus.sunspec_battery import SunSpecBattery
from dynexport.settings.batteries import ModbusBattery
from inverter_writer.battery_acceptance import AcceptedOrder
from inverter_writer.battery_decision import Fence, Reach, WantedOrder, bounds_of, wanted_order, within
from inverter_writer.battery_pen import BatteryPen

IDENTIFY_EVERY_S = 60.0
ODD, ODD_AGAIN_S = 3, 30.0


@dataclass(frozen=True, slots=True)
class BatteryReport:
    """What the endpoint's thread has to tell: a reading, or what went wrong."""

    values: BatteryValues | None = None
    measured_at: datetime | None = None
    error: ModbusError | None = None


def sunspec_battery(place: ModbusBattery, endpoint: Endpoint) -> BatteryDevice:
    """The driver of a battery."""
    return SunSpecBattery(endpoint, place.unit, alone=place.alone)


class BatteryJob:
    """All but `accepted`, `begin_stop` and the properties is touched by the endpoint's thread only."""

    def __init__(
        self,
        place: ModbusBattery,
        clock: Clock,
        tell: Callable[[], None],
        *,
        enabled: bool,
        make_device: Callable[[ModbusBattery, Endpoint], BatteryDevice] = sunspec_battery,
    ) -> None:
        self.unit = place.unit
        self.place = place
        self.enabled = enabled and place.battery.control == "charge_rate"
        self.accepted: AcceptedOrder | None = None
        self.reports: deque[BatteryReport] = deque(maxlen=100)
        self.identity: BatteryIdentity | None = None
        self.read_back: Order | None = None
        self.pen = BatteryPen(place.battery.rated_w)
        self.stopped = False
        self._clock = clock
        self._tell = tell
        self._make_device = make_device
        self._driver: BatteryDevice | None = None
        self._fence = Fence()
        self._power_w = 0.0
        self._stopping = False
        self._odd = 0
        self._identify_at = self._next = float("-inf")

    @property
    def fault(self) -> str | None:
        """Why it is not commanded although it should be."""
        if self.place.battery.control == "none" or self.identity is None:
            return None
        if self.identity.control_model is not None:
            return None
        return f"it cannot be commanded: {self.identity.why}"

    def wanted(self, mono: float) -> WantedOrder:
        """What it is to be told now."""
        return wanted_order(self.accepted, self._reach, mono)

    @property
    def urgent(self) -> bool:
        """Whether a bound waits to be drawn in."""
        return self._may_write and self.pen.urgent(self._order(self._clock.mono()))

    def due(self, mono: float) -> float:
        """Seconds until the next read or write."""
        if self._stopping and not self.stopped:
            return 0.0
        if not self._may_write:
            return self._next - mono
        return min(self._next - mono, self.pen.due_s(self._order(mono), mono))

    def run(self, endpoint: Endpoint, mono: float) -> None:
        """A write that is due, or a read; raises ModbusError."""
        if self._driver is None:
            self._driver = self._make_device(self.place, endpoint)
        if self._stopping:
            self._stop(self._driver, mono)
        elif self._may_write and self.pen.due_s(self._order(mono), mono) <= 0.0:
            self._write(self._driver, self._order(mono), mono)
        else:
            self._next = max(self._next + self.place.poll_s, mono + 0.5 * self.place.poll_s)
            self._read(self._driver, mono)
        self._odd = 0

    def failed(self, error: ModbusError, mono: float) -> None:
        """It did not answer, or oddly; who is there is asked again once it does.

        One that goes on oddly is asked seldom: looking for its map anew takes dozens of reads from who shares the bus.
        """
        if isinstance(error, Unreachable):
            self._identify_at = float("-inf")
        else:
            self._odd += 1
            if self._odd >= ODD:
                self._next = mono + ODD_AGAIN_S
        self.stopped = self.stopped or self._stopping
        self._report(BatteryReport(error=error))

    def begin_stop(self) -> None:
        """From the service: leave it alone at the next turn; `stopped` says when it was tried."""
        self._stopping = True

    @property
    def _may_write(self) -> bool:
        return self.enabled and self.identity is not None and self.identity.control_model is not None

    @property
    def _reach(self) -> Reach:
        battery, identity = self.place.battery, self.identity
        charge_w = battery.max_charge_w or (identity.max_charge_w if identity else None)
        return Reach(charge_w, battery.rated_w)

    def _order(self, mono: float) -> Order:
        return self._for_device(self.wanted(mono).order, mono)

    def _for_device(self, order: Order, mono: float) -> Order:
        if self.identity is None or self.identity.bounds:
            return order
        return self._fence.rate(order, self._power_w, mono)

    def _read(self, driver: BatteryDevice, mono: float) -> None:
        if mono >= self._identify_at:
            self.identity = driver.identify()
            self._identify_at = mono + IDENTIFY_EVERY_S
        before = self._clock.now()
        values = driver.read()
        self._power_w = -values.power_w if self.place.battery.invert else values.power_w
        self._report(BatteryReport(values, before + (self._clock.now() - before) / 2))
        if self.place.battery.control == "charge_rate" and self.identity and self.identity.control_model:
            self.read_back = driver.read_order()
            self.pen.compare(self.read_back)

    def _write(self, driver: BatteryDevice, order: Order, mono: float) -> None:
        self.pen.write(driver, order, mono)
        self._tell()

    def _stop(self, driver: BatteryDevice, mono: float) -> None:
        """A rate is taken out. Bounds are left to the device's timer, as when we are killed."""
        if self.stopped:
            self._next = mono + self.place.poll_s
            return
        if self._may_write and self.pen.written is not None:
            bounds = within(bounds_of(self.accepted), self._reach)
            self._write(driver, self._for_device(bounds, mono), mono)
        self.stopped = True
        self._tell()

    def _report(self, report: BatteryReport) -> None:
        self.reports.append(report)
        self._tell()
