"""Published readings: one reading per good message, nothing else, and it ages."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dynexport import topics
from dynexport.clock import FakeClock, rfc3339
from dynexport.messages import BatteryReading, Location, MeterReading, PowerReading
from dynexport.service import Moment
from dynexport.testing import builders
from dynexport.testing.context import codes, fake_context
from meter_reader.app import build

TOPIC = "shellies/em/power"
NOW = datetime(2027, 1, 15, 2, 0, tzinfo=UTC)


class Bench:
    """A reader on a fake bus, with a publisher's hand."""

    def __init__(self, fields: dict[str, str] | None = None, **settings: Any) -> None:
        meter = {"driver": "mqtt", "topic": TOPIC, "fields": fields or {"power_w": "power"}, **settings}
        self.clock = FakeClock(NOW)
        self.context, self.bus = fake_context("meter-reader", builders.site(meter=meter), self.clock)
        self.reader = build(self.context)
        self.reader.start()

    def step(self) -> None:
        self.reader.step(self.bus.drain(), Moment(self.clock.now(), self.clock.mono()))

    def hear(self, document: Any, *, after_s: float = 1.0, retained: bool = False) -> None:
        self.clock.advance(after_s)
        payload = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.bus.deliver_raw(TOPIC, payload, retained=retained)
        self.step()

    def timed(self, age_s: float, *, after_s: float = 1.0) -> None:
        measured = self.clock.now() + timedelta(seconds=after_s - age_s)
        self.hear({"power": 5, "at": rfc3339(measured)}, after_s=after_s)

    @property
    def readings(self) -> list[MeterReading]:
        return [r for r in self.bus.all(topics.METER_READING) if isinstance(r, MeterReading)]

    @property
    def codes(self) -> list[str]:
        return codes(self.bus, "meter-reader")


TIMED = {"power_w": "power", "measured_at": "at"}


def test_a_good_message_is_one_reading_stamped_with_its_arrival() -> None:
    bench = Bench(location="consumption")
    bench.hear({"power": "-123.4"})
    (reading,) = bench.readings
    assert reading.power_w == -123.4
    assert reading.measured_at == bench.clock.now() == reading.issued_at
    assert reading.location is Location.CONSUMPTION
    assert bench.bus.subscribed_raw == [TOPIC]


def test_a_message_that_waited_in_the_mailbox_is_stamped_with_its_arrival_not_with_now() -> None:
    bench = Bench()
    bench.bus.deliver_raw(TOPIC, b'{"power": 5}')
    bench.clock.advance(0.5)
    bench.step()
    assert bench.readings[0].measured_at == NOW
    assert bench.readings[0].issued_at == NOW + timedelta(seconds=0.5)


def test_nothing_is_published_again_when_no_message_comes() -> None:
    bench = Bench()
    bench.hear({"power": 5})
    for _ in range(10):
        bench.clock.advance(1.0)
        bench.step()
    assert len(bench.readings) == 1


def test_a_stored_copy_never_counts() -> None:
    bench = Bench()
    bench.hear({"power": 5}, retained=True)
    assert bench.readings == []
    assert bench.bus.counters.rejected == 1


def test_a_publishers_own_time_is_passed_on() -> None:
    bench = Bench(TIMED)
    bench.timed(1.5)
    assert bench.readings[0].measured_at == bench.clock.now() - timedelta(seconds=1.5)


@pytest.mark.parametrize(
    ("period_s", "age_s", "counts"),
    [
        (1.0, 4.0, True), (1.0, 4.1, False), (1.0, -5.0, True), (1.0, -5.1, False),
        (2.0, 6.0, True), (2.0, 6.1, False), (0.5, 3.9, True),
    ],
)  # fmt: skip
def test_a_reading_older_than_4_s_or_3_periods_or_5_s_in_the_future_is_dropped(
    period_s: float, age_s: float, counts: bool
) -> None:
    bench = Bench(TIMED, period_s=period_s)
    bench.timed(age_s)
    assert len(bench.readings) == counts
    assert bench.codes == ([] if counts else ["meter_refused"])


