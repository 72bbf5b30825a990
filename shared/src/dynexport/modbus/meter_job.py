"""A Modbus meter as a job of its endpoint's thread; whoever owns the endpoint runs it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from dynexport.clock import Clock
from dynexport.messages import Location, MeterReading, stamp
from dynexport.modbus.drivers import MeterDevice, meter_device
from dynexport.modbus.endpoint import Endpoint, ModbusError
from dynexport.modbus.sunspec_meter import MeterValues
from dynexport.settings.models import ModbusMeter


def to_reading(values: MeterValues, location: str, measured_at: datetime, now: datetime) -> MeterReading:
    """The contract's reading of what a meter said."""
    return MeterReading(
        issued_at=stamp(now),
        measured_at=stamp(measured_at),
        location=Location(location),
        power_w=values.power_w,
        power_a_w=values.power_a_w,
        power_b_w=values.power_b_w,
        power_c_w=values.power_c_w,
        reactive_var=values.reactive_var,
        voltage_a_v=values.voltage_a_v,
        voltage_b_v=values.voltage_b_v,
        voltage_c_v=values.voltage_c_v,
        frequency_hz=values.frequency_hz,
        import_wh=values.import_wh,
        export_wh=values.export_wh,
    )


class MeterJob:
    """Reads every `poll_s`; hands over the reading with the middle of the request as its moment."""

    urgent = False

    def __init__(
        self,
        settings: ModbusMeter,
        clock: Clock,
        on_reading: Callable[[MeterValues, datetime], None],
        on_error: Callable[[ModbusError], None],
    ) -> None:
        self.unit = settings.unit
        self._settings = settings
        self._clock = clock
        self._on_reading = on_reading
        self._on_error = on_error
        self._meter: MeterDevice | None = None
        self._next = float("-inf")

    def due(self, mono: float) -> float:
        """Seconds until the next read."""
        return self._next - mono

    def run(self, endpoint: Endpoint, mono: float) -> None:
        """Read once; raises ModbusError."""
        self._next = max(self._next + self._settings.poll_s, mono + 0.5 * self._settings.poll_s)
        if self._meter is None:
            self._meter = meter_device(self._settings, endpoint)
        before = self._clock.now()
        values = self._meter.read()
        self._on_reading(values, before + (self._clock.now() - before) / 2)

    def failed(self, error: ModbusError, mono: float) -> None:
        """Hand the error over."""
        self._on_error(error)
