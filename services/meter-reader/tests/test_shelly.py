"""What Shelly's meters publish by themselves, as readings."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from dynexport import topics
from dynexport.clock import FakeClock
from dynexport.messages import MeterReading
from dynexport.service import Moment
from dynexport.testing import builders
from dynexport.testing.context import codes, fake_context
from meter_reader.app import build

PRO_TOPIC, TOPIC = "shellypro3em-00000000000/status/em:0", "shellies/shellyem3-000000"
PRO: dict[str, Any] = {
    "id": 0,
    "a_current": 0.595, "a_voltage": 225.3, "a_act_power": -60.2, "a_aprt_power": 134.0, "a_pf": 0.45, "a_freq": 50.0,
    "b_current": 1.041, "b_voltage": 223.9, "b_act_power": 72.8, "b_aprt_power": 233.1, "b_pf": 0.32, "b_freq": 50.0,
    "c_current": 2.057, "c_voltage": 224.3, "c_act_power": 379.9, "c_aprt_power": 462.0, "c_pf": 0.8, "c_freq": 50.0,
    "n_current": None, "total_current": 3.693, "total_act_power": 392.5, "total_aprt_power": 829.1,
    "user_calibrated_phase": [],
}  # fmt: skip


class Bench:
    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock()
        context, self.bus = fake_context(
            "meter-reader", builders.site(meter={"driver": "mqtt", **settings}), self.clock
        )
        self.reader = build(context)
        self.reader.start()

    def hear(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        self.bus.deliver_raw(topic, payload, retained=retained)
        self.step()

    def phase(self, index: int, power: object) -> None:
        self.hear(f"{TOPIC}/emeter/{index}/power", str(power).encode())

    def step(self, after_s: float = 0.0) -> None:
        self.clock.advance(after_s)
        self.reader.step(self.bus.drain(), Moment(self.clock.now(), self.clock.mono()))

    @property
    def readings(self) -> list[MeterReading]:
        return [each for each in self.bus.all(topics.METER_READING) if isinstance(each, MeterReading)]

    @property
    def codes(self) -> list[str]:
        return codes(self.bus, "meter-reader")


@pytest.fixture
def three() -> Bench:
    return Bench(format="shelly_3em", topic=TOPIC, period_s=1)


def test_a_pro_3em_is_read_as_it_publishes() -> None:
    bench = Bench(format="shelly_pro_3em", topic=PRO_TOPIC)
    bench.hear(PRO_TOPIC, json.dumps(PRO).encode())
    (reading,) = bench.readings
    assert (reading.power_w, reading.power_a_w, reading.voltage_c_v) == (392.5, -60.2, 224.3)
    assert reading.frequency_hz == 50.0


def test_a_pro_3em_whose_meter_chip_has_failed_is_no_reading() -> None:
    bench = Bench(format="shelly_pro_3em", topic=PRO_TOPIC)
    bench.hear(
        PRO_TOPIC, json.dumps({**PRO, "total_act_power": None, "errors": ["power_meter_failure"]}).encode()
    )
    assert bench.readings == []
    assert bench.codes == ["meter_refused"]


def test_the_three_topics_of_a_3em_are_subscribed(three: Bench) -> None:
    assert three.bus.subscribed_raw == [f"{TOPIC}/emeter/{phase}/power" for phase in range(3)]


def test_three_phases_make_one_reading_as_old_as_the_oldest(three: Bench) -> None:
    three.phase(0, -1000.5)
    three.step(0.2)
    three.phase(1, 200)
    three.step(0.2)
    assert three.readings == []
    three.phase(2, 300)
    (reading,) = three.readings
    assert (reading.power_w, reading.power_a_w, reading.power_b_w, reading.power_c_w) == (
        -500.5,
        -1000.5,
        200,
        300,
    )
    assert three.clock.now() - reading.measured_at == timedelta(seconds=0.4)


def test_each_round_of_three_is_one_reading_and_no_phase_of_two_rounds_is_mixed(three: Bench) -> None:
    for power_w in (100.0, 200.0, 300.0):
        for phase in range(3):
            three.phase(phase, power_w)
        three.step(1.0)
    assert [reading.power_w for reading in three.readings] == [300.0, 600.0, 900.0]


def test_a_phase_that_does_not_change_and_is_not_said_again_counts_as_long_as_it_is_fresh(
    three: Bench,
) -> None:
    for phase in range(3):
        three.phase(phase, 100.0)
    for _ in range(2):
        three.step(1.0)
        three.phase(0, -500.0)
    assert three.readings[-1].power_w == -300.0


def test_a_phase_that_is_silent_for_4_s_ends_the_readings(three: Bench) -> None:
    for phase in range(3):
        three.phase(phase, 100.0)
    for _ in range(12):
        three.step(1.0)
        three.phase(0, -500.0)
        three.phase(1, 0.0)
    assert {reading.power_c_w for reading in three.readings} == {100.0}
    assert three.clock.now() - three.readings[-1].issued_at > timedelta(seconds=6)
    assert three.codes == ["meter_silent"]


@pytest.mark.parametrize("payload", ["nan", "", "null", "{}", "overpower", "1e999"])
def test_a_phase_that_is_no_number_makes_no_reading(three: Bench, payload: str) -> None:
    three.phase(0, 100.0)
    three.phase(1, 100.0)
    three.phase(2, payload)
    assert three.readings == []
    assert three.codes == ["meter_refused"]


def test_a_stored_phase_never_counts(three: Bench) -> None:
    three.hear(f"{TOPIC}/emeter/2/power", b"0", retained=True)
    three.phase(0, 100.0)
    three.phase(1, 100.0)
    assert three.readings == []


def test_invert_turns_each_phase() -> None:
    bench = Bench(format="shelly_3em", topic=f"{TOPIC}/", invert=True)
    for phase in range(3):
        bench.phase(phase, 100.0)
    assert (bench.readings[0].power_w, bench.readings[0].power_b_w) == (-300.0, -100.0)
