"""What SunSpec batteries measure: models 124, 802, 713 and 714; their power also from 160 or the inverter they are.

124 and 713 tell no power. It is then that of 802, else of the storage ports of 714, else of the modules of 160 whose
names say that they are storage (Fronius GEN24: `StDisCha 4`, `StCha 3`), else the AC power of an inverter that is
nothing but the battery's. Where none of these stands, the battery's power is unknown, and so nothing is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from dynexport.messages import BatteryState
from dynexport.modbus.battery_values import BatteryValues
from dynexport.modbus.definitions import model
from dynexport.modbus.sunspec import BadValue, NotSunSpec, SunSpecDevice, Values
from dynexport.modbus.sunspec_readings import read_values

NAMEPLATE, STORAGE, MODULES, CAPACITY, PORTS, BASE = 120, 124, 160, 713, 714, 802
MODELS = (BASE, CAPACITY, STORAGE)
STATES = {
    1: BatteryState.OFF,
    2: BatteryState.EMPTY,
    3: BatteryState.DISCHARGING,
    4: BatteryState.CHARGING,
    5: BatteryState.FULL,
    6: BatteryState.HOLDING,
    7: BatteryState.TESTING,
}
MODULE_SIZE, NAME_AT, NAME_SIZE, POWER_AT = 20, 1, 8, 11
DISCHARGES, CHARGES = "stdischa", "stcha"
PORT_SIZE, PORT_POWER_AT, STORAGE_PORTS = 25, 12, (1, 5)  # ESS, BIDIR
VOID = {0x8000, 0xFFFF}


@dataclass(frozen=True, slots=True)
class Seen:
    """The storage models of one read, each None where the device has not got it."""

    base: Values | None
    capacity: Values | None
    storage: Values | None

    @property
    def soc_pct(self) -> float | None:
        """802 or 713 SoC, else 124 ChaState."""
        return _first((self.base, "SoC"), (self.capacity, "SoC"), (self.storage, "ChaState"))

    @property
    def state(self) -> BatteryState | None:
        """802 or 124 ChaSt; 713 tells none."""
        for values in (self.base, self.storage):
            number = values.integer("ChaSt") if values else None
            if number in STATES:
                return STATES[number]
        return None

    def energy_wh(self, nameplate_wh: float | None) -> float | None:
        """713 WHAvail, else the state of charge of 802 WHRtg or of the nameplate's."""
        told = _first((self.capacity, "WHAvail"))
        whole_wh = _first((self.base, "WHRtg")) or nameplate_wh
        if told is not None or self.soc_pct is None or whole_wh is None:
            return told
        return self.soc_pct / 100.0 * whole_wh


def read_battery(device: SunSpecDevice, *, alone: bool, nameplate_wh: float | None) -> BatteryValues:
    """Power, charge and state; `alone`: no inverter of the site's shares this map.

    Raises NotSunSpec without a storage model, or where nothing tells its power.
    """
    base, capacity, storage = (
        device.read(each) if each in device.models else None for each in (BASE, CAPACITY, STORAGE)
    )
    seen = Seen(base, capacity, storage)
    power_w = _power_w(device, seen, alone=alone)
    return BatteryValues(power_w, _share(seen.soc_pct), seen.energy_wh(nameplate_wh), seen.state)


def require_storage(device: SunSpecDevice) -> None:
    """Raises NotSunSpec for a map without a battery in it."""
    if device.first_of(*MODELS) is None:
        found = ", ".join(str(number) for number in device.models)
        where = f"{device.endpoint.address} unit {device.unit}"
        raise NotSunSpec(f"{where}: no battery (124, 713, 802) among the models {found}")


def _power_w(device: SunSpecDevice, seen: Seen, *, alone: bool) -> float:
    if seen.base is not None and (power_w := seen.base.checked("W")) is not None:
        return _signed(power_w, seen.state)
    for told_w in (_of_ports, _of_modules):
        if (power_w := told_w(device)) is not None:
            return power_w
    if alone:
        return read_values(device).power_w
    where = f"{device.endpoint.address} unit {device.unit}"
    raise NotSunSpec(f"{where}: no model tells the battery's power (802, 714 or 160 would)")


def _signed(power_w: float, state: BatteryState | None) -> float:
    """The official text of 802 W leaves its sign open: where the battery says what it does, that decides."""
    match state:
        case BatteryState.CHARGING:
            return -abs(power_w)
        case BatteryState.DISCHARGING:
            return abs(power_w)
    return power_w


def _of_ports(device: SunSpecDevice) -> float | None:
    """714: the DC power of the storage ports together; without ports that of the whole device."""
    if PORTS not in device.models:
        return None
    values = device.read(PORTS)
    if not (values.integer("NPrt") or 0):
        return values.checked("DCW")
    powers = [
        _int16(registers[PORT_POWER_AT])
        for registers in _groups(device, PORTS, PORT_SIZE)
        if registers[0] in STORAGE_PORTS and registers[PORT_POWER_AT] not in VOID
    ]
    return sum(powers) * _scale(values, "DCW_SF") if powers else None


def _of_modules(device: SunSpecDevice) -> float | None:
    """160: what storage modules give less what they take; each counts in one direction."""
    if MODULES not in device.models:
        return None
    total, found = 0.0, False
    for registers in _groups(device, MODULES, MODULE_SIZE):
        data = b"".join(each.to_bytes(2, "big") for each in registers[NAME_AT : NAME_AT + NAME_SIZE])
        name = data.partition(b"\0")[0].decode("ascii", "replace").replace(" ", "").lower()
        sign = 1 if name.startswith(DISCHARGES) else -1 if name.startswith(CHARGES) else 0
        if sign and registers[POWER_AT] not in VOID:
            total, found = total + sign * registers[POWER_AT], True
    return total * _scale(device.read(MODULES), "DCW_SF") if found else None


def _groups(device: SunSpecDevice, model_id: int, size: int) -> list[tuple[int, ...]]:
    """The repeated groups after a model's fixed part, as many as its length holds."""
    block, fixed = device.models[model_id], model(model_id).length
    count = (block.length - fixed) // size
    start = block.address + fixed
    return [
        tuple(device.endpoint.read_holding(device.unit, start + number * size, size))
        for number in range(count)
    ]


def _scale(values: Values, name: str) -> float:
    factor = values.integer(name)
    if factor is None or abs(factor) > 10:
        raise BadValue(f"{values.where}: {name} is {factor}")
    return float(10.0**factor)


def _int16(register: int) -> int:
    return register - 0x10000 if register & 0x8000 else register


def _share(percent: float | None) -> float | None:
    """A state of charge outside 0 to 100 % is not told."""
    return percent if percent is not None and 0.0 <= percent <= 100.0 else None


def _first(*wanted: tuple[Values | None, str]) -> float | None:
    for values, name in wanted:
        if values is not None and (found := values.get(name)) is not None:
            return found
    return None
