"""A SunSpec battery: found, read and commanded; an odd answer makes it look anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from dynexport.modbus.battery_values import BatteryIdentity, BatteryValues, Order
from dynexport.modbus.endpoint import Endpoint, ModbusError
from dynexport.modbus.sunspec import BadValue, SunSpecDevice, discover, may_have_moved
from dynexport.modbus.sunspec_battery_controls import BatteryControl, choose
from dynexport.modbus.sunspec_battery_readings import BASE, NAMEPLATE, STORAGE, read_battery, require_storage

T = TypeVar("T")
COMMON, DER_CAPACITY = 1, 702
CHARGE = ((STORAGE, "WChaMax"), (DER_CAPACITY, "WChaRteMax"), (BASE, "WChaRteMax"), (NAMEPLATE, "MaxChaRte"))
DISCHARGE = ((DER_CAPACITY, "WDisChaRteMax"), (BASE, "WDisChaRteMax"), (NAMEPLATE, "MaxDisChaRte"))


class SunSpecBattery:
    """A battery behind an endpoint; `alone`: its map is not an inverter's of the site. Calls may raise ModbusError."""

    def __init__(self, endpoint: Endpoint, unit: int, *, alone: bool) -> None:
        self._endpoint = endpoint
        self._unit = unit
        self._alone = alone
        self._device: SunSpecDevice | None = None
        self._control: BatteryControl | None = None
        self._nameplate_wh: float | None = None

    def identify(self) -> BatteryIdentity:
        """Who it is, what it can do, and through what it is commanded."""
        return self._guarded(self._identify)

    def read(self) -> BatteryValues:
        """Power, charge and state."""
        return self._guarded(
            lambda: read_battery(self._map(), alone=self._alone, nameplate_wh=self._nameplate_wh)
        )

    def read_order(self) -> Order:
        """Models 704 or 124; raises BadValue where it cannot be commanded."""
        return self._guarded(lambda: self._controls().read())

    def write_order(self, order: Order, revert_s: int) -> None:
        """After `revert_s` without another write it does what it does by itself."""
        self._guarded(lambda: self._controls().write(order, revert_s))

    def release(self) -> None:
        """Nothing is told any more."""
        self._guarded(lambda: self._controls().release())

    def _guarded(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except ModbusError as error:
            if may_have_moved(error):
                self._device = self._control = None
            raise

    def _map(self) -> SunSpecDevice:
        if self._device is None:
            found = discover(self._endpoint, self._unit)
            require_storage(found)
            self._device = found
        return self._device

    def _controls(self) -> BatteryControl:
        if self._control is None:
            self._control, why = choose(self._map())
            if self._control is None:
                raise BadValue(f"{self._endpoint.address} unit {self._unit}: {why}")
        return self._control

    def _identify(self) -> BatteryIdentity:
        device = self._map()
        self._control, why = choose(device)
        self._nameplate_wh = _rating(device, (NAMEPLATE, "WHRtg"))
        common = device.read(COMMON) if COMMON in device.models else None
        return BatteryIdentity(
            manufacturer=common.text("Mn") if common else None,
            model=common.text("Md") if common else None,
            serial=common.text("SN") if common else None,
            control_model=self._control.model_id if self._control else None,
            bounds=self._control is not None and self._control.bounds,
            max_charge_w=_rating(device, *CHARGE),
            max_discharge_w=_rating(device, *DISCHARGE),
            why=why or None,
        )


def _rating(device: SunSpecDevice, *wanted: tuple[int, str]) -> float | None:
    """The first that is told and above 0; 0 is how some devices leave it out."""
    for model_id, name in wanted:
        if model_id in device.models and (found := device.read(model_id).get(name)):
            return found
    return None
