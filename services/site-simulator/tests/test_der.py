"""The map of models 701 to 704 as a client sees it, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dynexport import topics
from dynexport.broker import free_port
from dynexport.clock import SystemClock
from dynexport.messages import Request
from dynexport.modbus.endpoint import Endpoint, TcpAddress
from dynexport.modbus.sunspec import BadValue, SunSpecDevice, Values, discover
from dynexport.modbus.sunspec_meter import SunSpecMeter
from dynexport.testing.builders import site
from dynexport.testing.context import fake_context
from site_simulator.app import Simulator
from site_simulator.der import scales

CLOCK = SystemClock()
MEASURED, CAPACITY, SERVICE, CONTROLS = 701, 702, 703, 704


class Roof:
    """A running simulator with one inverter of the newer models, and the SunSpec client's view of it."""

    def __init__(self, phase: str = "abc", rated_w: int = 5000, **settings: Any) -> None:
        self.endpoint = Endpoint(TcpAddress("127.0.0.1", free_port()), timeout_s=0.3)
        tcp = {"host": "127.0.0.1", "port": self.endpoint.address.port}
        inverter = {"id": "roof", "driver": "sunspec", "tcp": tcp, "unit": 1}
        shape = site(
            meter={"driver": "sunspec", "tcp": tcp, "unit": 240},
            inverters=[{**inverter, "rated_w": rated_w, "phase": phase}],
            simulator={
                "sun": "script", "map": "der", "load_w": 0, "meter_noise_w": 0, "tau_s": 0.05, **settings,
            },
        )  # fmt: skip
        context, self.bus = fake_context("site-simulator", shape, CLOCK)
        self.simulator = Simulator(context)
        self.simulator.start()
        self.device: SunSpecDevice = discover(self.endpoint, 1)

    def stop(self) -> None:
        self.simulator.stop(self.simulator.context.moment())

    def ask(self, fault: str, **fields: Any) -> None:
        request = Request(issued_at=CLOCK.now(), fault=fault, **fields)
        self.bus.deliver(topics.REQUEST, request, "site-simulator", "fault")
        self.simulator.step(self.bus.drain(), self.simulator.context.moment())
        CLOCK.sleep(0.15)

    def read(self, model: int, *points: str) -> Values:
        return self.device.read(model, *points)

    def power_w(self) -> float:
        CLOCK.sleep(0.4)
        return self.read(MEASURED, "W").require("W")

    def limit(self, pct: float, revert_pct: float = 100.0, revert_ena: int = 0, revert_s: int = 0) -> None:
        """The one write that our client does: WMaxLimPctEna to WMaxLimPctRvrtTms."""
        values = {
            "WMaxLimPctEna": 1, "WMaxLimPct": int(pct * 100), "WMaxLimPctRvrt": int(revert_pct * 100),
            "WMaxLimPctEnaRvrt": revert_ena, "WMaxLimPctRvrtTms": revert_s,
        }  # fmt: skip
        self.device.write(CONTROLS, values)


@pytest.fixture
def roof() -> Iterator[Roof]:
    running = Roof()
    yield running
    running.stop()


def test_the_map_holds_701_to_704_with_their_official_lengths(roof: Roof) -> None:
    lengths = {number: block.length - 2 for number, block in roof.device.models.items()}
    assert lengths == {1: 66, 701: 153, 702: 50, 703: 17, 704: 65}


def test_power_ratings_and_state_have_their_scale(roof: Roof) -> None:
    assert roof.power_w() == pytest.approx(5000, abs=5)
    measured = roof.read(MEASURED)
    assert measured.get("WL1") == pytest.approx(5000 / 3, abs=2)
    assert measured.get("AL1") == pytest.approx(5000 / 3 / 230, abs=0.02)
    assert (measured.get("VL1"), measured.get("Hz"), measured.get("Var")) == (230, 50, 0)
    assert (measured.integer("InvSt"), measured.integer("ConnSt")) == (3, 1)
    capacity = roof.read(CAPACITY)
    assert (capacity.get("WMax"), capacity.get("WMaxRtg"), capacity.get("VAMax")) == (5000, 5000, 5000)
    assert roof.read(CONTROLS).scale("WMaxLimPct") == -2


def test_a_rating_beyond_16_bits_takes_a_larger_scale() -> None:
    running = Roof(rated_w=100_000)
    try:
        assert running.read(CAPACITY).get("WMax") == 100_000
        assert running.power_w() == pytest.approx(100_000, rel=0.001)
    finally:
        running.stop()


def test_the_scale_of_power_leaves_room_above_the_rating() -> None:
    assert [scales(watts)["W_SF"] for watts in (10_000, 27_000, 28_000, 300_000)] == [0, 0, 1, 2]


