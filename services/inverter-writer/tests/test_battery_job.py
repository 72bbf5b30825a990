"""A battery's job against a battery in memory, and the service around it on a bus in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from dynexport import topics
from dynexport.clock import FakeClock
from dynexport.messages import BatteryControl, BatteryReading, BatterySetpoint, BatteryState, ControlState
from dynexport.modbus.battery_values import FREE, BatteryIdentity, BatteryValues, Order
from dynexport.modbus.endpoint import Endpoint, ModbusError, TcpAddress, Unreachable
from dynexport.modbus.sunspec import BadValue
from dynexport.testing.builders import site
from dynexport.testing.context import codes, fake_context
from inverter_writer.app import Writer

NOWHERE = Endpoint(TcpAddress("127.0.0.1", 1))
HOME = {"id": "home", "rated_w": 5000, "sunspec": {"tcp": {"host": "127.0.0.1", "port": 1504}, "unit": 1}}


@dataclass
class Garage:
    """A battery in memory; `standing` is what it is told, `writes` every write."""

    power_w: float = -1200.0
    control_model: int | None = 124
    bounds: bool = True
    why: str | None = None
    reachable: bool = True
    deaf: bool = False
    odd: bool = False
    asked: int = 0
    standing: Order = FREE
    writes: list[tuple[Order, int] | str] = field(default_factory=list)

    def _answer(self) -> None:
        if not self.reachable:
            raise Unreachable("no answer")

    def identify(self) -> BatteryIdentity:
        self._answer()
        return BatteryIdentity("M", "X", "1", self.control_model, self.bounds, 5000.0, 5000.0, self.why)

    def read(self) -> BatteryValues:
        self._answer()
        self.asked = self.asked + 1 if self.odd else 0
        if self.odd:
            raise BadValue("no model tells the battery's power")
        return BatteryValues(self.power_w, 61.0, 8200.0, BatteryState.CHARGING)

    def read_order(self) -> Order:
        self._answer()
        return self.standing

    def write_order(self, order: Order, revert_s: int) -> None:
        self._answer()
        self.writes.append((order, revert_s))
        if not self.deaf:
            self.standing = order

    def release(self) -> None:
        self._answer()
        self.writes.append("release")
        self.standing = FREE


class Service:
    """A writer with one battery, whose thread the test plays."""

    def __init__(self, *, enabled: bool = True, control: str = "charge_rate", **fields: Any) -> None:
        self.clock = FakeClock()
        self.garage = Garage(**fields)
        self.battery = {**HOME, "control": control}
        here = site(batteries=[self.battery], control={"enabled": enabled})
        context, self.bus = fake_context("inverter-writer", here, self.clock)
        self.writer = Writer(context)
        self.job = self.writer.batteries.jobs["home"]
        self.job._make_device = lambda _place, _endpoint: self.garage
        self.seq = 0

    def turn(self, seconds: float = 1.0) -> None:
        """Time passes; what is due is done."""
        self.clock.advance(seconds)
        for _ in range(4):
            mono = self.clock.mono()
            if self.job.due(mono) > 0.0:
                break
            try:
                self.job.run(NOWHERE, mono)
            except ModbusError as error:
                self.job.failed(error, mono)
                break
        self.writer.step(self.bus.drain(), self.writer.context.moment())

    def say(self, **fields: Any) -> None:
        self.seq += 1
        message = BatterySetpoint(issued_at=self.clock.now(), engine_id="e", seq=self.seq, **fields)
        self.bus.deliver(topics.BATTERY_SETPOINT, message, "home")
        self.writer.step(self.bus.drain(), self.writer.context.moment())

    def follow(self, seconds: int, **fields: Any) -> None:
        for _ in range(seconds):
            self.say(**fields)
            self.turn()

    def stop(self) -> None:
        self.job.begin_stop()
        self.turn(0.1)

    @property
    def control(self) -> BatteryControl:
        last = self.bus.last(topics.BATTERY_CONTROL, "home")
        assert isinstance(last, BatteryControl)
        return last


def test_its_reading_goes_out_every_second() -> None:
    service = Service(control="none")
    for _ in range(3):
        service.turn()
    readings = service.bus.all(topics.BATTERY_READING, "home")
    assert len(readings) == 3
    assert isinstance(readings[0], BatteryReading)
    assert (readings[0].power_w, readings[0].soc_pct, readings[0].state) == (-1200.0, 61.0, "charging")
    assert not service.bus.all(topics.BATTERY_CONTROL, "home")


def test_a_rate_is_written_with_the_devices_timer_and_refreshed_before_it_runs_out() -> None:
    service = Service()
    service.turn()
    service.follow(20, target_w=-3000.0)
    assert service.garage.writes == [(Order(target_w=-3000.0), 25)] * 3
    assert service.control.state is ControlState.FOLLOWING
    assert (service.control.requested_w, service.control.applied_w, service.control.read_back_w) == (
        -3000.0,
    ) * 3


def test_before_any_setpoint_nothing_is_written_also_not_where_somebody_else_commands_it() -> None:
    service = Service(standing=Order(target_w=900.0))
    for _ in range(30):
        service.turn()
    service.stop()
    assert service.garage.writes == []
    assert service.control.read_back_w == 900.0


@pytest.mark.parametrize("fields", [{"enabled": False}, {"control": "none"}])
def test_without_permission_nothing_is_ever_written(fields: dict[str, Any]) -> None:
    service = Service(**fields)
    service.turn()
    service.follow(20, target_w=-3000.0, max_charge_w=100.0)
    service.turn(20.0)
    service.stop()
    assert service.garage.writes == []


def test_with_writing_disabled_control_shows_what_would_be_told() -> None:
    service = Service(enabled=False)
    service.turn()
    service.follow(2, target_w=-3000.0)
    said = service.control
    assert (said.state, said.requested_w, said.applied_w) == (ControlState.DISABLED, -3000.0, None)


def test_engine_silent_for_15_s_the_rate_is_taken_out() -> None:
    service = Service()
    service.turn()
    service.follow(2, target_w=-3000.0)
    for _ in range(16):
        service.turn()
    assert service.garage.writes[-1] == "release"
    assert service.control.state is ControlState.FAILSAFE
    assert "battery_engine_lost" in codes(service.bus, "inverter-writer")


def test_engine_silent_the_bounds_that_it_told_last_are_held_and_refreshed() -> None:
    service = Service()
    service.turn()
    service.follow(2, target_w=-1000.0, max_charge_w=1500.0)
    for _ in range(120):
        service.turn()
    bound = Order(max_charge_w=1500.0)
    assert service.garage.standing == bound
    assert service.garage.writes[-1] == (bound, 25)
    assert len([write for write in service.garage.writes if write == (bound, 25)]) >= 12


def test_a_bound_that_is_drawn_in_waits_for_nothing_and_one_let_out_for_a_second() -> None:
    service = Service()
    service.turn()
    service.follow(1, max_charge_w=3000.0)
    service.say(max_charge_w=1000.0)
    assert service.job.urgent
    assert service.job.due(service.clock.mono()) == 0.0
    service.turn(0.0)
    service.say(max_charge_w=2000.0)
    assert not service.job.urgent
    assert service.job.pen.due_s(Order(max_charge_w=2000.0), service.clock.mono()) == pytest.approx(1.0)


def test_a_bound_that_creeps_is_written_once_a_second() -> None:
    service = Service()
    service.turn()
    service.follow(1, max_charge_w=3000.0)
    service.say(max_charge_w=2990.0)
    assert not service.job.urgent
    assert service.job.pen.due_s(Order(max_charge_w=2990.0), service.clock.mono()) == pytest.approx(1.0)


def test_an_order_that_asks_nothing_more_takes_out_what_stands() -> None:
    service = Service()
    service.turn()
    service.follow(2, max_charge_w=3000.0)
    service.follow(3)
    assert service.garage.writes == [(Order(max_charge_w=3000.0), 25), "release"]
    assert service.control.applied_max_charge_w is None


def test_stopped_a_rate_is_taken_out_and_bounds_are_left_to_the_devices_timer() -> None:
    service = Service()
    service.turn()
    service.follow(2, target_w=2000.0)
    service.stop()
    assert service.garage.writes[-1] == "release"
    bounded = Service()
    bounded.turn()
    bounded.follow(2, target_w=2000.0, max_discharge_w=2500.0)
    bounded.stop()
    assert bounded.garage.writes[-1] == (Order(max_discharge_w=2500.0), 25)
    assert bounded.job.stopped


def test_a_704_beyond_its_bound_is_told_the_bound_as_a_rate() -> None:
    service = Service(control_model=704, bounds=False, power_w=-3000.0)
    service.turn()
    service.follow(2, max_charge_w=1000.0)
    assert service.garage.writes == [(Order(target_w=-1000.0), 25)]


def test_a_battery_without_a_timer_is_a_fault_and_is_never_written() -> None:
    service = Service(control_model=None, why="124 has no InOutWRte_RvrtTms")
    service.turn()
    service.follow(3, target_w=-3000.0)
    assert service.garage.writes == []
    assert service.control.state is ControlState.FAULT
    assert service.control.reason == "it cannot be commanded: 124 has no InOutWRte_RvrtTms"
    assert "battery_fault" in codes(service.bus, "inverter-writer")


def test_a_value_of_somebody_else_is_a_conflict_after_two_reads_and_ours_is_written_again() -> None:
    service = Service(deaf=True)
    service.turn()
    service.follow(4, target_w=-3000.0)
    assert service.control.conflict
    assert "battery_conflict" in codes(service.bus, "inverter-writer")
    assert len(service.garage.writes) == 3
    service.garage.deaf = False
    service.follow(10, target_w=-3000.0)
    assert not service.control.conflict


def test_a_battery_that_does_not_answer_is_told_once_and_again_when_it_is_back() -> None:
    service = Service()
    service.turn()
    service.garage.reachable = False
    for _ in range(5):
        service.turn()
    service.garage.reachable = True
    service.turn()
    said = codes(service.bus, "inverter-writer")
    assert (said.count("battery_error"), said.count("battery_back")) == (1, 1)


def test_a_battery_that_goes_on_oddly_is_asked_twice_a_minute() -> None:
    service = Service()
    service.turn()
    service.garage.odd = True
    for _ in range(62):
        service.turn()
    assert service.garage.asked <= 8
    service.garage.odd = False
    for _ in range(31):
        service.turn()
    assert "battery_back" in codes(service.bus, "inverter-writer")


def test_a_setpoint_out_of_order_is_refused_with_an_event() -> None:
    service = Service()
    service.turn()
    service.say(target_w=100.0)
    service.seq -= 1
    service.say(target_w=200.0)
    assert "setpoint_refused" in codes(service.bus, "inverter-writer")
