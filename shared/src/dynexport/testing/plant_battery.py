"""What stands beside the inverters of the plant: batteries that cover the house by themselves, and loads that obey.

Pure. Between events each follows its first-order lag; a battery's aim is taken anew every `STEP_S`, because its own
meter sees the others move.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from dynexport.modbus.battery_values import FREE, Order
from dynexport.sharing import part_on

STEP_S = 0.1
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class BatteryModel:
    """One battery; without a command it covers what the house lacks, and stores what it has too much of."""

    rated_w: float = 5000.0
    max_charge_w: float = 5000.0
    energy_wh: float = 13_500.0
    reserve_wh: float = 0.0
    tau_s: float = 0.5
    dead_time_s: float = 0.0
    phase: str = "abc"


@dataclass(slots=True)
class PlantBattery:
    """State of one battery, watts + discharge. A `deaf` one takes its orders and does not do them.

    `own_w` is a schedule of its own (cheap power at night), which it follows instead of covering the house. `host` is
    the number of the inverter on whose DC side it is, `most_w` what that lets through.
    """

    model: BatteryModel
    stored_wh: float
    power_w: float = 0.0
    order: Order = FREE
    deaf: bool = False
    own_w: float | None = None
    host: int | None = None
    most_w: float = math.inf
    revert_at: float | None = None
    _pending: deque[tuple[float, Order]] = field(default_factory=deque)

    def command(self, at: float, order: Order, revert_s: float | None = None) -> None:
        """Tell it at time `at`, in effect after the dead time; after `revert_s` it does what it does by itself."""
        self._pending.append((at + self.model.dead_time_s, order))
        self.revert_at = None if revert_s is None else at + revert_s

    def aim_w(self, lack_w: float) -> float:
        """Where its power tends to; `lack_w` is what the site would import without it."""
        order = FREE if self.deaf else self.order
        by_itself_w = lack_w if self.own_w is None else self.own_w
        wanted_w = by_itself_w if order.target_w is None else order.target_w
        most_w = min(self.model.rated_w, self.most_w) if self.stored_wh > self.model.reserve_wh else 0.0
        least_w = self.model.max_charge_w if self.stored_wh < self.model.energy_wh else 0.0
        if order.target_w is None:
            most_w = min(most_w, math.inf if order.max_discharge_w is None else order.max_discharge_w)
            least_w = min(least_w, math.inf if order.max_charge_w is None else order.max_charge_w)
        return max(-least_w, min(most_w, wanted_w))

    def next_event(self) -> float:
        """When a pending command or the timer takes effect; infinity when there is none."""
        pending = self._pending[0][0] if self._pending else math.inf
        return min(pending, math.inf if self.revert_at is None else self.revert_at)

    def take_effect(self, now: float) -> None:
        """Apply what is due at `now`."""
        if self.revert_at is not None and self.revert_at <= now:
            self.order, self.revert_at = FREE, None
        while self._pending and self._pending[0][0] <= now:
            _, self.order = self._pending.popleft()

    def flow(self, seconds: float, lack_w: float) -> None:
        """Follow the lag for `seconds`; what it stores changes with it."""
        before_w = self.power_w
        self.power_w += (self.aim_w(lack_w) - before_w) * -math.expm1(-seconds / self.model.tau_s)
        stored_wh = self.stored_wh - (before_w + self.power_w) / 2 * seconds / SECONDS_PER_HOUR
        self.stored_wh = max(0.0, min(self.model.energy_wh, stored_wh))


@dataclass(frozen=True, slots=True)
class LoadModel:
    """One load that obeys; a `switched` one is on only where all that it wants is allowed."""

    rated_w: float = 2000.0
    tau_s: float = 0.3
    switched: bool = False
    min_w: float = 0.0
    phase: str = "abc"


@dataclass(slots=True)
class PlantLoad:
    """State of one load, watts + consumption; `limit_w` None is "no limit"."""

    model: LoadModel
    wants_w: float
    limit_w: float | None = None
    power_w: float = 0.0

    @property
    def aim_w(self) -> float:
        """Where its power tends to now."""
        wants_w = min(self.wants_w, self.model.rated_w)
        if self.limit_w is None or self.limit_w >= wants_w:
            return wants_w
        return 0.0 if self.model.switched or self.limit_w < self.model.min_w else self.limit_w

    def flow(self, seconds: float) -> None:
        """Follow the lag for `seconds`."""
        self.power_w += (self.aim_w - self.power_w) * -math.expm1(-seconds / self.model.tau_s)


class Beside:
    """All of them; `batteries` begin half full."""

    def __init__(self, batteries: Sequence[BatteryModel] = (), loads: Sequence[LoadModel] = ()) -> None:
        self.batteries = [PlantBattery(model, stored_wh=model.energy_wh / 2) for model in batteries]
        self.loads = [PlantLoad(model, wants_w=model.rated_w) for model in loads]

    @property
    def load_w(self) -> float:
        """What the loads use together."""
        return sum(load.power_w for load in self.loads)

    @property
    def discharge_w(self) -> float:
        """What the batteries give together."""
        return sum(battery.power_w for battery in self.batteries)

    @property
    def net_w(self) -> float:
        """What they add to the import of the site."""
        return self.load_w - self.discharge_w

    def net_on(self, phase: str) -> float:
        """The same of one phase."""
        taken_w = sum(load.power_w * part_on(phase, load.model.phase) for load in self.loads)
        return taken_w - sum(each.power_w * part_on(phase, each.model.phase) for each in self.batteries)

    def until(self, now: float) -> float:
        """Until when time may pass in one go; infinity without any."""
        events = [battery.next_event() for battery in self.batteries]
        return min([now + STEP_S, *events]) if self.batteries else math.inf

    def flow(self, seconds: float, house_w: float) -> None:
        """Time passes; `house_w` is what the site imports without any of these."""
        for load in self.loads:
            load.flow(seconds)
        for battery in self.batteries:
            others_w = self.discharge_w - battery.power_w
            battery.flow(seconds, house_w + self.load_w - others_w)

    def take_effect(self, now: float) -> None:
        """Apply what is due at `now`."""
        for battery in self.batteries:
            battery.take_effect(now)

    def settle(self, house_w: float) -> None:
        """Put every one where it tends to, one battery after the other."""
        for load in self.loads:
            load.power_w = load.aim_w
        for battery in self.batteries:
            others_w = self.discharge_w - battery.power_w
            battery.power_w = battery.aim_w(house_w + self.load_w - others_w)
