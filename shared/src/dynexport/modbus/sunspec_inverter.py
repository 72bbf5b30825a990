"""SunSpec inverters: models 101-103 and 111-113, settings 120/121, status 122, control through 123."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from dynexport.messages import InverterState
from dynexport.modbus.endpoint import Endpoint, ModbusError
from dynexport.modbus.sunspec import BadValue, NotSunSpec, SunSpecDevice, Values, discover, may_have_moved

T = TypeVar("T")

MODELS = (103, 113, 102, 112, 101, 111)
NAMEPLATE, SETTINGS, STATUS, CONTROLS = 120, 121, 122, 123
STATES = {
    1: InverterState.OFF,
    2: InverterState.SLEEPING,
    3: InverterState.STARTING,
    4: InverterState.MPPT,
    5: InverterState.THROTTLED,
    6: InverterState.SHUTTING_DOWN,
    7: InverterState.FAULT,
    8: InverterState.STANDBY,
}
ASLEEP = (InverterState.OFF, InverterState.SLEEPING)
NOT_IMPLEMENTED = 0xFFFF
PERCENT_SCALES = (-2, -1, 0, 1, 2)  # the others cannot say 100 % in the 16 bit of WMaxLimPct
LARGEST_RATING = 1e8


@dataclass(frozen=True, slots=True)
class InverterIdentity:
    """What it is; `max_w` is the base of its percentages (121 WMax, else 120 WRtg), watts."""

    manufacturer: str | None
    model: str | None
    serial: str | None
    der_type: int | None
    control_model: int | None
    max_w: float
    nameplate_w: float | None
    max_va: float | None
    max_var: float | None
    resolution_pct: float


@dataclass(frozen=True, slots=True)
class InverterValues:
    """One reading, watts + generation; None is not implemented."""

    power_w: float
    state: InverterState
    reactive_var: float | None
    voltage_a_v: float | None
    voltage_b_v: float | None
    voltage_c_v: float | None
    frequency_hz: float | None
    energy_wh: float | None


@dataclass(frozen=True, slots=True)
class InverterStatus:
    """Model 122: connection and available power, watts; None is not implemented."""

    connected: bool | None = None
    available: bool | None = None
    operating: bool | None = None
    available_w: float | None = None


@dataclass(frozen=True, slots=True)
class ControlValues:
    """Model 123 as it stands: percent of WMax, and whether it counts."""

    connected: bool
    limit_pct: float
    enabled: bool
    revert_s: int | None

    @property
    def effective_pct(self) -> float:
        """What limits now: 100 when the limit is not enabled."""
        return self.limit_pct if self.enabled else 100.0


class SunSpecInverter:
    """An inverter behind an endpoint. Every call may raise ModbusError; an odd answer makes it look anew."""

    def __init__(self, endpoint: Endpoint, unit: int) -> None:
        self._endpoint = endpoint
        self._unit = unit
        self._device: SunSpecDevice | None = None
        self._seen: Values | None = None

    def identify(self) -> InverterIdentity:
        """Name, ratings and control; raises BadValue without any usable rating."""
        return self._guarded(self._identify)

    def read(self) -> InverterValues:
        """Power and state; an inverter that says off or sleeping and gives no power makes 0."""
        return self._guarded(self._read)

    def read_status(self) -> InverterStatus:
        """Model 122, all None where the device has none."""
        return self._guarded(self._read_status)

    def read_control(self) -> ControlValues:
        """Model 123; raises NotSunSpec where the device has none."""
        return self._guarded(self._read_control)

    def write_limit(self, limit_pct: float, revert_s: int) -> None:
        """Limit to a percentage of WMax, rounded down, in one write of WMaxLimPct to WMaxLim_Ena.

        Window and ramp are 0, `WMaxLimPct_RvrtTms` is written explicitly: a predecessor's may still stand there.
        """
        self._guarded(lambda: self._write_limit(limit_pct, revert_s))

    def write_connect(self, connect: bool) -> None:
        """Connect or disconnect (123 Conn)."""
        self._guarded(lambda: self._controls().write(CONTROLS, {"Conn": int(connect)}))

    def release(self) -> None:
        """Take our limit out: WMaxLim_Ena 0."""
        self._guarded(lambda: self._controls().write(CONTROLS, {"WMaxLim_Ena": 0}))

    def _guarded(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except ModbusError as error:
            if may_have_moved(error):
                self._device = self._seen = None
            raise

    def _map(self) -> SunSpecDevice:
        if self._device is None:
            self._device = discover(self._endpoint, self._unit)
        return self._device

    def _controls(self) -> SunSpecDevice:
        device = self._map()
        if CONTROLS not in device.models:
            raise NotSunSpec(f"{self._endpoint.address} unit {self._unit}: no control model 123")
        return device

    def _identify(self) -> InverterIdentity:
        device = self._map()
        common = device.read(1) if 1 in device.models else None
        nameplate = device.read(NAMEPLATE) if NAMEPLATE in device.models else None
        settings = device.read(SETTINGS) if SETTINGS in device.models else None
        max_w = _rating(settings, "WMax")
        nameplate_w = _rating(nameplate, "WRtg")
        base_w = max_w or nameplate_w
        if not base_w or base_w <= 0:
            raise BadValue(f"{self._endpoint.address} unit {self._unit}: neither WMax nor WRtg is usable")
        max_va = _rating(settings, "VAMax")
        return InverterIdentity(
            manufacturer=common.text("Mn") if common else None,
            model=common.text("Md") if common else None,
            serial=common.text("SN") if common else None,
            der_type=nameplate.integer("DERTyp") if nameplate else None,
            control_model=device.first_of(CONTROLS),
            max_w=base_w,
            nameplate_w=nameplate_w,
            max_va=max_va if max_va is not None else _rating(nameplate, "VARtg"),
            max_var=_rating(settings, "VArMaxQ1"),
            resolution_pct=self._resolution_pct(device),
        )

    @staticmethod
    def _resolution_pct(device: SunSpecDevice) -> float:
        if CONTROLS not in device.models:
            return 1.0
        return float(10.0 ** _percent_scale(device.read(CONTROLS)))

    def _read(self) -> InverterValues:
        device = self._map()
        model_id = device.first_of(*MODELS)
        if model_id is None:
            found = ", ".join(str(number) for number in device.models)
            raise NotSunSpec(
                f"{self._endpoint.address} unit {self._unit}: no inverter among the models {found}"
            )
        values = device.read(model_id)
        number = values.integer("St")
        state = STATES.get(number) if number is not None else None
        if state is None:
            raise BadValue(f"{values.where}: St is {number}")
        power_w = values.get("W") if state in ASLEEP else values.require("W")
        return InverterValues(
            power_w=power_w or 0.0,
            state=state,
            reactive_var=values.get("VAr"),
            voltage_a_v=values.get("PhVphA"),
            voltage_b_v=values.get("PhVphB"),
            voltage_c_v=values.get("PhVphC"),
            frequency_hz=values.get("Hz"),
            energy_wh=values.get("WH"),
        )

    def _read_status(self) -> InverterStatus:
        device = self._map()
        if STATUS not in device.models:
            return InverterStatus()
        values = device.read(STATUS)
        return InverterStatus(
            connected=values.bit("PVConn", "CONNECTED"),
            available=values.bit("PVConn", "AVAILABLE"),
            operating=values.bit("PVConn", "OPERATING"),
            available_w=values.get("WAval"),
        )

    def _read_control(self) -> ControlValues:
        values = self._seen = self._controls().read(CONTROLS)
        revert = values.get("WMaxLimPct_RvrtTms")
        return ControlValues(
            connected=values.require("Conn") != 0,
            limit_pct=values.require("WMaxLimPct"),
            enabled=values.require("WMaxLim_Ena") != 0,
            revert_s=None if revert is None else int(revert),
        )

    def _write_limit(self, limit_pct: float, revert_s: int) -> None:
        device = self._controls()
        values = self._seen or device.read(
            CONTROLS
        )  # the last read-back: a tightening does not wait for another
        scale = _percent_scale(values)
        raw = math.floor(min(100.0, max(0.0, limit_pct)) * 10.0**-scale + 1e-6)
        device.write(
            CONTROLS,
            {
                "WMaxLimPct": raw,
                "WMaxLimPct_WinTms": 0 if values.raw("WMaxLimPct_WinTms") is not None else NOT_IMPLEMENTED,
                "WMaxLimPct_RvrtTms": revert_s
                if values.raw("WMaxLimPct_RvrtTms") is not None
                else NOT_IMPLEMENTED,
                "WMaxLimPct_RmpTms": 0 if values.raw("WMaxLimPct_RmpTms") is not None else NOT_IMPLEMENTED,
                "WMaxLim_Ena": 1,
            },
        )


def _rating(values: Values | None, name: str) -> float | None:
    """A rating's size (some makers sign the reactive one); raises BadValue where no inverter can be that large."""
    rating = values.get(name) if values else None
    if values is None or rating is None:
        return None
    if abs(rating) > LARGEST_RATING:
        raise BadValue(f"{values.where}: {name} is {rating}")
    return abs(rating)


def _percent_scale(values: Values) -> int:
    """The scale factor of WMaxLimPct; raises BadValue for one with which 100 % cannot be written."""
    scale = values.scale("WMaxLimPct")
    if scale not in PERCENT_SCALES:
        raise BadValue(f"{values.where}: the scale factor of WMaxLimPct is {scale}")
    return scale
