"""The meter reader as a service: a Modbus meter of its own, a published one, or idle."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime

from dynexport import topics
from dynexport.logs import Repeated
from dynexport.messages import Level
from dynexport.modbus.endpoint import Endpoint, ModbusError, TcpAddress
from dynexport.modbus.meter_job import MeterJob, to_reading
from dynexport.modbus.sunspec_meter import MeterValues
from dynexport.modbus.worker import EndpointWorker
from dynexport.ports import RawReceived, Received
from dynexport.service import Context, HealthPart, Moment
from dynexport.settings.models import MqttMeter, SunSpecMeter
from dynexport.watchdog import STALLED
from meter_reader.mapping import NotAReading
from meter_reader.publisher import Publisher

TICK_S = 1.0
STUCK_S = 10.0
TROUBLE = "trouble"


class MeterReader:
    """Publishes `meter/site/reading` the moment it is known."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.publisher: Publisher | None = None
        self.worker: EndpointWorker | None = None
        self._found: deque[tuple[MeterValues, datetime] | ModbusError] = deque(maxlen=100)
        self._repeated = Repeated()
        self._errors = 0
        meter = context.site.meter
        if isinstance(meter, MqttMeter):
            self.publisher = Publisher(meter)
        elif not context.site.meter_behind_inverter:
            self.worker = self._make_worker(meter)

    def start(self) -> None:
        """Begin to read, or say why not."""
        if isinstance(self.context.site.meter, MqttMeter):
            self.context.bus.subscribe_raw(self.context.site.meter.topic)
        elif self.worker is not None:
            self.worker.start()
        else:
            self.context.log.info(
                "idle: the meter is behind an inverter's endpoint, so inverter-writer reads it"
            )

    def connected(self, now: Moment) -> None:
        """Readings are never stored: there is nothing to say afresh."""

    def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
        """Publish what was read or heard."""
        for received in inbox:
            if isinstance(received, RawReceived):
                self._published(received, now)
        while self._found:
            self._read(self._found.popleft())
        self._watch_thread(now.mono)
        return TICK_S

    def stop(self, now: Moment) -> None:
        """End the endpoint's thread."""
        if self.worker is not None:
            self.worker.stop(2.0)

    def health(self) -> HealthPart:
        """Errors of the meter so far."""
        return HealthPart(device_errors=self._errors)

    def _make_worker(self, meter: SunSpecMeter) -> EndpointWorker:
        job = MeterJob(meter, self.context.clock, self._hand_over, self._hand_over_error)
        endpoint = Endpoint(TcpAddress(meter.tcp.host, meter.tcp.port))
        return EndpointWorker(endpoint, [job], self.context.clock, self.context.bus.wake)

    def _hand_over(self, values: MeterValues, measured_at: datetime) -> None:
        self._found.append((values, measured_at))
        self.context.bus.wake()

    def _hand_over_error(self, error: ModbusError) -> None:
        self._found.append(error)
        self.context.bus.wake()

    def _read(self, found: tuple[MeterValues, datetime] | ModbusError) -> None:
        if isinstance(found, ModbusError):
            self._trouble("meter_error", str(found))
            return
        self._fine()
        values, measured_at = found
        reading = to_reading(values, self.context.site.meter.location, measured_at, self.context.clock.now())
        self.context.bus.publish(topics.METER_READING, reading)

    def _published(self, received: RawReceived, now: Moment) -> None:
        assert self.publisher is not None
        try:
            reading = self.publisher.reading(received.payload, received.retained, now.wall)
        except NotAReading as error:
            self.context.bus.counters.rejected += 1
            self._trouble("meter_refused", f"{received.path}: {error}")
            return
        if reading is not None:
            self._fine()
            self.context.bus.publish(topics.METER_READING, reading)

    def _trouble(self, code: str, message: str) -> None:
        self._errors += 1
        if (times := self._repeated.happened(TROUBLE)) is not None:
            self.context.event(Level.WARNING, code, message, times=times)

    def _fine(self) -> None:
        if times := self._repeated.over(TROUBLE):
            self.context.event(Level.INFO, "meter_back", f"the meter makes sense again after {times} errors")

    def _watch_thread(self, mono: float) -> None:
        if self.worker is None:
            return
        if self.worker.crashed is not None:
            raise self.worker.crashed
        if self.worker.busy_for(mono) > STUCK_S:
            self.context.fail(STALLED, f"{self.worker.endpoint.address}: a call has lasted {STUCK_S:.0f} s")


def build(context: Context) -> MeterReader:
    """The factory for `service.main`."""
    return MeterReader(context)
