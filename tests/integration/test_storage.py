"""A battery by Modbus in a stack of real processes: read, commanded, and free again when nobody commands it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from bench.processes import tree
from bench.stack import CLOCK, Stack, stack

from dynexport import topics
from dynexport.broker import HOST, free_port
from dynexport.messages import BatteryControl, BatteryReading, BatterySetpoint, ControlState

pytestmark = pytest.mark.integration

HOUSE_W, WRITER = 1000.0, "inverter_writer"
REVERT_S, SILENT_S, NEAR_W = 25.0, 15.0, 60.0


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
