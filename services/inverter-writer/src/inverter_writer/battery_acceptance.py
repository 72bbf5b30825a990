"""Which battery setpoint is obeyed: the rules of an inverter's (contract.md: order, lease, `ttl_s`). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from dynexport.messages import BatterySetpoint
from dynexport.modbus.battery_values import Order
from inverter_writer.lease import Lease, deadline


@dataclass(frozen=True, slots=True)
class AcceptedOrder:
    """The order in force, and until when it holds (monotonic)."""

    order: Order
    seq: int
    engine_id: str
    deadline: float


@dataclass(slots=True)
class BatteryAcceptance(Lease):
    """The lease of one battery, and the last accepted setpoint."""

    accepted: AcceptedOrder | None = None

    def offer(self, setpoint: BatterySetpoint, mono: float) -> str | None:
        """Take a live setpoint in; None when it counts, else why it does not."""
        if (refused := self.out_of_order(setpoint)) is not None:
            return refused
        order = Order(setpoint.target_w, setpoint.max_charge_w, setpoint.max_discharge_w)
        if not self.holds(setpoint, mono) and self.accepted is not None:
            order = _tightened(self.accepted.order, order)
        self.accepted = AcceptedOrder(order, setpoint.seq, setpoint.engine_id, deadline(setpoint, mono))
        return None


def _tightened(standing: Order, other: Order) -> Order:
    """Another engine's word while the lease is held can only draw the bounds in; a rate is the holder's alone."""
    return Order(
        standing.target_w,
        smaller(standing.max_charge_w, other.max_charge_w),
        smaller(standing.max_discharge_w, other.max_discharge_w),
    )


def smaller(one_w: float | None, other_w: float | None) -> float | None:
    """The tighter of two bounds; None is no bound."""
    known = [each for each in (one_w, other_w) if each is not None]
    return min(known) if known else None
