"""A Modbus meter as a service: its endpoint's thread reads, the service's own thread publishes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError

from dynexport import topics
from dynexport.mapping import doubt
from dynexport.modbus.address import address_of
from dynexport.modbus.endpoint import BadAnswer, Endpoint, ModbusError
from dynexport.modbus.meter_job import MeterJob, to_reading
from dynexport.modbus.proxy.sharing import Sharing
from dynexport.modbus.sunspec import BadValue
from dynexport.modbus.sunspec_meter import MeterValues
from dynexport.modbus.worker import EndpointWorker
from dynexport.ports import RawReceived, Received
from dynexport.service import Context, HealthPart, Moment
from dynexport.settings.models import ModbusMeter
from dynexport.watchdog import STALLED
from meter_reader.age import max_age_s
from meter_reader.troubles import Troubles

LOOK_AGAIN_S = 1.0
STUCK_S = 10.0
MOST_WAITING = 100


class ModbusMeterReader:
    """Publishes each reading the moment it is read; what is refused or odd is dropped and nothing takes its place."""

    def __init__(self, context: Context, settings: ModbusMeter) -> None:
        self._context = context
        self._settings = settings
        self._troubles = Troubles(context)
        self._oldest_s = max_age_s(settings.poll_s)
        self._found: deque[tuple[MeterValues, datetime] | ModbusError] = deque(maxlen=MOST_WAITING)
        job = MeterJob(settings, context.clock, self._on_reading, self._on_error)
        endpoint = Endpoint(address_of(settings))
        self.worker = EndpointWorker(endpoint, [job], context.clock, context.bus.wake)
        self._sharing = Sharing(context, [settings], [self.worker])

    def start(self) -> None:
        """Begin to read; the endpoint's thread connects by itself."""
        self.worker.start()
        self._sharing.start()

    def connected(self, now: Moment) -> None:
        """Nothing: readings are never published twice."""

    def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
        """Publish what the endpoint's thread has found; it wakes the loop by itself."""
        if self.worker.crashed is not None:
            raise self.worker.crashed
        if self.worker.busy_for(now.mono) > STUCK_S:
            self._context.fail(STALLED, f"{self.worker.endpoint.address}: a call has lasted {STUCK_S:.0f} s")
        self._sharing.tell()
        while self._found:
            found = self._found.popleft()
            if isinstance(found, ModbusError):
                self._troubles.happened(_kind(found), f"the meter: {found}", now.mono)
            else:
                self._publish(*found, now)
        return LOOK_AGAIN_S

    def stop(self, now: Moment) -> None:
        """End the endpoint's thread; one that is still in a call ends with the process."""
        self._sharing.stop()
        self.worker.stop(1.5)

    def health(self) -> HealthPart:
        """Errors of the meter so far, and what others have had of it where it is shared."""
        return HealthPart(device_errors=self._troubles.count, learned=self._sharing.health())

    def _publish(self, values: MeterValues, measured_at: datetime, now: Moment) -> None:
        odd = doubt(measured_at, now.wall, self._oldest_s)
        if odd is not None:
            self._troubles.happened("stale", f"a reading was dropped: {odd}", now.mono)
            return
        try:
            reading = to_reading(values, self._settings.location, measured_at, now.wall)
        except ValidationError as error:
            what = f"a reading was dropped: {error.errors(include_url=False)[0]['msg']}"
            self._troubles.happened("refused", what, now.mono)
            return
        self._context.bus.publish(topics.METER_READING, reading)
        self._troubles.good(now.mono)

    def _on_reading(self, values: MeterValues, measured_at: datetime) -> None:
        self._found.append((values, measured_at))
        self._context.bus.wake()

    def _on_error(self, error: ModbusError) -> None:
        self._found.append(error)
        self._context.bus.wake()


def _kind(error: ModbusError) -> str:
    return "refused" if isinstance(error, BadAnswer | BadValue) else "error"
