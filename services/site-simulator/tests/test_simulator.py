"""The simulated devices as a client sees them, over real sockets; every fault shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dynexport import topics
from dynexport.broker import free_port
from dynexport.clock import SystemClock
from dynexport.messages import InverterState, Request
from dynexport.modbus.endpoint import BadAnswer, Endpoint, ModbusError, TcpAddress, Unreachable
from dynexport.modbus.sunspec import BadValue, discover
from dynexport.modbus.sunspec_inverter import SunSpecInverter
from dynexport.modbus.sunspec_meter import SunSpecMeter
from dynexport.testing.builders import site
from dynexport.testing.context import codes, fake_context
from site_simulator.app import Simulator
from site_simulator.profile import Day

CLOCK = SystemClock()


class Home:
    """A running simulator, and a client for each of its devices."""

    def __init__(self, feeds: tuple[str, ...] = (), **settings: Any) -> None:
        meter_port, inverter_port = free_port(), free_port()
        grid = {"name": "Test", "time_zone": "Australia/Adelaide", "clock": "trusted"}
        shape = site(
            site={**grid, "phases": 3 if feeds else 1},
            meter={"driver": "sunspec", "tcp": {"host": "127.0.0.1", "port": meter_port}, "unit": 240},
            inverters=[
                {
                    "id": name,
                    "driver": "sunspec",
                    "tcp": {"host": "127.0.0.1", "port": inverter_port},
                    "unit": unit,
                    "rated_w": 5000,
                    **({"phase": feeds[unit - 1]} if feeds else {}),
                }
                for unit, name in ((1, "east"), (2, "west"))
            ],
            simulator={
                "sun": "script",
                "load_w": 2000,
                "meter_noise_w": 0,
                "tau_s": 0.05,
                **settings,
            },
        )
        context, self.bus = fake_context("site-simulator", shape, CLOCK)
        self.simulator = Simulator(context)
        self.simulator.start()
        self.meter = SunSpecMeter(Endpoint(TcpAddress("127.0.0.1", meter_port), timeout_s=0.3), 240)
        roof = Endpoint(TcpAddress("127.0.0.1", inverter_port), timeout_s=0.3)
        self.endpoint = roof
        self.east, self.west = SunSpecInverter(roof, 1), SunSpecInverter(roof, 2)

    def ask(self, fault: str, **fields: Any) -> None:
        request = Request(issued_at=CLOCK.now(), fault=fault, **fields)
        self.bus.deliver(topics.REQUEST, request, "site-simulator", "fault")
        self.simulator.step(self.bus.drain(), self.simulator.context.moment())
        CLOCK.sleep(0.15)


@pytest.fixture
def home() -> Iterator[Home]:
    running = Home()
    yield running
    running.simulator.stop(running.simulator.context.moment())


def test_two_inverters_behind_one_endpoint_and_a_meter_add_up(home: Home) -> None:
    made = home.east.read().power_w + home.west.read().power_w
    assert made == pytest.approx(10_000, abs=5)
    assert home.meter.read().power_w == pytest.approx(2000 - made, abs=5)


def test_an_inverter_says_who_it_is(home: Home) -> None:
    identity = home.east.identify()
    assert (identity.serial, identity.max_w, identity.control_model) == ("east", 5000, 123)
    assert identity.resolution_pct == pytest.approx(0.01)


def test_the_map_holds_the_models_of_the_readme(home: Home) -> None:
    assert set(discover(home.endpoint, 1).models) == {1, 103, 120, 121, 122, 123}


def test_the_float_map_reads_the_same() -> None:
    running = Home(map="float")
    try:
        assert set(discover(running.endpoint, 1).models) == {1, 113, 120, 121, 122, 123}
        assert running.east.read().power_w == pytest.approx(5000, abs=5)
        assert running.meter.read().power_w == pytest.approx(-8000, abs=5)
    finally:
        running.simulator.stop(running.simulator.context.moment())


def test_with_three_phases_each_shows_its_part_of_the_load_and_the_inverters_that_feed_it() -> None:
    running = Home(feeds=("a", "abc"), load_share_pct=[50, 30, 20])
    try:
        shown = running.meter.read()
        phases = (shown.power_a_w, shown.power_b_w, shown.power_c_w)
        assert phases == pytest.approx((1000 - 5000 - 1667, 600 - 1667, 400 - 1667), abs=5)
        running.ask("load_w", id="a", value=3000.0)
        shown = running.meter.read()
        assert (shown.power_a_w, shown.power_b_w) == pytest.approx((3000 - 5000 - 1667, 600 - 1667), abs=5)
        truth = running.simulator.network.truth
        assert truth["site_a_w"] + truth["site_b_w"] + truth["site_c_w"] == pytest.approx(
            truth["site_w"], abs=1
        )
    finally:
        running.simulator.stop(running.simulator.context.moment())


def test_with_one_phase_everything_shows_on_phase_a(home: Home) -> None:
    shown = home.meter.read()
    assert (shown.power_a_w, shown.power_b_w, shown.power_c_w) == (shown.power_w, 0.0, 0.0)


def test_a_limit_is_followed_and_shown(home: Home) -> None:
    home.east.write_limit(20.0, 0)
    CLOCK.sleep(0.5)
    reading = home.east.read()
    assert reading.power_w == pytest.approx(1000, abs=5)
    assert reading.state is InverterState.THROTTLED
    assert home.east.read_control().effective_pct == pytest.approx(20.0)
    assert home.east.read_status().available_w == 5000


def test_a_disconnected_inverter_makes_nothing(home: Home) -> None:
    home.east.write_connect(False)
    CLOCK.sleep(0.5)
    assert home.east.read().power_w == pytest.approx(0, abs=1)
    assert home.east.read_status().connected is False


def test_its_own_timer_releases_the_limit(home: Home) -> None:
    home.east.write_limit(20.0, 1)
    CLOCK.sleep(1.5)
    assert home.east.read().power_w == pytest.approx(5000, abs=5)
    assert not home.east.read_control().enabled


def test_release_takes_the_limit_out(home: Home) -> None:
    home.east.write_limit(20.0, 0)
    home.east.release()
    assert home.east.read_control().effective_pct == 100.0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("silent", Unreachable),
        ("hang", Unreachable),
        ("refuse", Unreachable),
        ("short_answer", BadAnswer),
        ("wrong_function", BadAnswer),
        ("sentinel", BadValue),
        ("all_ones", BadValue),
        ("absurd_scale", BadValue),
    ],
)
def test_a_fault_shows_and_ends(home: Home, fault: str, error: type[ModbusError]) -> None:
    home.meter.read()
    home.ask(fault, id="meter")
    with pytest.raises(error):
        home.meter.read()
    home.ask("clear")
    assert home.meter.read().power_w == pytest.approx(-8000, abs=5)


def test_a_fault_of_one_device_leaves_the_others_alone(home: Home) -> None:
    home.ask("silent", id="east")
    with pytest.raises(Unreachable):
        home.east.read()
    assert home.west.read().power_w == pytest.approx(5000, abs=5)


def test_a_fault_ends_by_itself_after_its_time(home: Home) -> None:
    home.ask("silent", id="meter", for_s=0.3)
    CLOCK.sleep(0.4)
    assert home.meter.read().power_w == pytest.approx(-8000, abs=5)


def test_a_reset_breaks_the_connection_once_and_the_next_read_works(home: Home) -> None:
    home.meter.read()
    home.ask("reset")
    assert home.meter.read().power_w == pytest.approx(-8000, abs=5)


def test_a_frozen_meter_repeats_itself(home: Home) -> None:
    before = home.meter.read().power_w
    home.ask("frozen", id="meter")
    home.ask("load_w", value=7000.0)
    assert home.meter.read().power_w == before


def test_a_reversed_meter_turns_the_sign(home: Home) -> None:
    home.ask("reversed", id="meter")
    assert home.meter.read().power_w == pytest.approx(8000, abs=5)


def test_load_and_sun_follow_what_is_asked(home: Home) -> None:
    home.ask("load_w", value=3000.0)
    home.ask("available_pct", value=10.0)
    CLOCK.sleep(0.5)
    assert home.east.read().power_w == pytest.approx(500, abs=5)
    assert home.meter.read().power_w == pytest.approx(2000, abs=5)


def test_at_night_the_inverters_answer_nothing_and_the_meter_does(home: Home) -> None:
    home.ask("night")
    with pytest.raises(Unreachable):
        home.east.read()
    CLOCK.sleep(0.5)
    assert home.meter.read().power_w == pytest.approx(2000, abs=5)


def test_nonsense_can_be_asked_for_in_one_model_only(home: Home) -> None:
    home.ask("sentinel", id="east", value=123.0)
    assert home.east.read().power_w == pytest.approx(5000, abs=5)
    with pytest.raises(BadValue):
        home.east.read_control()
    assert home.west.read_control().limit_pct == 100.0


def test_a_night_for_one_inverter_leaves_the_other_one_its_sun(home: Home) -> None:
    home.ask("night", id="east")
    with pytest.raises(Unreachable):
        home.east.read()
    CLOCK.sleep(0.5)
    assert home.west.read().power_w == pytest.approx(5000, abs=5)
    assert home.meter.read().power_w == pytest.approx(2000 - 5000, abs=5)


@pytest.mark.parametrize("fields", [{}, {"value": -1.0}, {"value": 100.0, "id": "nowhere"}])
def test_a_request_that_makes_no_sense_is_refused_in_words(home: Home, fields: dict[str, Any]) -> None:
    home.ask("load_w", **fields)
    assert "fault_refused" in codes(home.bus, "site-simulator")


def test_an_unknown_fault_names_those_that_are(home: Home) -> None:
    home.ask("earthquake")
    assert "fault_unknown" in codes(home.bus, "site-simulator")


def test_the_truth_is_published_and_recorded(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    running = Home(record=str(path))
    try:
        running.east.write_limit(50.0, 0)
        CLOCK.sleep(0.3)
        running.simulator.step([], running.simulator.context.moment())
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert any(line.get("write") == "east" and line["pct"] == 50.0 for line in lines)
        assert sum("site_w" in line for line in lines) > 10
        topic, payload = running.bus.raw_published[-1]
        assert topic.endswith("/simulator/truth")
        assert json.loads(payload)["load_w"] == 2000
    finally:
        running.simulator.stop(running.simulator.context.moment())


def test_a_day_has_a_noon_and_a_night() -> None:
    day = Day(seed=1)
    assert day.dark(3.0)
    assert not day.dark(12.5)
    assert max(day.sun(hour / 10) for hour in range(240)) > 0.7
    assert all(0.0 <= day.sun(hour / 10) <= 1.0 for hour in range(480))
    assert min(day.load_w(hour / 10) for hour in range(240)) > 300.0


def test_a_day_is_the_same_for_the_same_seed() -> None:
    first, second = Day(7), Day(7)
    assert [first.sun(h / 4) for h in range(96)] == [second.sun(h / 4) for h in range(96)]