def test_an_inverter_on_one_phase_shows_that_phase_alone() -> None:
    running = Roof(phase="b")
    try:
        running.power_w()
        measured = running.read(MEASURED)
        assert measured.get("WL2") == pytest.approx(5000, abs=5)
        assert (measured.get("WL1"), measured.get("WL3"), measured.integer("ACType")) == (None, None, 0)
    finally:
        running.stop()


def test_a_limit_counts_only_while_it_is_enabled(roof: Roof) -> None:
    roof.limit(20.0)
    assert roof.power_w() == pytest.approx(1000, abs=5)
    assert roof.read(MEASURED).integer("InvSt") == 4
    roof.device.write(CONTROLS, {"WMaxLimPctEna": 0})
    assert roof.power_w() == pytest.approx(5000, abs=5)


def test_the_percentage_is_of_the_settable_maximum(roof: Roof) -> None:
    roof.device.write(CAPACITY, {"WMax": 4000})
    roof.limit(50.0)
    assert roof.power_w() == pytest.approx(2000, abs=5)


def test_the_timer_counts_down_and_its_end_brings_the_reversion_values(roof: Roof) -> None:
    roof.limit(20.0, revert_pct=30.0, revert_ena=1, revert_s=1)
    assert roof.read(CONTROLS).get("WMaxLimPctRvrtRem") in (0.0, 1.0)
    assert roof.power_w() == pytest.approx(1000, abs=5)
    CLOCK.sleep(0.8)
    assert roof.power_w() == pytest.approx(1500, abs=5)
    controls = roof.read(CONTROLS)
    assert (controls.get("WMaxLimPct"), controls.integer("WMaxLimPctEna")) == (30.0, 1)
    assert controls.get("WMaxLimPctRvrtRem") == 0


def test_a_reversion_that_is_not_enabled_releases_the_limit(roof: Roof) -> None:
    roof.limit(20.0, revert_pct=30.0, revert_ena=0, revert_s=1)
    CLOCK.sleep(1.1)
    assert roof.power_w() == pytest.approx(5000, abs=5)
    assert roof.read(CONTROLS).integer("WMaxLimPctEna") == 0


def test_the_timer_has_two_registers_high_word_first(roof: Roof) -> None:
    roof.limit(20.0, revert_ena=0, revert_s=0x0001_0000)
    assert roof.read(CONTROLS).get("WMaxLimPctRvrtRem") == pytest.approx(0x0001_0000, abs=2)


def test_the_same_limit_written_again_winds_the_timer_up(roof: Roof) -> None:
    roof.limit(20.0, revert_ena=0, revert_s=1)
    CLOCK.sleep(0.6)
    roof.limit(20.0, revert_ena=0, revert_s=1)
    CLOCK.sleep(0.3)
    assert roof.power_w() == pytest.approx(1000, abs=5)


def test_service_not_permitted_means_no_power(roof: Roof) -> None:
    roof.device.write(SERVICE, {"ES": 0})
    assert roof.power_w() == pytest.approx(0, abs=5)
    assert (roof.read(MEASURED).integer("ConnSt"), roof.read(MEASURED).integer("InvSt")) == (0, 7)


def test_asking_for_the_timers_end_takes_the_reversion_value(roof: Roof) -> None:
    roof.limit(20.0, revert_pct=10.0, revert_ena=1, revert_s=600)
    roof.ask("revert", id="roof")
    assert roof.power_w() == pytest.approx(500, abs=5)
    assert roof.read(CONTROLS).get("WMaxLimPct") == 10.0


@pytest.mark.parametrize("fault", ["sentinel", "all_ones", "absurd_scale"])
def test_a_fault_of_values_shows_and_ends(roof: Roof, fault: str) -> None:
    roof.ask(fault, id="roof")
    with pytest.raises(BadValue):
        roof.power_w()
    roof.ask("clear")
    assert roof.power_w() == pytest.approx(5000, abs=5)


def test_commanded_and_effective_limit_are_a_dead_time_apart() -> None:
    running = Roof(dead_time_s=1.0)
    try:
        running.limit(20.0)
        assert running.read(CONTROLS).get("WMaxLimPct") == 20.0
        assert running.power_w() == pytest.approx(5000, abs=5)
        CLOCK.sleep(0.8)
        assert running.power_w() == pytest.approx(1000, abs=5)
    finally:
        running.stop()


def test_the_meter_stands_beside_it_as_with_the_older_map(roof: Roof) -> None:
    assert SunSpecMeter(roof.endpoint, 240).read().power_w == pytest.approx(-5000, abs=5)


def test_every_write_is_recorded_with_its_reversion(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    running = Roof(record=str(path))
    try:
        running.limit(50.0, revert_pct=15.0, revert_ena=1, revert_s=25)
        CLOCK.sleep(0.2)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        (write,) = [line for line in lines if "write" in line]
        assert (write["write"], write["pct"], write["ena"], write["conn"]) == ("roof", 50.0, True, True)
        assert (write["revert_s"], write["revert_pct"], write["revert_ena"]) == (25, 15.0, True)
    finally:
        running.stop()
