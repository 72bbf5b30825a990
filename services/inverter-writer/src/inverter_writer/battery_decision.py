"""What a battery is told now, from all that may have happened. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dynexport.messages import ControlState
from dynexport.modbus.battery_values import FREE, Order
from inverter_writer.battery_acceptance import AcceptedOrder

BEYOND_W = 50.0
PROBE_S = 60.0


@dataclass(frozen=True, slots=True)
class Reach:
    """What it can do at most, watts; None is unknown."""

    charge_w: float | None
    discharge_w: float


@dataclass(frozen=True, slots=True)
class WantedOrder:
    """What it is to be told, and the word for it."""

    order: Order
    state: ControlState


def wanted_order(accepted: AcceptedOrder | None, reach: Reach, mono: float) -> WantedOrder:
    """A valid setpoint is followed. Silence ends a rate, and never loosens the bounds that were told last."""
    if accepted is not None and mono <= accepted.deadline:
        return WantedOrder(within(accepted.order, reach), ControlState.FOLLOWING)
    return WantedOrder(within(bounds_of(accepted), reach), ControlState.FAILSAFE)


def bounds_of(accepted: AcceptedOrder | None) -> Order:
    """What stays of an order when its engine is silent: its bounds."""
    if accepted is None:
        return FREE
    return Order(None, accepted.order.max_charge_w, accepted.order.max_discharge_w)


def within(order: Order, reach: Reach) -> Order:
    """A rate inside the bounds and what it can do; a bound at or above that is none."""
    charge_w, discharge_w = (
        None if bound_w is None or bound_w >= most_w else bound_w
        for bound_w, most_w in (
            (order.max_charge_w, math.inf if reach.charge_w is None else reach.charge_w),
            (order.max_discharge_w, reach.discharge_w),
        )
    )
    if order.target_w is None:
        return Order(None, charge_w, discharge_w)
    least_w = -_least(charge_w, reach.charge_w)
    most_w = _least(discharge_w, reach.discharge_w)
    return Order(max(least_w, min(most_w, order.target_w)), charge_w, discharge_w)


def _least(*values: float | None) -> float:
    return min([math.inf, *(value for value in values if value is not None)])


def tightens(order: Order, standing: Order, by_w: float = 0.0) -> bool:
    """Whether a bound is drawn in by more than that, or first drawn: that waits for nothing."""
    pairs = (
        (order.max_charge_w, standing.max_charge_w),
        (order.max_discharge_w, standing.max_discharge_w),
    )
    return any(new is not None and (old is None or new < old - by_w) for new, old in pairs)


@dataclass(slots=True)
class Fence:
    """For a device that knows no bounds (704): found beyond one it is told that bound as a rate.

    After a minute it is let go, and if it is found beyond again, held again: what it would do by itself cannot be
    seen while it is held.
    """

    _side: int = 0
    _since: float = 0.0

    def rate(self, order: Order, power_w: float, mono: float) -> Order:
        """The order for such a device; `power_w` is fresh, + discharge."""
        bounds = {-1: order.max_charge_w, 1: order.max_discharge_w}
        if order.target_w is not None:
            self._side = 0
            return Order(target_w=order.target_w)
        if self._side and (bounds[self._side] is None or mono - self._since >= PROBE_S):
            self._side = 0
        for side, bound_w in bounds.items():
            if self._side == 0 and bound_w is not None and side * power_w > bound_w + BEYOND_W:
                self._side, self._since = side, mono
        held_w = bounds.get(self._side)
        return FREE if held_w is None else Order(target_w=self._side * held_w)
