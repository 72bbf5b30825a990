"""A meter that somebody publishes on the same broker, as a service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import ValidationError

from dynexport import topics
from dynexport.messages import MeterReading, stamp
from dynexport.ports import RawReceived, Received
from dynexport.service import BAD_CONFIGURATION, Context, HealthPart, Moment
from dynexport.settings.models import MqttMeter
from meter_reader.age import doubt, max_age_s
from meter_reader.mapping import Mapping, Odd, Sample
from meter_reader.troubles import Troubles

LOOK_AGAIN_S = 1.0
FROZEN_S = 3.0
DEAF_S = 1.0


class MqttMeterReader:
    """One reading published per message received, never one twice; without a good message it ages."""

    def __init__(self, context: Context, settings: MqttMeter) -> None:
        self._context = context
        self._settings = settings
        self._mapping = Mapping(settings)
        self._troubles = Troubles(context)
        self._oldest_s = max_age_s(settings.period_s)
        self._measured_at: datetime | None = None
        self._news = context.clock.mono()
        self._silent = False
        self._stepped = context.clock.mono()
        self._deaf_until = float("-inf")

    def start(self) -> None:
        """Subscribe; ends with exit code 2 when the topic is the one that we write ourselves."""
        if self._settings.topic == topics.METER_READING.path(self._context.site.mqtt.root):
            message = f"meter.topic: {self._settings.topic} is where Dynexport publishes; name the meter's own topic"
            self._context.fail(BAD_CONFIGURATION, message)
            return
        self._context.bus.subscribe_raw(self._settings.topic)

    def connected(self, now: Moment) -> None:
        """Nothing: readings are never published twice."""

    def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
        """Publish what came, and say it when nothing good has come for too long."""
        if now.mono - self._stepped > FROZEN_S:  # we were frozen: what waited meanwhile is not fresh
            self._deaf_until = now.mono + DEAF_S
        self._stepped = now.mono
        for received in inbox:
            if isinstance(received, RawReceived) and received.path == self._settings.topic:
                self._take(received, now)
        if not self._silent and now.mono - self._news > self._oldest_s:
            self._silent = True
            what = f"no good reading on {self._settings.topic} for {self._oldest_s:g} s"
            self._troubles.happened("meter_silent", what, now.mono)
        return LOOK_AGAIN_S

    def stop(self, now: Moment) -> None:
        """Nothing to leave."""

    def health(self) -> HealthPart:
        """Messages that were no readings so far."""
        return HealthPart(device_errors=self._troubles.count)

    def _take(self, received: RawReceived, now: Moment) -> None:
        if received.retained or received.mono < self._deaf_until:
            self._context.bus.counters.rejected += 1
            return
        try:
            sample = self._mapping.read(received.payload)
            reading = self._reading(sample, received, now)
        except Odd as odd:
            self._context.bus.counters.rejected += 1
            what = f"a message on {received.path} was dropped: {odd}"
            self._troubles.happened("meter_refused", what, now.mono)
            return
        if sample.measured_at is not None and sample.measured_at == self._measured_at:
            return  # the same reading published again is no news, and no mistake either
        self._measured_at = sample.measured_at
        self._publish(sample, reading, now)

    def _publish(self, sample: Sample, reading: MeterReading, now: Moment) -> None:
        self._context.bus.publish(topics.METER_READING, reading)
        self._news, self._silent = now.mono, False
        if sample.left_out:
            what = f"left out, because they are no numbers: {', '.join(sample.left_out)}"
            self._troubles.happened("meter_fields", what, now.mono)
        else:
            self._troubles.good(now.mono)

    def _reading(self, sample: Sample, received: RawReceived, now: Moment) -> MeterReading:
        """Stamped with its own time, else with that of its arrival; raises Odd when it cannot be one."""
        arrived = now.wall - timedelta(seconds=max(0.0, now.mono - received.mono))
        measured_at = sample.measured_at or arrived
        too_odd = doubt(measured_at, now.wall, self._oldest_s)
        if too_odd is not None:
            raise Odd(too_odd)
        fields = {
            **sample.values,
            "issued_at": stamp(now.wall),
            "measured_at": stamp(measured_at),
            "location": self._settings.location,
        }
        try:
            return MeterReading.model_validate(fields)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise Odd(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