def test_the_same_moment_published_again_is_no_news_and_lets_the_meter_age() -> None:
    bench = Bench(TIMED)
    same = {"power": 5, "at": rfc3339(NOW + timedelta(seconds=1))}
    for _ in range(4):
        bench.hear(same)
    assert len(bench.readings) == 1
    bench.hear(same, after_s=1.5)
    assert len(bench.readings) == 1
    assert bench.codes == ["meter_refused", "meter_silent"]


def test_rubbish_is_counted_its_event_rationed_and_the_last_reading_stays() -> None:
    bench = Bench()
    bench.hear({"power": 5})
    for _ in range(61):
        bench.hear(b"rubbish", after_s=0.05)
    assert len(bench.readings) == 1
    assert bench.codes == ["meter_refused", "meter_refused"]
    assert bench.reader.health().device_errors == 61
    assert bench.bus.counters.rejected == 61


def test_a_meter_that_comes_back_is_an_event_once_it_has_been_well_for_5_s() -> None:
    bench = Bench()
    bench.hear(b"rubbish")
    for _ in range(4):
        bench.hear({"power": 5})
    assert bench.codes == ["meter_refused"]
    bench.hear({"power": 5})
    bench.hear({"power": 5})
    assert bench.codes == ["meter_refused", "meter_back"]


def test_a_meter_that_flickers_does_not_flood_the_events() -> None:
    bench = Bench()
    for _ in range(25):
        bench.hear({"power": 5}, after_s=0.5)
        bench.hear(b"rubbish", after_s=0.5)
    assert bench.codes == ["meter_refused"]
    assert len(bench.readings) == 25


def test_a_publisher_that_is_silent_for_4_s_is_an_event_once() -> None:
    bench = Bench()
    for _ in range(9):
        bench.clock.advance(1.0)
        bench.step()
    assert bench.codes == ["meter_silent"]


def test_a_field_that_control_does_not_need_is_named_and_the_reading_counts() -> None:
    bench = Bench({"power_w": "power", "voltage_a_v": "u"})
    bench.hear({"power": 5, "u": "unavailable"})
    assert bench.readings[0].power_w == 5
    assert bench.readings[0].voltage_a_v is None
    assert bench.codes == ["meter_fields"]


def test_an_absurd_power_is_refused_at_the_boundary() -> None:
    bench = Bench()
    bench.hear({"power": 1e9})
    assert bench.readings == []
    assert bench.codes == ["meter_refused"]


def test_what_waited_while_the_process_was_frozen_does_not_count() -> None:
    bench = Bench()
    bench.hear({"power": 5})
    bench.hear({"power": 6}, after_s=60.0)
    bench.hear({"power": 7}, after_s=0.5)
    bench.hear({"power": 8}, after_s=0.6)
    assert [reading.power_w for reading in bench.readings] == [5, 8]


def test_a_foreign_topic_of_the_same_process_is_not_taken() -> None:
    bench = Bench()
    bench.bus.deliver_raw("some/other", b'{"power": 5}')
    bench.step()
    assert bench.readings == []


def test_our_own_topic_as_the_meters_is_a_configuration_error_and_no_loop() -> None:
    bench = Bench(topic="dynexport/meter/site/reading")
    assert bench.context.exit_code == 2
    assert bench.bus.subscribed_raw == []


GARAGE = {
    "id": "garage",
    "rated_w": 5000,
    "topic": "victron/battery",
    "fields": {"power_w": "Dc.0.Power", "soc_pct": "Soc", "measured_at": "at"},
    "invert": True,
}
SHED = {"id": "shed", "rated_w": 2000, "topic": "shed/pv", "fields": {"power_w": "kw"}, "scale": 1000}


