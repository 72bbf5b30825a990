"""Loads and batteries over one cycle: readings in, what each may use or is to do out. Pure: no IO, no clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from dynexport.messages import Location, Mode
from dynexport.settings.models import Site
from dynexport.sharing import Taker, share_out
from limit_engine.beside import BatteryState, Beside
from limit_engine.control import ControlLaw
from limit_engine.curtailment import curtailment
from limit_engine.following import Following
from limit_engine.import_side import ImportSide, Seen, UseLimits
from limit_engine.loads import allot, remember
from limit_engine.site import Others
from limit_engine.storage import Storage, StorageBounds
from limit_engine.terms import Bounds, Decision


@dataclass(frozen=True, slots=True)
class BatteryOrder:
    """What a battery is to do, watts: `target_w` + discharge, None by itself; a bound that is None does not bind."""

    target_w: float | None = None
    max_charge_w: float | None = None
    max_discharge_w: float | None = None


@dataclass(frozen=True, slots=True)
class Orders:
    """What each load may use and each battery is to do; `shed` are the loads that are held below what they can use."""

    loads_w: Mapping[str, float]
    batteries: Mapping[str, BatteryOrder]
    shed: tuple[str, ...] = ()
    given_up: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SideLimits:
    """What counts for loads and batteries this cycle; `open_switch`: the site's sources are to be disconnected."""

    use: UseLimits
    storage_target_w: float | None = None
    open_switch: bool = False


