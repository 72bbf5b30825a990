"""The only one that writes to a battery; it remembers what it wrote. Each write runs out by the device's own timer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dynexport.modbus.battery_values import FREE, BatteryDevice, Order
from inverter_writer.battery_decision import tightens

REVERT_S = 25
REFRESH_S = 8.0
CHANGE_S = 1.0
OFF_PCT, TRIFLE_PCT, MISMATCHES = 1.5, 0.5, 2


@dataclass(frozen=True, slots=True)
class StandingOrder:
    """What we last wrote, and when (monotonic)."""

    order: Order
    mono: float


class BatteryPen:
    """`written` None: nothing of ours stands in the device."""

    def __init__(self, rated_w: float) -> None:
        self.written: StandingOrder | None = None
        self.conflict = False
        self._off_w = OFF_PCT / 100.0 * rated_w
        self._trifle_w = TRIFLE_PCT / 100.0 * rated_w
        self._mismatches = 0

    def due_s(self, order: Order, mono: float) -> float:
        """Seconds until this order is to be written; 0 or less is now, infinity never."""
        if self.written is None:
            return math.inf if order.frees else 0.0
        if self.urgent(order) or order.frees or self._mismatches == MISMATCHES:
            return 0.0
        every_s = REFRESH_S if order == self.written.order else CHANGE_S
        return self.written.mono + every_s - mono

    def urgent(self, order: Order) -> bool:
        """Whether it goes before all reads: a bound is drawn in."""
        return tightens(order, self.written.order if self.written else FREE, self._trifle_w)

    def write(self, driver: BatteryDevice, order: Order, mono: float) -> None:
        """Tell it, or take what stands of ours out."""
        if order.frees:
            driver.release()
            self.written = None
        else:
            driver.write_order(order, REVERT_S)
            self.written = StandingOrder(order, mono)
        self._mismatches = 0

    def compare(self, read_back: Order) -> None:
        """Whether it holds what was written, within its resolution; two mismatches are a conflict."""
        if self.written is None:
            self.conflict, self._mismatches = False, 0
            return
        pairs = zip(self.written.order.window_w, read_back.window_w, strict=True)
        if all(self._same(one_w, other_w) for one_w, other_w in pairs):
            self.conflict, self._mismatches = False, 0
        else:
            self._mismatches += 1
            self.conflict = self.conflict or self._mismatches >= MISMATCHES

    def _same(self, one_w: float | None, other_w: float | None) -> bool:
        if one_w is None or other_w is None:
            return one_w is other_w
        return abs(one_w - other_w) <= self._off_w
