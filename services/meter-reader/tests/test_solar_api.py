"""A Fronius Solar API over a real socket; the documents have the shape of recorded ones."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dynexport import topics
from dynexport.clock import FakeClock
from dynexport.messages import MeterReading
from dynexport.service import Moment
from dynexport.testing.builders import site
from dynexport.testing.context import codes, fake_context
from meter_reader.app import build
from meter_reader.web_meter import WebMeterReader

PLUS_3 = timezone(timedelta(hours=3))
METER: dict[str, Any] = {
    "Details": {"Manufacturer": "Fronius", "Model": "Smart Meter 63A", "Serial": "16030749"},
    "Enable": 1,
    "Visible": 1,
    "Meter_Location_Current": 0,
    "PowerReal_P_Sum": -4493.4,
    "PowerReal_P_Phase_1": -1341.4,
    "PowerReal_P_Phase_2": -1593.7,
    "PowerReal_P_Phase_3": -1558.3,
    "PowerReactive_Q_Sum": -259.9,
    "Voltage_AC_Phase_1": 251.4,
    "Voltage_AC_Phase_2": 249.4,
    "Voltage_AC_Phase_3": 250.6,
    "Frequency_Phase_Average": 50,
    "EnergyReal_WAC_Sum_Consumed": 206254,
    "EnergyReal_WAC_Sum_Produced": 2584992,
}


class Inverter:
    """Answers as an inverter with a Smart Meter does; the changes are the tests'."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.grid_w: float | None = -4500.0
        self.meter = copy.deepcopy(METER)
        self.age = timedelta(seconds=0)
        self.behind = timedelta(seconds=0)
        self.status = 0
        self.stamped = True
        self.http_status = 200
        self.frozen = False
        self._said: dict[str, Any] = {}

    def __call__(self, asked: Any) -> Any:
        if not self.frozen or asked.path not in self._said:
            self._said[asked.path] = self._answer(asked)
        return self._said[asked.path]

    def _answer(self, asked: Any) -> tuple[int, dict[str, str], Any]:
        now = self.clock.now() - self.behind
        data: dict[str, Any] = {"Site": {"Mode": "meter", "P_Grid": self.grid_w}}
        if "GetMeterRealtimeData" in asked.path:
            stamp = {"TimeStamp": int((now - self.age).timestamp())} if self.stamped else {}
            data = {"0": {**self.meter, **stamp}}
        head = {
            "Status": {"Code": self.status, "Reason": "", "UserMessage": ""},
            "Timestamp": now.astimezone(PLUS_3).isoformat(timespec="seconds"),
        }
        return self.http_status, {}, {"Body": {"Data": data}, "Head": head}


class Bench:
    def __init__(self, web_device: Callable[..., Any]) -> None:
        self.clock = FakeClock()
        self.inverter = Inverter(self.clock)
        self.device = web_device(self.inverter)
        meter = {"driver": "solar_api", "host": "127.0.0.1", "port": self.device.port}
        context, self.bus = fake_context("meter-reader", site(meter=meter), self.clock)
        reader = build(context)
        assert isinstance(reader, WebMeterReader)
        self.reader = reader

    def read(self, count: int = 1) -> list[MeterReading]:
        """Everything published so far, after `count` more polls."""
        for _ in range(count):
            self.clock.advance(1.0)
            self.reader.poller._turn(self.clock.mono())
            self.reader.step([], Moment(self.clock.now(), self.clock.mono()))
        return [each for each in self.bus.all(topics.METER_READING) if isinstance(each, MeterReading)]

    def events(self) -> list[str]:
        return codes(self.bus, "meter-reader")


@pytest.fixture
def bench(web_device: Callable[..., Any]) -> Bench:
    return Bench(web_device)


def test_the_meter_at_the_grid_is_read_with_its_phases_and_its_own_time(bench: Bench) -> None:
    (reading,) = bench.read()
    assert (reading.power_w, reading.power_c_w, reading.voltage_b_v) == (-4493.4, -1558.3, 249.4)
    assert (reading.frequency_hz, reading.import_wh, reading.export_wh) == (50.0, 206254.0, 2584992.0)
    assert reading.measured_at == bench.clock.now()


def test_a_null_p_grid_is_no_reading_and_is_said(bench: Bench) -> None:
    bench.inverter.grid_w = None
    assert bench.read() == []
    assert bench.events() == ["meter_refused"]


def test_a_meter_that_its_inverter_no_longer_hears_grows_old_though_the_answers_are_fresh(
    bench: Bench,
) -> None:
    bench.read()
    heard = int(bench.clock.now().timestamp())
    bench.inverter.stamped = False
    bench.inverter.meter["TimeStamp"] = heard
    assert len(bench.read(count=8)) == 1
    assert bench.events().count("meter_stale") == 1


def test_an_inverter_that_has_stopped_clock_and_all_grows_old(bench: Bench) -> None:
    bench.read()
    bench.inverter.frozen = True
    assert len(bench.read(count=10)) <= 2
    assert bench.events().count("meter_stale") == 1


def test_a_meter_measured_a_second_ago_counts_as_of_now_and_one_of_3_s_ago_as_of_then(bench: Bench) -> None:
    for age_s, expected_s in ((1, 0), (3, 3)):
        bench.inverter.age = timedelta(seconds=age_s)
        bench.inverter.meter["PowerReal_P_Sum"] -= 1.0
        reading = bench.read()[-1]
        assert (bench.clock.now() - reading.measured_at).total_seconds() == pytest.approx(
            expected_s, abs=0.01
        )


def test_a_meter_that_measures_the_house_is_read_by_p_grid_alone(bench: Bench) -> None:
    bench.inverter.meter["Meter_Location_Current"] = 1
    (reading,) = bench.read()
    assert (reading.power_w, reading.power_a_w) == (-4500.0, None)


def test_an_inverter_whose_clock_is_an_hour_slow_is_read_by_our_clock(bench: Bench) -> None:
    bench.inverter.behind = timedelta(hours=1, seconds=0.4)
    *_, reading = bench.read(count=5)
    assert timedelta(0) <= bench.clock.now() - reading.measured_at <= timedelta(seconds=2)
    assert bench.events() == ["meter_clock"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", 3),
        ("http_status", 404),
        ("http_status", 500),
        ("meter", {**METER, "PowerReal_P_Sum": None}),
        ("meter", {**METER, "PowerReal_P_Sum": "much"}),
    ],
)
def test_an_answer_that_is_none_is_no_reading(bench: Bench, name: str, value: Any) -> None:
    setattr(bench.inverter, name, value)
    assert bench.read() == []
    assert set(bench.events()) <= {"meter_refused", "meter_error"}
    assert bench.events()


def test_a_phase_that_is_no_number_is_left_out(bench: Bench) -> None:
    bench.inverter.meter["PowerReal_P_Phase_2"] = "?"
    (reading,) = bench.read()
    assert (reading.power_w, reading.power_b_w) == (-4493.4, None)
    assert bench.events() == ["meter_fields"]


def test_the_answers_time_is_read_whatever_its_zone(bench: Bench) -> None:
    (reading,) = bench.read()
    assert isinstance(reading.measured_at, datetime)
    assert reading.measured_at.utcoffset() == timedelta(0)