@dataclass(slots=True)
class Side:
    """The state between cycles; `yield_w` is what inverters leave to the batteries under the export limit, watts."""

    site: Site
    others: Others
    beside: Beside = field(init=False)
    uses: ImportSide = field(init=False)
    storage: Storage = field(init=False)
    _following: dict[str, Following] = field(init=False)
    _orders: dict[str, BatteryOrder] = field(default_factory=dict)

    def __post_init__(self) -> None:
        others = any(entry.kind == "battery" for entry in self.site.uncontrolled)
        self.beside = Beside.of(self.site.loads, self.site.batteries, others=others)
        self.uses = ImportSide(self.beside)
        batteries = self.beside.batteries.values()
        self.storage = Storage(
            sum(each.rated_w for each in batteries), sum(each.max_charge_w for each in batteries)
        )
        self._following = {
            name: Following(max(each.rated_w, each.max_charge_w))
            for name, each in self.beside.batteries.items()
        }

    @property
    def yield_w(self) -> float:
        """What inverters leave to the batteries under the export limit, watts."""
        return self.storage.yield_w

    def decide(
        self, law: ControlLaw, decision: Decision, bounds: Bounds, limits: SideLimits, mono: float
    ) -> Orders:
        """One cycle, after the inverters' own. `bounds` are those before the inverters made room for batteries."""
        if not (self.beside.loads or self.beside.batteries):
            return Orders({}, {})
        known = decision.mode is Mode.NORMAL
        given_up = self._look_at_batteries(mono)
        if known:
            self._see(law, bounds, mono)
        else:
            self.storage.forget()
        may_rise = law.timely(mono)
        level_w = self.uses.level_w(limits.use, mono, known=known, may_rise=may_rise)
        loads = self.beside.loads.values()
        told, left_w = allot(loads, level_w, mono)
        remember(loads, told, mono)
        charge_w = left_w if limits.use.any else math.inf
        if known and not limits.open_switch:
            self._orders = self._command(law, decision, bounds, limits, charge_w, mono)
        else:
            self._orders = self._by_themselves(charge_w, stopped=limits.open_switch)
        for name, battery in self.beside.batteries.items():
            bound_w = self._orders[name].max_charge_w
            battery.charge_told_w = battery.max_charge_w if bound_w is None else bound_w
            battery.meters.lately.keep(battery.charge_told_w, mono)
        shed = tuple(load.settings.id for load in loads if load.told_w < load.settings.rated_w)
        return Orders(told, self._orders, shed if limits.use.any else (), given_up)

    def _see(self, law: ControlLaw, bounds: Bounds, mono: float) -> None:
        seen, sample = law.seen(mono), law.sample
        if seen is None or sample is None:
            return
        measures_use = law.plan.location is Location.CONSUMPTION
        made = seen.made_w if measures_use else (0.0, 0.0)
        supplied_w = self.others.supplied_w(mono) if measures_use else 0.0
        power_w = sample.power_w - supplied_w
        site_w = (power_w - made[1], power_w - made[0])
        if measures_use:
            use_w = (sample.power_w + self.others.charging_w(mono),) * 2
        else:
            hidden_w = self.others.hidden_w(mono) + bounds.unseen_w
            use_w = (sample.power_w + seen.made_w[0] + hidden_w, sample.power_w + seen.made_w[1] + hidden_w)
        self.uses.see(Seen(sample, seen, site_w, use_w), mono)
        span = self.beside.discharge_span_w(seen.start, seen.end, mono)
        self.storage.see(sample, site_w, span, seen, late=self.beside.late(seen.end, mono))

    def _look_at_batteries(self, mono: float) -> tuple[str, ...]:
        """Those that have just been given up: what they were told is not what they do."""
        given_up = []
        for name, battery in self.beside.batteries.items():
            order = self._orders.get(name)
            told_w = order.target_w if order and battery.meters.fresh(mono) else None
            if self._following[name].look(told_w, battery.meters.power_w, mono):
                given_up.append(name)
        return tuple(given_up)

    def _command(
        self,
        law: ControlLaw,
        decision: Decision,
        bounds: Bounds,
        limits: SideLimits,
        charge_w: float,
        mono: float,
    ) -> dict[str, BatteryOrder]:
        """The batteries that follow are told a power, all others only what limits them."""
        able = [
            each
            for name, each in self.beside.batteries.items()
            if each.meters.fresh(mono) and not self._following[name].left_alone(mono)
        ]
        if not able:
            self.storage.forget()
            return self._by_themselves(charge_w, stopped=False)
        target_w = limits.storage_target_w
        if target_w is not None:
            most_w = 0.0 if bounds.phases is not None else sum(each.rated_w for each in able)
            target_w = max(-sum(each.max_charge_w for each in able), min(most_w, target_w))
        answering = [track for track in law.tracks.values() if track.answers(mono)]
        given_w = sum(each.meters.power_w for each in able)
        orders = self._by_themselves(charge_w, stopped=False)
        to_the_house = (target_w or 0.0) > 0.0 and any(each.settings.exports == "never" for each in able)
        told_w, _ = self.storage.decide(
            StorageBounds(
                target_w,
                0.0 if to_the_house else bounds.export_limit_w,
                _generation_left_w(bounds, decision),
                sum(_or(orders[each.settings.id].max_charge_w, each.max_charge_w) for each in able),
                curtailment(answering).watts,
                0.0 if to_the_house else sum(track.power_w for track in answering),
            ),
            given_w,
            mono,
            may_rise=law.timely(mono),
        )
        if told_w is not None:
            orders.update(_shared(able, told_w, orders))
        return orders

    def _by_themselves(self, charge_w: float, *, stopped: bool) -> dict[str, BatteryOrder]:
        """No power is told: only how much of what import and load limits leave each may charge."""
        if stopped:
            return {name: BatteryOrder(0.0, 0.0, 0.0) for name in self.beside.batteries}
        if math.isinf(charge_w):
            return {name: BatteryOrder() for name in self.beside.batteries}
        takers = [
            Taker(name, each.max_charge_w, each.max_charge_w) for name, each in self.beside.batteries.items()
        ]
        return {
            name: BatteryOrder(None, share_w, None) for name, share_w in share_out(charge_w, takers).items()
        }


def _shared(
    able: list[BatteryState], told_w: float, orders: Mapping[str, BatteryOrder]
) -> dict[str, BatteryOrder]:
    """One power for all of them, each by what it can do."""
    bounds = {each.settings.id: orders[each.settings.id].max_charge_w for each in able}
    if told_w >= 0.0:
        takers = [Taker(each.settings.id, each.rated_w, each.rated_w) for each in able]
        shares = share_out(told_w, takers)
        return {name: BatteryOrder(share_w, bounds[name], share_w) for name, share_w in shares.items()}
    takers = [
        Taker(each.settings.id, each.max_charge_w, _or(bounds[each.settings.id], each.max_charge_w))
        for each in able
    ]
    shares = share_out(-told_w, takers)
    return {name: BatteryOrder(-share_w, bounds[name], None) for name, share_w in shares.items()}


def _generation_left_w(bounds: Bounds, decision: Decision) -> float | None:
    """What a generation limit leaves beside what inverters may make, and all that does not obey us."""
    if bounds.generation_limit_w is None:
        return None
    taken_w = sum(decision.shares_w.values()) + bounds.uncontrolled_w + bounds.unseen_w
    return max(0.0, bounds.generation_limit_w - taken_w)


def _or(bound_w: float | None, most_w: float) -> float:
    return most_w if bound_w is None else min(bound_w, most_w)
