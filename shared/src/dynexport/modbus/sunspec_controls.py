"""How SunSpec inverters are limited: through 704, which reverts to a value that we choose, else through 123."""

from __future__ import annotations

import math
from typing import Protocol

from dynexport.modbus.inverter_values import ControlValues
from dynexport.modbus.sunspec import BadValue, SunSpecDevice, Values

IMMEDIATE, SERVICE, DER = 123, 703, 704
PERCENT_SCALES = (-2, -1, 0, 1, 2)  # the others cannot say 100 % in the 16 bit of WMaxLimPct
NOT_IMPLEMENTED, NOT_IMPLEMENTED_32 = 0xFFFF, 0xFFFFFFFF
MOST_PCT = 200.0
ENABLED_BY = ("WMaxLim_Ena", "WMaxLimPctEna")
LIMIT_704 = ("WMaxLimPctEna", "WMaxLimPct")
REVERT_704 = ("WMaxLimPctRvrt", "WMaxLimPctEnaRvrt", "WMaxLimPctRvrtTms")


class Control(Protocol):
    """One way to limit; every call but the properties may raise ModbusError. Percents are of `max_w`."""

    @property
    def model_id(self) -> int: ...  # noqa: D102
    @property
    def resolution_pct(self) -> float: ...  # noqa: D102
    @property
    def chooses_revert(self) -> bool: ...  # noqa: D102
    @property
    def can_disconnect(self) -> bool: ...  # noqa: D102
    def read(self) -> ControlValues: ...  # noqa: D102
    def write_limit(self, limit_pct: float, revert_s: int, revert_pct: float) -> None: ...  # noqa: D102
    def write_connect(self, connect: bool) -> None: ...  # noqa: D102
    def release(self) -> None: ...  # noqa: D102


def choose(device: SunSpecDevice) -> Control | None:
    """704 where it can limit, else 123, else None; raises BadValue for a scale factor that cannot say 100 %.

    704 goes first: when nobody refreshes it, it goes to a limit that we chose, while the timer of 123 only releases.
    """
    if DER in device.models:
        values = device.read(DER)
        if all(values.raw(name) is not None for name in (*LIMIT_704, "WMaxLimPct_SF")):
            return DerControl(device, values, _switch(device))
    if IMMEDIATE in device.models:
        return ImmediateControl(device, device.read(IMMEDIATE))
    return None


class ImmediateControl:
    """Model 123. Its timer has no revert value: `revert_pct` goes unused."""

    model_id = IMMEDIATE
    chooses_revert = False
    can_disconnect = True  # Conn is mandatory

    def __init__(self, device: SunSpecDevice, values: Values) -> None:
        self._device = device
        self._seen = values
        self.resolution_pct = float(10.0 ** _percent_scale(values))

    def read(self) -> ControlValues:
        """Conn, WMaxLimPct, WMaxLim_Ena and the timer."""
        values = self._seen = self._device.read(IMMEDIATE)
        _percent_scale(values)
        revert = values.get("WMaxLimPct_RvrtTms")
        return ControlValues(
            connected=values.require("Conn") != 0,
            limit_pct=values.require("WMaxLimPct"),
            enabled=values.require("WMaxLim_Ena") != 0,
            revert_s=None if revert is None else int(revert),
        )

    def write_limit(self, limit_pct: float, revert_s: int, revert_pct: float) -> None:
        """One write of WMaxLimPct to WMaxLim_Ena; the last read-back tells what is implemented.

        Window and ramp are 0, `WMaxLimPct_RvrtTms` is written explicitly: a predecessor's may still stand there.
        """
        values = self._seen  # a tightening does not wait for another read
        wanted = {"WMaxLimPct_WinTms": 0, "WMaxLimPct_RvrtTms": revert_s, "WMaxLimPct_RmpTms": 0}
        times = {
            name: NOT_IMPLEMENTED if values.raw(name) is None else seconds for name, seconds in wanted.items()
        }
        raw = _raw_percent(values, limit_pct)
        self._device.write(IMMEDIATE, {"WMaxLimPct": raw, **times, "WMaxLim_Ena": 1})

    def write_connect(self, connect: bool) -> None:
        """Conn."""
        self._device.write(IMMEDIATE, {"Conn": int(connect)})

    def release(self) -> None:
        """WMaxLim_Ena 0."""
        self._device.write(IMMEDIATE, {"WMaxLim_Ena": 0})


