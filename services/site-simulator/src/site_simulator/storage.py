"""Batteries as SunSpec models: 124 and 802; with `map: der` 713, 714 and 704 `WSet`. Alone, or in an inverter."""

from __future__ import annotations

import math

from dynexport.modbus.battery_values import FREE, Order
from dynexport.settings.batteries import ModbusBattery
from dynexport.testing.plant_battery import PlantBattery
from site_simulator.der import scales
from site_simulator.devices import COMMON, HERTZ, INVERTER, MPPT, NAMEPLATE, SCALES, VOLTAGE_V, Device
from site_simulator.image import Image
from site_simulator.world import World

STORAGE, CAPACITY, PORTS, BANK, CONTROLS, MEASURED, RATED = 124, 713, 714, 802, 704, 701, 702
EMPTY, DISCHARGING, CHARGING, FULL, HOLDING = 2, 3, 4, 5, 6
CHARGE, DISCHARGE, ENABLED, WATTS, RUNNING = 1, 2, 1, 1, 3
MOVES_W = 20.0


class StoragePart:
    """The models of one battery in an image; what is written to them acts on the plant and is recorded."""

    def __init__(self, place: ModbusBattery, image: Image, plant: PlantBattery, world: World) -> None:
        self.name = place.battery.id
        self._image = image
        self._plant = plant
        self._world = world
        self._describe()

    @property
    def power_w(self) -> float:
        """What it gives now."""
        return self._plant.power_w

    def refresh(self) -> None:
        """Charge, power and state; a timer that has run out shows in the controls."""
        plant, image = self._plant, self._image
        charge_pct = 100.0 * plant.stored_wh / plant.model.energy_wh
        if BANK in image.models:
            image.set(BANK, "SoC", charge_pct)
            image.set(BANK, "W", plant.power_w)
            image.set(BANK, "ChaSt", self._state())
            image.set(STORAGE, "ChaState", charge_pct)
            image.set(STORAGE, "ChaSt", self._state())
        else:
            image.set(CAPACITY, "SoC", charge_pct)
            image.set(CAPACITY, "WHAvail", plant.stored_wh)
            image.set(PORTS, "DCW", plant.power_w)
        self._show_the_timer()

    def written(self, registers: range) -> None:
        """A write of these registers is in the image."""
        model_id, first, last = (
            (STORAGE, "StorCtl_Mod", "ChaGriSet")
            if BANK in self._image.models
            else (CONTROLS, "WSetEna", "WSetRvrtRem")
        )
        mine = range(self._image.offset(model_id, first), self._image.offset(model_id, last))
        if registers.start >= mine.stop or mine.start >= registers.stop:
            return
        now = self._world.plant.now
        order, seconds = self._order(), self._seconds()
        timed = seconds and not order.frees
        self._plant.command(now, order, seconds if timed else None)
        self._world.record(
            {
                "mono": now, "order": self.name, "target_w": order.target_w, "max_charge_w": order.max_charge_w,
                "max_discharge_w": order.max_discharge_w, "revert_s": seconds,
            }
        )  # fmt: skip

    def _describe(self) -> None:
        image, model = self._image, self._plant.model
        if BANK in image.models:
            image.set(STORAGE, "WChaMax", model.max_charge_w)
            image.set(STORAGE, "MinRsvPct", 100.0 * model.reserve_wh / model.energy_wh)
            image.set(BANK, "WHRtg", model.energy_wh)
            image.set(BANK, "WChaRteMax", model.max_charge_w)
            image.set(BANK, "WDisChaRteMax", model.rated_w)
            for name in (
                "StorCtl_Mod",
                "InOutWRte_WinTms",
                "InOutWRte_RvrtTms",
                "InOutWRte_RmpTms",
                "ChaGriSet",
            ):
                image.set(STORAGE, name, 0)
            for name in ("OutWRte", "InWRte"):
                image.set(STORAGE, name, 100.0)
            image.set(NAMEPLATE, "MaxChaRte", model.max_charge_w)
            image.set(NAMEPLATE, "MaxDisChaRte", model.rated_w)
            return
        image.set(CAPACITY, "WHRtg", model.energy_wh)
        image.set(PORTS, "NPrt", 0)
        for name in ("WChaRteMaxRtg", "WChaRteMax"):
            image.set(RATED, name, model.max_charge_w)
        for name in ("WDisChaRteMaxRtg", "WDisChaRteMax"):
            image.set(RATED, name, model.rated_w)
        for name in ("WSetEna", "WSetMod", "WSet", "WSetRvrt", "WSetEnaRvrt", "WSetRvrtTms"):
            image.set(CONTROLS, name, 0)

    def _state(self) -> int:
        plant = self._plant
        if abs(plant.power_w) > MOVES_W:
            return DISCHARGING if plant.power_w > 0 else CHARGING
        if plant.stored_wh >= plant.model.energy_wh:
            return FULL
        return EMPTY if plant.stored_wh <= plant.model.reserve_wh else HOLDING

    def _order(self) -> Order:
        image = self._image
        if BANK not in image.models:
            if image.get(CONTROLS, "WSetEna") != ENABLED or image.get(CONTROLS, "WSetMod") != WATTS:
                return FREE
            return Order(target_w=float(_signed(image.get(CONTROLS, "WSet"), 32)))
        mode, model = image.get(STORAGE, "StorCtl_Mod"), self._plant.model
        give_w, take_w = (
            _signed(image.get(STORAGE, name), 16) / 10_000 * whole_w if mode & bit else None
            for name, bit, whole_w in (
                ("OutWRte", DISCHARGE, model.rated_w),
                ("InWRte", CHARGE, model.max_charge_w),
            )
        )
        if give_w is not None and take_w is not None and min(give_w, take_w) < 0:
            return Order(target_w=give_w if give_w > 0 else -take_w)
        return Order(None, take_w, give_w)

    def _seconds(self) -> int:
        if BANK in self._image.models:
            return self._image.get(STORAGE, "InOutWRte_RvrtTms")
        return self._image.get(CONTROLS, "WSetRvrtTms")

    def _show_the_timer(self) -> None:
        """The plant's timer has run out while an order still stands in the registers."""
        if self._plant.revert_at is not None or not self._plant.order.frees or self._order().frees:
            return
        if self._plant.next_event() == math.inf:
            model_id, name = (STORAGE, "StorCtl_Mod") if BANK in self._image.models else (CONTROLS, "WSetEna")
            self._image.set(model_id, name, 0)


