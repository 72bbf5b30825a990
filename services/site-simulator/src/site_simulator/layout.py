"""Which unit answers where: the devices of `site.yaml`, by endpoint and unit id."""

from __future__ import annotations

from dataclasses import dataclass, field

from dynexport.modbus.address import Address, address_of
from dynexport.settings.batteries import ModbusBattery
from dynexport.settings.models import ModbusInverter, ModbusMeter, RegisterInverter, RegisterMeter
from dynexport.testing.plant import PlantInverter
from site_simulator.der import DerInverterDevice
from site_simulator.devices import Device, InverterDevice, MeterDevice
from site_simulator.makes.catalogue import inverter_of, meter_behind, meter_of
from site_simulator.makes.unit import MakeInverter, MakeMeter, Shared
from site_simulator.served import Served
from site_simulator.storage import BatteryDevice, StoragePart, parts_of
from site_simulator.world import World


@dataclass(slots=True)
class Layout:
    """`units`: who answers; `behind`: where each device is found; `named`: the devices themselves."""

    units: dict[Address, dict[int, Served]] = field(default_factory=dict)
    behind: dict[str, Address] = field(default_factory=dict)
    named: dict[str, Served] = field(default_factory=dict)

    def place(self, at: Address, unit: int, device: Served) -> None:
        """Put a device behind an endpoint."""
        self.units.setdefault(at, {})[unit] = device
        self.behind[device.name] = at
        self.named[device.name] = device


def layout(world: World) -> Layout:
    """Every Modbus device of the site; raises NoImage for a make that is not known."""
    plan = Layout()
    for settings, plant in zip(world.site.inverters, world.plant.inverters, strict=True):
        if isinstance(settings, ModbusInverter):
            plan.place(address_of(settings), settings.unit, _inverter(settings, plant, world))
    for place in world.site.modbus_batteries:
        _place_battery(plan, place, world)
    if isinstance(world.site.meter, ModbusMeter):
        _place_meter(plan, world.site.meter, world)
    return plan


def _inverter(settings: ModbusInverter, plant: PlantInverter, world: World) -> Served:
    if isinstance(settings, RegisterInverter):
        return inverter_of(settings, plant, world)
    kind = DerInverterDevice if world.settings.map == "der" else InverterDevice
    hybrid = any(battery.inverter == settings.id for battery in world.site.batteries)
    return kind(settings, plant, world, parts_of(world) if hybrid else ())


def _place_battery(plan: Layout, place: ModbusBattery, world: World) -> None:
    """Behind a unit of its own, or in its inverter's map and on its DC side."""
    name = place.battery.id
    plant = world.batteries[name]
    if place.alone:
        plan.place(address_of(place), place.unit, BatteryDevice(place, plant, world))
        return
    host = plan.named[place.battery.inverter or ""]
    if isinstance(host, Device):
        host.parts.append(StoragePart(place, host.image, plant, world))
        plan.behind[name] = address_of(place)


def _place_meter(plan: Layout, settings: ModbusMeter, world: World) -> None:
    """A meter that is read through an inverter of another make, under its unit id, shares that id with it."""
    at = address_of(settings)
    inverter = plan.units.get(at, {}).get(settings.unit)
    if isinstance(settings, RegisterMeter):
        device: Served = meter_of(settings, world)
    elif isinstance(inverter, MakeInverter):
        device = meter_behind(inverter, settings.unit)
    else:
        device = MeterDevice(world)
    plan.place(at, settings.unit, device)
    if isinstance(inverter, MakeInverter) and isinstance(device, MakeMeter):
        plan.units[at][settings.unit] = Shared(inverter, device)