class DerControl:
    """Model 704; `switch` is where it is disconnected: 703 ES, else 123 Conn, else nowhere."""

    model_id = DER

    def __init__(self, device: SunSpecDevice, values: Values, switch: tuple[int, str] | None) -> None:
        self._device = device
        self._seen = values
        self._switch = switch
        self._look_at_switch, self._held_open = switch is not None, False
        self.resolution_pct = float(10.0 ** _percent_scale(values))
        self.chooses_revert = all(values.raw(name) is not None for name in REVERT_704)
        self.can_disconnect = switch is not None

    def read(self) -> ControlValues:
        """WMaxLimPct, WMaxLimPctEna, the timer, and the switch."""
        values = self._seen = self._device.read(DER)
        _percent_scale(values)
        return ControlValues(
            connected=self._connected(),
            limit_pct=values.require("WMaxLimPct"),
            enabled=values.require("WMaxLimPctEna") != 0,
            revert_s=values.integer("WMaxLimPctRvrtTms"),
        )

    def write_limit(self, limit_pct: float, revert_s: int, revert_pct: float) -> None:
        """One write of the whole block, so that limit, revert value and timer count together.

        A device that has not all of REVERT_704 gets its timer, if it has one, stopped: whereto it leads is unknown.
        """
        values = self._seen
        chosen = self.chooses_revert and revert_s > 0
        self._write(
            {
                "WMaxLimPctEna": 1,
                "WMaxLimPct": _raw_percent(values, limit_pct),
                "WMaxLimPctRvrt": _raw_percent(values, revert_pct if chosen else limit_pct),
                "WMaxLimPctEnaRvrt": 1,
                "WMaxLimPctRvrtTms": revert_s if chosen else 0,
            }
        )

    def write_connect(self, connect: bool) -> None:
        """703 ES or 123 Conn; raises BadValue where the device has neither."""
        if self._switch is None:
            raise BadValue(f"{self._device.endpoint.address} unit {self._device.unit}: it has no switch")
        model_id, point = self._switch
        self._device.write(model_id, {point: int(connect)})
        self._look_at_switch = self._held_open = not connect

    def release(self) -> None:
        """Disabled, also after the timer, which is stopped."""
        full = _raw_percent(self._seen, 100.0)
        self._write(
            {
                "WMaxLimPctEna": 0,
                "WMaxLimPct": full,
                "WMaxLimPctRvrt": full,
                "WMaxLimPctEnaRvrt": 0,
                "WMaxLimPctRvrtTms": 0,
            }
        )

    def _connected(self) -> bool | None:
        """Another request, so only at first and while it is disconnected, where somebody may connect it; else None."""
        if self._switch is None or not self._look_at_switch:
            return None
        model_id, point = self._switch
        connected = self._device.read(model_id, point).require(point) != 0
        self._look_at_switch = not connected or self._held_open
        return connected

    def _write(self, values: dict[str, int]) -> None:
        """As far as the device implements the block; a point before its end that it has not stays "not implemented"."""
        has = [name for name in values if self._seen.raw(name) is not None]
        block = list(values)[: list(values).index(has[-1]) + 1]
        void = {name: _void(name) for name in block if name not in has}
        self._device.write(DER, {name: values[name] for name in block} | void)


def _void(name: str) -> int:
    return NOT_IMPLEMENTED_32 if name == "WMaxLimPctRvrtTms" else NOT_IMPLEMENTED


def _switch(device: SunSpecDevice) -> tuple[int, str] | None:
    """703 ES permits service, and ends it (IEEE 1547 "permit service"); an older model beside it has Conn."""
    if SERVICE in device.models and device.read(SERVICE).raw("ES") is not None:
        return SERVICE, "ES"
    return (IMMEDIATE, "Conn") if IMMEDIATE in device.models else None


def _raw_percent(values: Values, percent: float) -> int:
    """The register of a percentage, rounded down."""
    return math.floor(min(100.0, max(0.0, percent)) * 10.0 ** -_percent_scale(values) + 1e-6)


def _percent_scale(values: Values) -> int:
    """The scale factor of WMaxLimPct; raises BadValue for one with which 100 % cannot be written.

    Also for one by which an enabled limit is far above 100 %: a factor that reads as 0 instead of -2 makes 64 % to
    6400 %, and our answer to that would be 0.64 %.
    """
    scale = values.scale("WMaxLimPct")
    if scale not in PERCENT_SCALES:
        raise BadValue(f"{values.where}: the scale factor of WMaxLimPct is {scale}")
    enabled = next(name for name in ENABLED_BY if name in values.definition.points)
    percent = values.get("WMaxLimPct")
    if percent is not None and percent > MOST_PCT and values.raw(enabled) == 1:
        raise BadValue(f"{values.where}: WMaxLimPct is {percent:g} % by the scale factor {scale}")
    return scale
