"""Truth tables: which battery setpoint counts, and what the battery is told when nobody speaks any more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dynexport.messages import BatterySetpoint, ControlState
from dynexport.modbus.battery_values import FREE, Order
from inverter_writer.battery_acceptance import AcceptedOrder, BatteryAcceptance
from inverter_writer.battery_decision import Fence, Reach, WantedOrder, tightens, wanted_order, within

NOW = datetime(2026, 1, 15, tzinfo=UTC)
REACH = Reach(charge_w=4000.0, discharge_w=5000.0)


def setpoint(engine_id: str = "a", seq: int = 1, **fields: Any) -> BatterySetpoint:
    return BatterySetpoint(issued_at=NOW, engine_id=engine_id, seq=seq, **fields)


def test_a_setpoint_counts_for_its_ttl_and_15_s_at_most() -> None:
    acceptance = BatteryAcceptance()
    assert acceptance.offer(setpoint(target_w=-700.0, ttl_s=60.0), 100.0) is None
    assert acceptance.accepted == AcceptedOrder(Order(target_w=-700.0), 1, "a", 115.0)


def test_a_setpoint_out_of_order_is_refused() -> None:
    acceptance = BatteryAcceptance()
    acceptance.offer(setpoint(seq=5, target_w=100.0), 0.0)
    assert acceptance.offer(setpoint(seq=5, target_w=900.0), 1.0) == "seq 5 is not after 5"
    assert acceptance.accepted is not None
    assert acceptance.accepted.order == Order(target_w=100.0)


def test_another_engine_can_only_draw_the_bounds_in_while_the_lease_is_held() -> None:
    acceptance = BatteryAcceptance()
    acceptance.offer(setpoint(target_w=800.0, max_charge_w=500.0), 0.0)
    acceptance.offer(setpoint("b", target_w=-3000.0, max_charge_w=900.0, max_discharge_w=200.0), 1.0)
    assert acceptance.accepted is not None
    assert acceptance.accepted.order == Order(800.0, 500.0, 200.0)


@pytest.mark.parametrize(("mono", "first"), [(15.1, {}), (1.0, {"release": True})])
def test_a_free_lease_is_taken_by_whoever_speaks(mono: float, first: dict[str, Any]) -> None:
    acceptance = BatteryAcceptance()
    acceptance.offer(setpoint(max_charge_w=500.0, **first), 0.0)
    acceptance.offer(setpoint("b", max_charge_w=900.0), mono)
    assert acceptance.accepted is not None
    assert acceptance.accepted.order == Order(max_charge_w=900.0)
    assert acceptance.holder == "b"


def test_silence_ends_a_rate_and_keeps_the_bounds() -> None:
    accepted = AcceptedOrder(Order(-2000.0, max_charge_w=2500.0, max_discharge_w=0.0), 1, "a", 15.0)
    assert wanted_order(accepted, REACH, 15.0).state is ControlState.FOLLOWING
    silent = wanted_order(accepted, REACH, 15.1)
    assert silent == WantedOrder(Order(None, 2500.0, 0.0), ControlState.FAILSAFE)
    assert wanted_order(None, REACH, 0.0) == WantedOrder(FREE, ControlState.FAILSAFE)


@pytest.mark.parametrize(
    ("told", "order"),
    [
        (Order(target_w=9000.0), Order(target_w=5000.0)),
        (Order(target_w=-9000.0), Order(target_w=-4000.0)),
        (Order(target_w=-3000.0, max_charge_w=1000.0), Order(-1000.0, max_charge_w=1000.0)),
        (Order(target_w=3000.0, max_discharge_w=0.0), Order(0.0, max_discharge_w=0.0)),
        (Order(max_charge_w=4000.0, max_discharge_w=7000.0), FREE),  # no bound on what it can do
        (Order(max_charge_w=3999.0), Order(max_charge_w=3999.0)),
    ],
)
def test_a_rate_stays_within_the_bounds_and_what_the_battery_can_do(told: Order, order: Order) -> None:
    assert within(told, REACH) == order


@pytest.mark.parametrize(
    ("order", "standing", "expected"),
    [
        (Order(max_charge_w=500.0), FREE, True),
        (Order(max_charge_w=500.0), Order(max_charge_w=600.0), True),
        (Order(max_charge_w=600.0), Order(max_charge_w=500.0), False),
        (FREE, Order(max_charge_w=500.0), False),
        (Order(target_w=100.0), FREE, False),
    ],
)
def test_a_bound_that_is_drawn_in_is_a_tightening(order: Order, standing: Order, expected: bool) -> None:
    assert tightens(order, standing) is expected


def test_where_only_rates_are_known_a_bound_is_told_once_the_battery_is_beyond_it() -> None:
    fence, order = Fence(), Order(max_charge_w=1000.0, max_discharge_w=2000.0)
    assert fence.rate(order, -1040.0, 0.0) == FREE
    assert fence.rate(order, -1100.0, 1.0) == Order(target_w=-1000.0)
    assert fence.rate(order, -1000.0, 60.9) == Order(target_w=-1000.0)
    assert fence.rate(order, -1000.0, 61.0) == FREE
    assert fence.rate(order, 2500.0, 62.0) == Order(target_w=2000.0)
    assert fence.rate(Order(max_charge_w=1000.0), 2000.0, 63.0) == FREE
    assert fence.rate(Order(target_w=7.0, max_charge_w=0.0), -500.0, 64.0) == Order(target_w=7.0)
