"""Which battery setpoint is obeyed: the rules of an inverter's (contract.md: order, lease, `ttl_s`). Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from dynexport.messages import BatterySetpoint
from dynexport.modbus.battery_values import Order
from inverter_writer.acceptance import LEASE_S, LONGEST_TTL_S, MOST_ENGINES


@dataclass(frozen=True, slots=True)
class AcceptedOrder:
    """The order in force, and until when it holds (monotonic)."""

    order: Order
    seq: int
    engine_id: str
    deadline: float


@dataclass(slots=True)
class BatteryAcceptance:
    """The lease of one battery, and the last accepted setpoint."""

    accepted: AcceptedOrder | None = None
    holder: str | None = None
    holder_heard: float = -math.inf
    _seqs: dict[str, int] = field(default_factory=dict)

    def offer(self, setpoint: BatterySetpoint, mono: float) -> str | None:
        """Take a live setpoint in; None when it counts, else why it does not."""
        last = self._seqs.get(setpoint.engine_id)
        if last is not None and setpoint.seq <= last:
            return f"seq {setpoint.seq} is not after {last}"
        self._remember(setpoint)
        order = Order(setpoint.target_w, setpoint.max_charge_w, setpoint.max_discharge_w)
        if self.holder is None or mono - self.holder_heard > LEASE_S or setpoint.engine_id == self.holder:
            self.holder, self.holder_heard = (None if setpoint.release else setpoint.engine_id), mono
        elif self.accepted is not None:
            order = _tightened(self.accepted.order, order)
        deadline = mono + min(setpoint.ttl_s, LONGEST_TTL_S)
        self.accepted = AcceptedOrder(order, setpoint.seq, setpoint.engine_id, deadline)
        return None

    def _remember(self, setpoint: BatterySetpoint) -> None:
        self._seqs.pop(setpoint.engine_id, None)
        self._seqs[setpoint.engine_id] = setpoint.seq
        while len(self._seqs) > MOST_ENGINES:
            del self._seqs[next(iter(self._seqs))]


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
