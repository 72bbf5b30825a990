"""A SunSpec inverter of either generation: found, rated, read and limited; an odd answer makes it look anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from dynexport.modbus.endpoint import Endpoint, ModbusError
from dynexport.modbus.inverter_values import ControlValues, InverterIdentity, InverterStatus, InverterValues
from dynexport.modbus.sunspec import BadValue, NotSunSpec, SunSpecDevice, Values, discover, may_have_moved
from dynexport.modbus.sunspec_controls import DER, Control, choose
from dynexport.modbus.sunspec_ratings import CAPACITY, NAMEPLATE, SETTINGS, Rated
from dynexport.modbus.sunspec_readings import read_status, read_values

__all__ = ["ControlValues", "InverterIdentity", "InverterStatus", "InverterValues", "SunSpecInverter"]

T = TypeVar("T")
COMMON = 1


class SunSpecInverter:
    """An inverter behind an endpoint. Every call may raise ModbusError; an odd answer makes it look anew."""

    def __init__(self, endpoint: Endpoint, unit: int) -> None:
        self._endpoint = endpoint
        self._unit = unit
        self._device: SunSpecDevice | None = None
        self._control: Control | None = None

    def identify(self) -> InverterIdentity:
        """Name, ratings and control; raises BadValue without any usable rating."""
        return self._guarded(self._identify)

    def read(self) -> InverterValues:
        """Power and state; an inverter that says off or sleeping and gives no power makes 0."""
        return self._guarded(lambda: read_values(self._map()))

    def read_status(self) -> InverterStatus:
        """Models 122 or 701, all None where the device has none."""
        return self._guarded(lambda: read_status(self._map()))

    def read_control(self) -> ControlValues:
        """Models 704 or 123; raises NotSunSpec where the device has none."""
        return self._guarded(lambda: self._controls().read())

    def write_limit(self, limit_pct: float, revert_s: int, revert_pct: float = 0.0) -> None:
        """Limit to a percentage of `max_w`, rounded down, in one write; `revert_s` 0 stops the device's timer.

        After `revert_s` without another write a 704 goes to `revert_pct`; a 123 releases its limit.
        """
        self._guarded(lambda: self._controls().write_limit(limit_pct, revert_s, revert_pct))

    def write_connect(self, connect: bool) -> None:
        """Connect or disconnect: 703 ES, 123 Conn."""
        self._guarded(lambda: self._controls().write_connect(connect))

    def release(self) -> None:
        """Take our limit out: not enabled, no timer."""
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
            self._device = discover(self._endpoint, self._unit)
        return self._device

    def _controls(self) -> Control:
        if self._control is None:
            self._control = choose(self._map())
        if self._control is None:
            raise NotSunSpec(
                f"{self._endpoint.address} unit {self._unit}: neither 704 nor 123 to limit it by"
            )
        return self._control

    def _identify(self) -> InverterIdentity:
        device = self._map()
        self._control = control = choose(device)
        common = device.read(COMMON) if COMMON in device.models else None
        rated = Rated(*(_model(device, model_id) for model_id in (NAMEPLATE, SETTINGS, CAPACITY)))
        return InverterIdentity(
            manufacturer=common.text("Mn") if common else None,
            model=common.text("Md") if common else None,
            serial=common.text("SN") if common else None,
            der_type=rated.der_type,
            control_model=control.model_id if control else None,
            max_w=self._base_w(rated, control),
            nameplate_w=rated.nameplate_w,
            max_va=rated.max_va,
            max_var=rated.max_var,
            resolution_pct=control.resolution_pct if control else 1.0,
            chooses_revert=control is not None and control.chooses_revert,
            can_disconnect=control is not None and control.can_disconnect,
            why_not=None if control else "it has no control model 704 or 123: it cannot be limited",
        )

    def _base_w(self, rated: Rated, control: Control | None) -> float:
        base_w = rated.base_w(newer=control is not None and control.model_id == DER)
        if base_w is None:
            where = f"{self._endpoint.address} unit {self._unit}"
            raise BadValue(f"{where}: neither WMax nor a rating (WRtg, WMaxRtg) is usable")
        return base_w


def _model(device: SunSpecDevice, model_id: int) -> Values | None:
    return device.read(model_id) if model_id in device.models else None
