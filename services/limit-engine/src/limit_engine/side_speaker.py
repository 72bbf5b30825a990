"""What the engine says to loads and batteries: leases, every second and on change."""

from __future__ import annotations

import math

from dynexport import messages as m
from dynexport import topics
from dynexport.service import Context, Moment
from limit_engine.beside import Beside
from limit_engine.side import BatteryOrder, Orders
from limit_engine.speaker import SETPOINT_EVERY_S, TTL_S

WORTH_SAYING = 0.002


class SideSpeaker:
    """Publishes orders; remembers only what it said, to know what changed. A load that is free is told its rating."""

    def __init__(self, context: Context, engine_id: str) -> None:
        self.context = context
        self.engine_id = engine_id
        self._seq = 0
        self._loads: dict[str, tuple[float, float]] = {}
        self._batteries: dict[str, tuple[float, BatteryOrder]] = {}

    def forget(self) -> None:
        """After a reconnect everything is said afresh."""
        self._loads.clear()
        self._batteries.clear()

    def say(self, orders: Orders, beside: Beside, now: Moment) -> None:
        """Publish what is due."""
        for name, told_w in orders.loads_w.items():
            at, said_w = self._loads.get(name, (-math.inf, math.nan))
            load = beside.loads[name].settings
            target_w = math.floor(told_w * 10.0) / 10.0
            changed = not abs(target_w - said_w) < WORTH_SAYING * load.rated_w
            if changed or (target_w > 0.0) != (said_w > 0.0) or now.mono - at >= SETPOINT_EVERY_S:
                self._say_load(name, target_w, now)
        for name, order in orders.batteries.items():
            at, said = self._batteries.get(name, (-math.inf, BatteryOrder()))
            if _differ(order, said, beside.batteries[name].rated_w) or now.mono - at >= SETPOINT_EVERY_S:
                self._say_battery(name, order, now)

    def release(self, now: Moment) -> None:
        """Say the last orders once more, with `release`."""
        for name, (_, target_w) in list(self._loads.items()):
            self._say_load(name, target_w, now, release=True)
        for name, (_, order) in list(self._batteries.items()):
            self._say_battery(name, order, now, release=True)

    def _say_load(self, name: str, target_w: float, now: Moment, *, release: bool = False) -> None:
        self._seq += 1
        message = m.Setpoint(
            issued_at=now.wall,
            target_w=target_w,
            connect=target_w > 0.0,
            engine_id=self.engine_id,
            seq=self._seq,
            ttl_s=TTL_S,
            release=release,
        )
        self.context.bus.publish(topics.LOAD_SETPOINT, message, name)
        self._loads[name] = (now.mono, target_w)

    def _say_battery(self, name: str, order: BatteryOrder, now: Moment, *, release: bool = False) -> None:
        self._seq += 1
        message = m.BatterySetpoint(
            issued_at=now.wall,
            target_w=_rounded(order.target_w),
            max_charge_w=_rounded(order.max_charge_w),
            max_discharge_w=_rounded(order.max_discharge_w),
            engine_id=self.engine_id,
            seq=self._seq,
            ttl_s=TTL_S,
            release=release,
        )
        self.context.bus.publish(topics.BATTERY_SETPOINT, message, name)
        self._batteries[name] = (now.mono, order)


def _rounded(value_w: float | None) -> float | None:
    """To a tenth of a watt, towards 0: a power that is asked for, and a bound, are never made larger."""
    return None if value_w is None else math.trunc(value_w * 10.0) / 10.0


def _differ(order: BatteryOrder, said: BatteryOrder, rated_w: float) -> bool:
    """Whether they differ by more than a trifle."""
    pairs = (
        (order.target_w, said.target_w),
        (order.max_charge_w, said.max_charge_w),
        (order.max_discharge_w, said.max_discharge_w),
    )
    return any(
        (new is None) != (old is None)
        or (new is not None and old is not None and abs(new - old) > WORTH_SAYING * rated_w)
        for new, old in pairs
    )