class Others(Bench):
    """A reader whose meter is a Modbus device elsewhere, with a battery and a generator that are published."""

    def __init__(self, **sections: Any) -> None:
        self.clock = FakeClock(NOW)
        named = {"batteries": [GARAGE], "uncontrolled": [SHED], **sections}
        behind = {"meter": {"driver": "sunspec", "tcp": builders.SITE["inverters"][0]["tcp"], "unit": 240}}
        site = builders.site(**{**behind, **named})
        self.context, self.bus = fake_context("meter-reader", site, self.clock)
        self.reader = build(self.context)
        self.reader.start()

    def say(self, path: str, document: Any, *, after_s: float = 1.0, retained: bool = False) -> None:
        self.clock.advance(after_s)
        self.bus.deliver_raw(path, json.dumps(document).encode(), retained=retained)
        self.step()

    def battery(self, power_w: float, *, age_s: float = 0.0, retained: bool = False) -> None:
        measured = rfc3339(self.clock.now() + timedelta(seconds=1.0 - age_s))
        self.say(
            "victron/battery", {"Dc": [{"Power": power_w}], "Soc": 61, "at": measured}, retained=retained
        )

    @property
    def garage(self) -> list[BatteryReading]:
        said = self.bus.all(topics.BATTERY_READING, "garage")
        return [reading for reading in said if isinstance(reading, BatteryReading)]


def test_a_batterys_topic_is_mapped_to_its_reading() -> None:
    home = Others()
    home.battery(1200.0, age_s=0.5)
    (reading,) = home.garage
    assert (reading.power_w, reading.soc_pct) == (-1200.0, 61.0), "its publisher calls charging positive"
    assert reading.issued_at - reading.measured_at == timedelta(seconds=0.5)


def test_what_does_not_obey_us_is_mapped_to_its_reading() -> None:
    home = Others()
    home.say("shed/pv", {"kw": 0.85})
    reading = home.bus.last(topics.UNCONTROLLED_READING, "shed")
    assert isinstance(reading, PowerReading)
    assert reading.power_w == 850.0
    assert home.garage == []


def test_a_loads_topic_is_mapped_to_its_reading() -> None:
    boiler = {
        "id": "boiler",
        "rated_w": 2000,
        "topic": "boiler/em",
        "fields": {"power_w": "p"},
        "invert": True,
    }
    home = Others(loads=[boiler])
    home.say("boiler/em", {"p": -1950})
    reading = home.bus.last(topics.LOAD_READING, "boiler")
    assert isinstance(reading, PowerReading)
    assert reading.power_w == 1950.0


def test_a_stored_and_an_old_reading_of_a_battery_never_count() -> None:
    home = Others()
    home.battery(1200.0, retained=True)
    home.battery(1200.0, age_s=5.1)
    assert home.garage == []
    assert home.codes == ["idle", "battery_refused"]
    home.battery(1200.0, age_s=4.9)
    assert len(home.garage) == 1


def test_a_battery_that_is_silent_for_5_s_is_an_event_with_its_name_and_the_others_go_on() -> None:
    home = Others(uncontrolled=[])
    home.battery(1200.0)
    for _ in range(6):
        home.clock.advance(1.0)
        home.step()
    assert home.codes == ["idle", "battery_silent"]
    for _ in range(7):
        home.battery(1200.0)
    assert home.codes == ["idle", "battery_silent", "battery_back"]
    assert home.reader.health().device_errors == 1


def test_one_topic_may_hold_the_meter_and_a_battery() -> None:
    home = Others(
        meter={"driver": "mqtt", "topic": "house", "fields": {"power_w": "grid"}},
        batteries=[{"id": "garage", "rated_w": 1, "topic": "house", "fields": {"power_w": "battery"}}],
        uncontrolled=[],
    )
    home.say("house", {"grid": -300, "battery": 700})
    assert [reading.power_w for reading in home.readings] == [-300.0]
    assert [reading.power_w for reading in home.garage] == [700.0]
    assert home.bus.subscribed_raw == ["house"]


def test_without_a_topic_a_batterys_reading_is_not_ours_to_publish() -> None:
    home = Others(batteries=[{"id": "garage", "rated_w": 5000}], uncontrolled=[])
    assert home.bus.subscribed_raw == []


@pytest.mark.parametrize("topic", ["dynexport/battery/garage/reading", "dynexport/meter/site/reading"])
def test_our_own_topic_as_a_batterys_is_a_configuration_error_and_no_loop(topic: str) -> None:
    home = Others(batteries=[{**GARAGE, "topic": topic}])
    assert home.context.exit_code == 2
    assert home.bus.subscribed_raw == []
