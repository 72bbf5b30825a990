"""The inverters behind MQTT: their messages in, and their jobs run in the service's own thread."""

from __future__ import annotations

from collections.abc import Mapping

from dynexport import messages as m
from dynexport.logs import Repeated
from dynexport.mapping import Odd
from dynexport.modbus.endpoint import BackOff, ModbusError
from dynexport.ports import RawReceived
from dynexport.service import Context, Moment
from dynexport.settings.models import MqttInverter
from inverter_writer.inverter import InverterJob
from inverter_writer.mqtt_inverter import MqttInverterDevice

FROZEN_S, DEAF_S = 3.0, 1.0
MOST_TURNS = 8


class MqttInverters:
    """Their rules are those of every inverter (`InverterJob`); only who runs them, and when, is different."""

    def __init__(self, context: Context) -> None:
        self.errors = 0
        self._context = context
        self._devices = {each.id: self._device(each) for each in context.site.mqtt_inverters}
        self._repeated = Repeated()
        self._stepped = context.clock.mono()
        self._deaf_until = float("-inf")
        self._back_off = {name: BackOff() for name in self._devices}

    def device(self, name: str) -> MqttInverterDevice | None:
        """The device of an inverter; None for one that is not behind MQTT."""
        return self._devices.get(name)

    def start(self) -> None:
        """Subscribe."""
        for path in self._context.site.heard_devices:
            self._context.bus.subscribe_raw(path)

    def step(self, now: Moment) -> None:
        """At the beginning of each: what waited while we were frozen is not fresh."""
        if now.mono - self._stepped > FROZEN_S:
            self._deaf_until = now.mono + DEAF_S
        self._stepped = now.mono

    def hear(self, received: RawReceived, jobs: Mapping[str, InverterJob], now: Moment) -> None:
        """A message on one of their topics; a stored copy never counts, because nobody knows how old it is."""
        for name, device in self._devices.items():
            if received.path not in device.settings.listens_to:
                continue
            if received.retained or received.mono < self._deaf_until:
                self._context.bus.counters.rejected += 1
                continue
            try:
                if device.take(received.path, received.payload, received.mono, now):
                    self._back_off[name].succeeded()
                    jobs[name].hurry()
            except Odd as odd:
                self._refused(name, received.path, odd)

    def run(self, jobs: Mapping[str, InverterJob]) -> None:
        """Let each do what is due."""
        for name, device in self._devices.items():
            if device.ready:
                self._run(name, jobs[name])

    def finish(self, jobs: Mapping[str, InverterJob]) -> None:
        """The last turn of each, after `begin_stop`."""
        for name in self._devices:
            self._turn(name, jobs[name])

    def _run(self, name: str, job: InverterJob) -> None:
        for _ in range(MOST_TURNS):
            mono = self._context.clock.mono()
            if max(job.due(mono), self._back_off[name].until - mono) > 0.0 or not self._turn(name, job):
                return

    def _turn(self, name: str, job: InverterJob) -> bool:
        mono = self._context.clock.mono()
        try:
            job.run(None, mono)
        except ModbusError as error:
            self._back_off[name].failed(mono)
            job.failed(error, mono)
            return False
        self._back_off[name].succeeded()
        return True

    def _refused(self, name: str, path: str, odd: Odd) -> None:
        self.errors += 1
        self._context.bus.counters.rejected += 1
        times = self._repeated.happened(name)
        if times is not None:
            message = f"{name}: a message on {path} was dropped: {odd}"
            self._context.event(m.Level.WARNING, "inverter_refused", message, times=times, inverter=name)

    def _device(self, settings: MqttInverter) -> MqttInverterDevice:
        def publish(path: str, payload: bytes, qos: int, retain: bool) -> bool:
            return self._context.bus.publish_raw(path, payload, qos=qos, retain=retain)

        return MqttInverterDevice(settings, self._context.clock, publish)
