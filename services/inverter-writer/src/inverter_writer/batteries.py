"""The batteries of the writer: setpoints in, jobs for the endpoints' threads, what they found out."""

from __future__ import annotations

from collections.abc import Iterator

from dynexport import messages as m
from dynexport import topics
from dynexport.modbus.address import Address, address_of
from dynexport.ports import Received
from dynexport.service import Context, Moment
from inverter_writer.battery_acceptance import BatteryAcceptance
from inverter_writer.battery_job import BatteryJob
from inverter_writer.battery_voice import BatteryVoice


class Batteries:
    """Those that answer by Modbus."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.voice = BatteryVoice(context)
        enabled = context.site.control.enabled
        self.jobs = {
            place.battery.id: BatteryJob(place, context.clock, context.bus.wake, enabled=enabled)
            for place in context.site.modbus_batteries
        }
        self._acceptance = {name: BatteryAcceptance() for name in self.jobs}

    def placed(self) -> Iterator[tuple[Address, BatteryJob]]:
        """Each job and where it belongs."""
        for job in self.jobs.values():
            yield address_of(job.place), job

    def hear(self, received: Received) -> BatteryJob | None:
        """Take a setpoint in; the job that it changed."""
        setpoint, job = received.message, self.jobs.get(received.id)
        if received.topic is not topics.BATTERY_SETPOINT or not isinstance(setpoint, m.BatterySetpoint):
            return None
        if job is None or job.place.battery.control == "none":
            return None
        acceptance = self._acceptance[received.id]
        refused = acceptance.offer(setpoint, received.mono)
        if refused is not None:
            self.voice.refused(received.id, refused)
            return None
        self.voice.accepted(received.id)
        job.accepted = acceptance.accepted
        return job

    def say(self, now: Moment) -> None:
        """What the endpoints' threads have found, and how each battery stands."""
        for name, job in self.jobs.items():
            while job.reports:
                self.voice.report(name, job, job.reports.popleft())
            self.voice.control(name, job, now)
