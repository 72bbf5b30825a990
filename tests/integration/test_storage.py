"""A battery by Modbus in a stack of real processes: read, commanded, and free again when nobody commands it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from bench.processes import tree
from bench.stack import CLOCK, CONTROL, Stack, stack

from dynexport import topics
from dynexport.broker import HOST, free_port
from dynexport.messages import BatteryControl, BatteryReading, BatterySetpoint, ControlState, Event, Limit

pytestmark = pytest.mark.integration

HOUSE_W, WRITER = 1000.0, "inverter_writer"
REVERT_S, SILENT_S, NEAR_W = 25.0, 15.0, 60.0
IMPORT_LIMIT_W, BOILER_W, SETTLES_S, OVER_W = 2500.0, 1500.0, 15.0, 100.0


@pytest.fixture
def night() -> Iterator[Stack]:
    """A house of 1 kW in the dusk, whose battery covers it by itself; only inverter-writer runs."""
    place = {"tcp": {"host": HOST, "port": free_port()}, "unit": 1}
    home = {"id": "home", "rated_w": 5000, "energy_wh": 10000, "control": "charge_rate", "sunspec": place}
    with stack(batteries=[home], available_pct=1, load_w=HOUSE_W, tau_s=0.3) as running:
        for topic in (topics.BATTERY_READING, topics.BATTERY_CONTROL):
            running.bus.subscribe(topic)
        running.start([WRITER])
        running.wait(5.0)
        yield running


class Engine:
    """Commands the battery as limit-engine would."""

    def __init__(self, site: Stack) -> None:
        self.site = site
        self.seq = 0

    def command(self, seconds: float, **fields: Any) -> None:
        end = CLOCK.mono() + seconds
        while CLOCK.mono() < end:
            self.seq += 1
            message = BatterySetpoint(issued_at=CLOCK.now(), engine_id="test", seq=self.seq, **fields)
            self.site.bus.publish(topics.BATTERY_SETPOINT, message, "home")
            self.site.wait(0.5)


def battery_w(site: Stack) -> float:
    """What it gives, true."""
    site.wait(0.5)
    return site.record.samples[-1].battery_w


def said(site: Stack, kind: type[BatteryReading] | type[BatteryControl]) -> list[object]:
    return [received.message for received in site.heard if isinstance(received.message, kind)]


def test_a_battery_is_read_commanded_and_free_again_once_the_engine_is_silent(night: Stack) -> None:
    reading = said(night, BatteryReading)[-1]
    assert isinstance(reading, BatteryReading)
    assert reading.power_w == pytest.approx(HOUSE_W, abs=NEAR_W)
    assert battery_w(night) == pytest.approx(HOUSE_W, abs=NEAR_W)
    engine = Engine(night)
    engine.command(6.0, target_w=-3000.0)
    assert battery_w(night) == pytest.approx(-3000.0, abs=NEAR_W)
    engine.command(REVERT_S + 6.0, target_w=-3000.0, max_charge_w=2000.0)
    assert battery_w(night) == pytest.approx(-2000.0, abs=NEAR_W)
    control = said(night, BatteryControl)[-1]
    assert isinstance(control, BatteryControl)
    assert (control.state, control.conflict) == (ControlState.FOLLOWING, False)
    assert control.read_back_w == pytest.approx(-2000.0, abs=1.0)
    night.wait(SILENT_S + 4.0)
    assert battery_w(night) == pytest.approx(HOUSE_W, abs=NEAR_W)


def test_inverter_writer_frozen_the_battery_forgets_what_it_was_told_by_its_own_timer(night: Stack) -> None:
    Engine(night).command(6.0, target_w=2500.0)
    assert battery_w(night) == pytest.approx(2500.0, abs=NEAR_W)
    family = tree([night.processes[WRITER].pid])
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    night.wait(REVERT_S + 3.0)
    assert battery_w(night) == pytest.approx(HOUSE_W, abs=NEAR_W)
    for pid in family:
        os.kill(pid, signal.SIGCONT)


def test_stopped_inverter_writer_leaves_no_rate_behind(night: Stack) -> None:
    Engine(night).command(6.0, target_w=2500.0)
    night.stop([WRITER])
    night.wait(3.0)
    assert battery_w(night) == pytest.approx(HOUSE_W, abs=NEAR_W)


@pytest.fixture
def evening() -> Iterator[Stack]:
    """The whole stack in the dusk: a house of 500 W, a boiler that wants 1.5 kW, a battery that may be commanded."""
    place = {"tcp": {"host": HOST, "port": free_port()}, "unit": 1}
    home = {"id": "home", "rated_w": 5000, "energy_wh": 10000, "control": "charge_rate", "sunspec": place}
    boiler = {"id": "boiler", "rated_w": BOILER_W, "control": "watts"}
    with stack(batteries=[home], loads=[boiler], available_pct=1, load_w=500.0, tau_s=0.3) as running:
        for topic in (topics.EVENT, topics.BATTERY_CONTROL):
            running.bus.subscribe(topic)
        running.start(CONTROL)
        running.wait(10.0)
        yield running


def ask(site: Stack, **fields: float) -> None:
    """The owner's `limit/manual`, for an hour."""
    limit = Limit.model_validate({"issued_at": CLOCK.now(), "ttl_s": 3600.0, **fields})
    site.bus.publish(topics.LIMIT, limit, "manual")


def imports(site: Stack, seconds: float) -> list[float]:
    """The true imports of the next seconds, watts."""
    start = CLOCK.mono()
    site.wait(seconds)
    return [-sample.export_w for sample in site.record.since(start)]


def test_an_import_limit_is_obeyed_by_a_battery_that_charges_and_then_by_a_load(evening: Stack) -> None:
    ask(evening, import_limit_w=IMPORT_LIMIT_W, storage_target_w=-4000.0)
    evening.wait(SETTLES_S)
    seen = imports(evening, 4.0)
    assert max(seen) <= IMPORT_LIMIT_W + OVER_W
    assert evening.record.samples[-1].loads_w == pytest.approx(BOILER_W, abs=NEAR_W)
    assert evening.record.samples[-1].battery_w < -200.0
    evening.simulate("load_w", 2000.0)  # the battery makes room, then the boiler
    evening.wait(SETTLES_S)
    assert max(imports(evening, 4.0)) <= IMPORT_LIMIT_W + OVER_W
    assert evening.record.samples[-1].battery_w > -NEAR_W
    assert evening.record.samples[-1].loads_w == pytest.approx(500.0, abs=2 * OVER_W)


def test_a_battery_that_does_not_follow_is_given_up_and_told_no_rate(evening: Stack) -> None:
    evening.simulate("deaf", None, "home")
    ask(evening, storage_target_w=-3000.0)
    evening.wait(SETTLES_S)
    found = [received.message for received in evening.heard if isinstance(received.message, Event)]
    assert "battery_astray" in [event.code for event in found]
    evening.wait(2.0)
    control = said(evening, BatteryControl)[-1]
    assert isinstance(control, BatteryControl)
    assert (control.state, control.requested_w, control.applied_w) == (ControlState.FOLLOWING, None, None)
