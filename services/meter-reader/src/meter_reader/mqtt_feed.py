"""Readings that somebody publishes on the same broker, said again as the contract wants them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from dynexport import topics
from dynexport.inbox import find
from dynexport.mapping import Mapping, Odd, Sample, doubt
from dynexport.messages import BatteryReading, Message, MeterReading, PowerReading, stamp
from dynexport.ports import RawReceived, Received
from dynexport.service import BAD_CONFIGURATION, Context, HealthPart, Moment
from dynexport.settings.models import Battery, Load, MqttMeter, Site, Uncontrolled
from dynexport.topics import Topic
from meter_reader.age import max_age_s
from meter_reader.shelly import PRO_3EM, PhasePowers
from meter_reader.troubles import Troubles

LOOK_AGAIN_S = 1.0
FROZEN_S = 3.0
DEAF_S = 1.0
OTHERS_AGE_S = 5.0

Another = Battery | Uncontrolled | Load


@dataclass(frozen=True, slots=True)
class Feed:
    """One publisher: his topics, how he is read, and what it becomes.

    `phases` is for one whose phases come one by one, each on its topic. `kind` begins the codes of its events, `name`
    stands in their words, `setting` in complaints about `site.yaml`.
    """

    paths: tuple[str, ...]
    mapping: Mapping
    to: Topic
    ids: tuple[str, ...]
    make: Callable[[dict[str, Any]], Message]
    oldest_s: float
    kind: str
    name: str
    setting: str
    phases: PhasePowers | None = None


def feeds(site: Site) -> list[Feed]:
    """What `site.yaml` maps: an MQTT meter, and batteries, generators and loads that have a `topic`."""
    found = [_of_the_meter(site.meter)] if isinstance(site.meter, MqttMeter) else []
    others: tuple[tuple[str, Sequence[Another], Topic, type[Message], str], ...] = (
        ("batteries", site.batteries, topics.BATTERY_READING, BatteryReading, "battery"),
        ("uncontrolled", site.uncontrolled, topics.UNCONTROLLED_READING, PowerReading, "uncontrolled"),
        ("loads", site.loads, topics.LOAD_READING, PowerReading, "load"),
    )
    for section, entries, to, model, kind in others:
        for number, entry in enumerate(entries):
            if entry.topic is not None:
                setting = f"{section}[{number}].topic"
                found.append(_of_another(entry, entry.topic, to, model, kind, setting))
    return found


def _of_the_meter(meter: MqttMeter) -> Feed:
    def make(values: dict[str, Any]) -> Message:
        return MeterReading.model_validate({**values, "location": meter.location})

    oldest_s = max_age_s(meter.period_s)
    phases = None
    if meter.format == "shelly_3em":
        phases = PhasePowers(meter.topics, -meter.scale if meter.invert else meter.scale, oldest_s)
    mapping = Mapping(meter, PRO_3EM if meter.format == "shelly_pro_3em" else None)
    return Feed(
        meter.topics, mapping, topics.METER_READING, (), make, oldest_s, "meter", "the meter", "meter.topic", phases
    )  # fmt: skip


def _of_another(entry: Another, path: str, to: Topic, model: type[Message], kind: str, setting: str) -> Feed:
    name = f"{kind} {entry.id}"
    return Feed(
        (path,), Mapping(entry), to, (entry.id,), model.model_validate, OTHERS_AGE_S, kind, name, setting
    )  # fmt: skip


class MqttReader:
    """One reading published per message received, never one twice; without a good message it ages."""

    def __init__(self, context: Context, found: Sequence[Feed]) -> None:
        self._context = context
        self._listeners = [Listener(context, feed) for feed in found]
        self._stepped = context.clock.mono()
        self._deaf_until = float("-inf")

    def start(self) -> None:
        """Subscribe; ends with exit code 2 when a topic is one of our own."""
        named = [(path, listener.feed) for listener in self._listeners for path in listener.feed.paths]
        for path, feed in named:
            if find(self._context.site.mqtt.root, path) is not None:
                message = f"{feed.setting}: {path} is one of Dynexport's own topics; name the publisher's"
                self._context.fail(BAD_CONFIGURATION, message)
                return
        for path in dict.fromkeys(path for path, _ in named):
            self._context.bus.subscribe_raw(path)

    def connected(self, now: Moment) -> None:
        """Nothing: readings are never published twice."""

    def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
        """Publish what came, and say it when nothing good has come for too long."""
        if now.mono - self._stepped > FROZEN_S:  # we were frozen: what waited meanwhile is not fresh
            self._deaf_until = now.mono + DEAF_S
        self._stepped = now.mono
        for received in inbox:
            if isinstance(received, RawReceived):
                self._hand_out(received, now)
        for listener in self._listeners:
            listener.look(now)
        return LOOK_AGAIN_S

    def stop(self, now: Moment) -> None:
        """Nothing to leave."""

    def health(self) -> HealthPart:
        """Messages that were no readings so far."""
        return HealthPart(device_errors=sum(listener.troubles.count for listener in self._listeners))

    def _hand_out(self, received: RawReceived, now: Moment) -> None:
        meant = [listener for listener in self._listeners if received.path in listener.feed.paths]
        if meant and (received.retained or received.mono < self._deaf_until):
            self._context.bus.counters.rejected += 1
            return
        for listener in meant:
            listener.take(received, now)


class Listener:
    """What was heard of one publisher."""

    def __init__(self, context: Context, feed: Feed) -> None:
        self.feed = feed
        self.troubles = Troubles(context, feed.kind, feed.name)
        self._context = context
        self._measured_at: datetime | None = None
        self._news = context.clock.mono()
        self._silent = False

    def look(self, now: Moment) -> None:
        """Say it once when nothing good has come for too long."""
        if not self._silent and now.mono - self._news > self.feed.oldest_s:
            self._silent = True
            what = f"no good reading on {', '.join(self.feed.paths)} for {self.feed.oldest_s:g} s"
            self.troubles.happened("silent", what, now.mono)

    def take(self, received: RawReceived, now: Moment) -> None:
        """One live message."""
        try:
            found = self._sample(received)
            if found is None:
                return  # one phase of three
            sample, arrived = found
            reading = self._reading(sample, arrived, now)
        except Odd as odd:
            self._context.bus.counters.rejected += 1
            self.troubles.happened("refused", f"a message on {received.path} was dropped: {odd}", now.mono)
            return
        if sample.measured_at is not None and sample.measured_at == self._measured_at:
            return  # the same reading published again is no news, and no mistake either
        self._measured_at = sample.measured_at
        self._publish(sample, reading, now)

    def _sample(self, received: RawReceived) -> tuple[Sample, float] | None:
        """A whole reading and when it arrived, None while parts of it are still to come; raises Odd."""
        if self.feed.phases is not None:
            return self.feed.phases.take(received.path, received.payload, received.mono)
        return self.feed.mapping.read(received.payload), received.mono

    def _publish(self, sample: Sample, reading: Message, now: Moment) -> None:
        self._context.bus.publish(self.feed.to, reading, *self.feed.ids)
        self._news, self._silent = now.mono, False
        if sample.left_out:
            what = f"left out, because they are no numbers: {', '.join(sample.left_out)}"
            self.troubles.happened("fields", what, now.mono)
        else:
            self.troubles.good(now.mono)

    def _reading(self, sample: Sample, arrived_mono: float, now: Moment) -> Message:
        """Stamped with its own time, else with that of its arrival; raises Odd when it cannot be one."""
        arrived = now.wall - timedelta(seconds=max(0.0, now.mono - arrived_mono))
        measured_at = sample.measured_at or arrived
        too_odd = doubt(measured_at, now.wall, self.feed.oldest_s)
        if too_odd is not None:
            raise Odd(too_odd)
        stamps = {"issued_at": stamp(now.wall), "measured_at": stamp(measured_at)}
        try:
            return self.feed.make({**sample.values, **stamps})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise Odd(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