class BatteryDevice(Device):
    """A battery with an inverter of its own, behind a unit id of its own."""

    def __init__(self, place: ModbusBattery, plant: PlantBattery, world: World) -> None:
        newer = world.settings.map == "der"
        self._measured = MEASURED if newer else INVERTER[world.settings.map]
        models = [
            COMMON,
            self._measured,
            *((RATED, *parts_of(world)) if newer else (NAMEPLATE, *parts_of(world))),
        ]
        if newer:
            models.append(CONTROLS)
        super().__init__(
            place.battery.id, world, Image(models, scales(place.battery.rated_w) if newer else SCALES)
        )
        self._plant = plant
        self.parts = [StoragePart(place, self.image, plant, world)]
        for name, text in (("Mn", "Dynexport"), ("Md", "Simulated battery"), ("Vr", "1"), ("SN", self.name)):
            self.image.set(COMMON, name, text)

    @property
    def measured_model(self) -> int:
        """The model of its AC side."""
        return self._measured

    def write(self, address: int, values: list[int]) -> None:
        """Take a write, now."""
        self.world.advance()
        super().write(address, values)

    def refresh(self) -> None:
        """The AC side of its inverter."""
        image = self.image
        image.set(self._measured, "W", self._plant.power_w)
        image.set(self._measured, "Hz", HERTZ)
        if self._measured == MEASURED:
            image.set(MEASURED, "ACType", 0)
            image.set(MEASURED, "InvSt", RUNNING)
            image.set(MEASURED, "LNV", VOLTAGE_V)
        else:
            image.set(self._measured, "St", MPPT)
            image.set(self._measured, "PhVphA", VOLTAGE_V)


def parts_of(world: World) -> tuple[int, ...]:
    """The models that a battery adds to a map; with `map: der` beside the 704 that is there."""
    return (CAPACITY, PORTS) if world.settings.map == "der" else (STORAGE, BANK)


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value
