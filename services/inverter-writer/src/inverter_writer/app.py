"""The writer as a service: setpoints in; readings, capability and what was really written out."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from dynexport import messages as m
from dynexport import topics
from dynexport.failsafe import failsafe_disconnects, failsafe_export_w, failsafe_share_w
from dynexport.modbus.address import Address, address_of
from dynexport.modbus.drivers import persists, scope
from dynexport.modbus.endpoint import Endpoint, ModbusError
from dynexport.modbus.meter_job import MeterJob
from dynexport.modbus.proxy.sharing import Sharing
from dynexport.modbus.sunspec_meter import MeterValues
from dynexport.modbus.worker import EndpointWorker, Job
from dynexport.ports import RawReceived, Received
from dynexport.service import Context, HealthPart, Moment
from dynexport.settings.models import Inverter, ModbusMeter
from dynexport.watchdog import STALLED
from inverter_writer.acceptance import Acceptance
from inverter_writer.batteries import Batteries
from inverter_writer.battery_job import BatteryJob
from inverter_writer.handover import Handover
from inverter_writer.inverter import InverterJob
from inverter_writer.loads import Loads
from inverter_writer.mqtt_inverters import MqttInverters
from inverter_writer.report import Rules
from inverter_writer.store import Store
from inverter_writer.voice import METER, Voice

TICK_S = 0.25
STUCK_S = 10.0
STOP_WITHIN_S = 6.0
ADOPT = ("inverter-writer", "adopt")
HEARTBEAT = "DYNEXPORT_HEARTBEAT_FD"


class Writer:
    """Owns every Modbus endpoint that has an inverter or a battery behind it, and commands what is behind MQTT."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.voice = Voice(context)
        self.acceptance = {inverter.id: Acceptance() for inverter in context.site.inverters}
        self.behind_mqtt = MqttInverters(context)
        self.jobs = {inverter.id: self._job(inverter) for inverter in context.site.inverters}
        self.batteries = Batteries(context)
        self.loads = Loads(context)
        self._meter: deque[tuple[MeterValues, datetime] | ModbusError] = deque(maxlen=100)
        self.workers = self._make_workers()
        self.sharing = Sharing(context, context.site.modbus_devices, self.workers)
        self._heartbeat = int(os.environ.get(HEARTBEAT, "-1"))
        if self._heartbeat >= 0:
            os.set_blocking(self._heartbeat, False)

    def start(self) -> None:
        """Subscribe, and start one thread per endpoint."""
        self.context.bus.subscribe(topics.SETPOINT)
        self.context.bus.subscribe(topics.BATTERY_SETPOINT)
        self.context.bus.subscribe(topics.REQUEST)
        self.behind_mqtt.start()
        self.loads.start()
        for worker in self.workers:
            worker.start()
        self.sharing.start()

    def connected(self, now: Moment) -> None:
        """Say everything afresh."""
        self.voice.afresh()
        self.batteries.voice.afresh()
        self.loads.afresh()

    def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
        """Take setpoints in, hand them on, and say what the endpoints' threads have found."""
        self._beat()
        self.behind_mqtt.step(now)
        for received in inbox:
            if not isinstance(received, Received):
                self.behind_mqtt.hear(received, self.jobs, now)
            elif received.topic is topics.SETPOINT and received.id in self.jobs:
                self._setpoint(received)
            elif received.topic is topics.REQUEST and received.ids == ADOPT:
                self._adopt(received)
            elif (battery := self.batteries.hear(received)) is not None:
                self._wake(battery)
            else:
                self.loads.hear(received)
        self.behind_mqtt.run(self.jobs)
        self.loads.run(now)
        self._watch_threads(now.mono)
        self.sharing.tell()
        while self._meter:
            found = self._meter.popleft()
            if isinstance(found, ModbusError):
                self.voice.error(METER, found)
            else:
                self.voice.meter(*found)
        for name, job in self.jobs.items():
            while job.reports:
                self.voice.report(name, job, job.reports.popleft())
            self.voice.capability(name, job, now)
            self.voice.control(name, job, now)
        self.batteries.say(now)
        return TICK_S

    def stop(self, now: Moment) -> None:
        """Leave in each inverter what `control.on_stop` says, then end the threads."""
        self.sharing.stop()
        jobs: list[InverterJob | BatteryJob] = [*self.jobs.values(), *self.batteries.jobs.values()]
        for each in jobs:
            each.begin_stop()
        self.behind_mqtt.finish(self.jobs)
        self.loads.finish(now)
        for worker in self.workers:
            worker.wake()
        end = now.mono + STOP_WITHIN_S
        while self.context.clock.mono() < end and not all(each.stopped for each in jobs):
            self.context.clock.sleep(0.02)
        for name, job in self.jobs.items():
            if not job.stopped:
                message = f"{name} did not answer while stopping: it keeps what it has"
                self.context.event(m.Level.ERROR, "stop_not_written", message, inverter=name)
            self.voice.control(name, job, self.context.moment())
        self.batteries.say(self.context.moment())
        for worker in self.workers:
            worker.stop(1.0)

    def health(self) -> HealthPart:
        """Errors of devices so far, and what others have had of shared endpoints."""
        errors = self.voice.errors + self.batteries.voice.errors + self.behind_mqtt.errors
        return HealthPart(device_errors=errors, learned=self.sharing.health())

    def _job(self, inverter: Inverter) -> InverterJob:
        site = self.context.site
        rules = Rules(
            failsafe_export_w(site)
            if scope(inverter) is m.Scope.EXPORT
            else failsafe_share_w(site, inverter.id),
            site.control.enabled,
            len(site.inverters),
            site.control.on_stop,
            failsafe_disconnects(site),
        )
        store = Store(Path(site.site.state_dir), inverter.id) if persists(inverter) else None
        found = Handover(store, lambda: self.context.clock.now().date().isoformat())
        driver = self.behind_mqtt.device(inverter.id)
        return InverterJob(
            inverter, rules, self.context.clock, self.context.bus.wake, found=found, driver=driver
        )

    def _make_workers(self) -> list[EndpointWorker]:
        site, clock, wake = self.context.site, self.context.clock, self.context.bus.wake
        behind: dict[Address, list[Job]] = {}
        for inverter in site.modbus_inverters:
            behind.setdefault(address_of(inverter), []).append(self.jobs[inverter.id])
        for address, battery in self.batteries.placed():
            behind.setdefault(address, []).append(battery)
        if site.meter_behind_inverter and isinstance(site.meter, ModbusMeter):
            behind[address_of(site.meter)].append(
                MeterJob(site.meter, clock, self._meter_read, self._meter_failed)
            )
        return [EndpointWorker(Endpoint(address), jobs, clock, wake) for address, jobs in behind.items()]

    def _beat(self) -> None:
        """Tell the parent that the loop runs; a parent that is gone shows at the other pipe."""
        if self._heartbeat >= 0:
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(self._heartbeat, b".")

    def _setpoint(self, received: Received) -> None:
        setpoint, name = received.message, received.id
        if not isinstance(setpoint, m.Setpoint):
            return
        refused = self.acceptance[name].offer(setpoint, received.mono)
        if refused is not None:
            self.voice.refused(name, refused)
            return
        self.voice.accepted(name)
        self.jobs[name].accepted = self.acceptance[name].accepted
        self._wake(self.jobs[name])

    def _adopt(self, received: Received) -> None:
        """The owner lets a found limit be loosened: contract.md, `inverter-writer/adopt`."""
        request = received.message
        name = request.id if isinstance(request, m.Request) else None
        if name not in self.jobs:
            message = f"asked to adopt the limit of {name or 'no inverter'}: there are {', '.join(self.jobs)}"
            self.context.event(m.Level.WARNING, "unknown_inverter", message)
            return
        self.voice.adopted(name, self.jobs[name])
        self._wake(self.jobs[name])

    def _wake(self, job: Job) -> None:
        for worker in self.workers:
            if job in worker.jobs:
                worker.wake()

    def _watch_threads(self, mono: float) -> None:
        for worker in self.workers:
            if worker.crashed is not None:
                raise worker.crashed
            if worker.busy_for(mono) > STUCK_S:
                self.context.fail(STALLED, f"{worker.endpoint.address}: a call has lasted {STUCK_S:.0f} s")

    def _meter_read(self, values: MeterValues, measured_at: datetime) -> None:
        self._meter.append((values, measured_at))
        self.context.bus.wake()

    def _meter_failed(self, error: ModbusError) -> None:
        self._meter.append(error)
        self.context.bus.wake()


def build(context: Context) -> Writer:
    """The factory for `service.main`."""
    return Writer(context)
