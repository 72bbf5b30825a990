"""A meter behind HTTP as a service: its own thread reads, the service's thread publishes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from dynexport import topics
from dynexport.messages import BatteryReading, Level, MeterReading
from dynexport.ports import RawReceived, Received
from dynexport.service import Context, HealthPart, Moment
from dynexport.settings.models import PowerwallMeter, WebMeter
from dynexport.watchdog import STALLED
from meter_reader.age import max_age_s
from meter_reader.outlet import Outlet
from meter_reader.poller import Poller
from meter_reader.troubles import Troubles
from meter_reader.web import Device, Trouble, WebReading

LOOK_AGAIN_S = 1.0
CUT_AFTER_S = 6.0
STUCK_S = 12.0
BATTERY_AGE_S = 5.0
OFFSET_WORTH_SAYING_S = 5.0


class WebMeterReader:
    """Publishes each reading the moment it is read, stamped with the device's own time, and none twice."""

    def __init__(self, context: Context, settings: WebMeter, device: Device) -> None:
        self._context = context
        self._location = settings.location
        self._troubles = Troubles(context)
        oldest_s = max_age_s(settings.poll_s)
        self._site = Outlet(context, self._troubles, topics.METER_READING, MeterReading, oldest_s)
        self._battery = _battery(context)
        self._offset_s = 0.0
        self._offset_said = False
        self.poller = Poller(device, settings.poll_s, context.clock, context.bus.wake)

    def start(self) -> None:
        """Begin to read; the connection is made by the first read."""
        self.poller.start()

    def connected(self, now: Moment) -> None:
        """Nothing: readings are never published twice."""

    def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
        """Publish what the poller has found; it wakes the loop by itself."""
        if self.poller.crashed is not None:
            raise self.poller.crashed
        busy_s = self.poller.busy_for(now.mono)
        if busy_s > STUCK_S:
            self._context.fail(STALLED, f"a read of the meter has lasted {STUCK_S:.0f} s")
        elif busy_s > CUT_AFTER_S:
            self.poller.device.cut()
        while self.poller.found:
            found = self.poller.found.popleft()
            if isinstance(found, Trouble):
                self._troubles.happened(found.code, str(found), now.mono)
            else:
                self._take(found, now)
        return LOOK_AGAIN_S

    def stop(self, now: Moment) -> None:
        """End the thread; one that is still in a call ends with the process."""
        self.poller.stop(1.5)

    def health(self) -> HealthPart:
        """Troubles of the meter so far, and how far its clock is from ours."""
        offset_s = round(self._offset_s, 1)
        return HealthPart(self._troubles.count, {"meter_clock_offset_s": offset_s} if offset_s else {})

    def _take(self, found: WebReading, now: Moment) -> None:
        self._look_at_clock(found.offset_s)
        if found.battery is not None and self._battery is not None:
            self._battery.take(found.battery, found, now)
        if self._site.take(found.site, found, now, location=self._location, islanded=found.islanded):
            if found.site.left_out:
                what = f"left out, because the device does not say it: {', '.join(found.site.left_out)}"
                self._troubles.happened("fields", what, now.mono)
            else:
                self._troubles.good(now.mono)

    def _look_at_clock(self, offset_s: float) -> None:
        self._offset_s = offset_s
        if self._offset_said or abs(offset_s) <= OFFSET_WORTH_SAYING_S:
            return
        self._offset_said = True
        message = (
            f"the meter's clock differs from ours by {offset_s:.0f} s (ours less its): readings are counted by ours. "
            "Set the one that is wrong"
        )
        self._context.event(Level.WARNING, "meter_clock", message, offset_s=round(offset_s, 1))


def _battery(context: Context) -> Outlet | None:
    battery = context.site.meter_battery
    if battery is None:
        return None
    troubles = Troubles(context, "battery", f"battery {battery.id}")
    return Outlet(context, troubles, topics.BATTERY_READING, BatteryReading, BATTERY_AGE_S, battery.id)


def web_meter(context: Context, settings: WebMeter) -> WebMeterReader:
    """The service for such a meter; only its own driver is imported."""
    return WebMeterReader(context, settings, _device(context, settings))


def _device(context: Context, settings: WebMeter) -> Device:
    if isinstance(settings, PowerwallMeter):
        from meter_reader.powerwall.gateway import Gateway
        from meter_reader.powerwall.open import opener

        connect = opener(settings, Path(context.site.site.state_dir), _sayer(context))
        has_battery = context.site.meter_battery is not None
        return Gateway(settings, has_battery=has_battery, clock=context.clock, connect=connect)
    from meter_reader.adapters.http import PlainHttp
    from meter_reader.solar_api import SolarApi

    return SolarApi(context.clock, lambda: PlainHttp(settings.host, settings.port))


def _sayer(context: Context) -> Callable[[str], None]:
    return lambda words: context.event(Level.WARNING, "meter_certificate_pinned", words)
