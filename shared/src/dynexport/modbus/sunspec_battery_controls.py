"""How SunSpec batteries are commanded: through 704 `WSet`, else through 124; always with the device's own timer.

A device whose timer is not implemented is not commanded: what it was told would outlive us.
"""

from __future__ import annotations

from typing import Protocol

from dynexport.modbus.battery_values import FREE, Order
from dynexport.modbus.sunspec import BadValue, SunSpecDevice, Values

NAMEPLATE, STORAGE, DER = 120, 124, 704
CHARGE, DISCHARGE = 1, 2
WATTS, ENABLED = 1, 1
FULL_PCT = 100.0
PERCENT_SCALES = (-2, -1, 0)
VOID, VOID_32 = {"uint16": 0xFFFF, "int16": -0x8000, "enum16": 0xFFFF}, -0x80000000
RATES = ("OutWRte", "InWRte", "InOutWRte_WinTms", "InOutWRte_RvrtTms", "InOutWRte_RmpTms")
NEEDED_124 = ("StorCtl_Mod", "OutWRte", "InWRte", "InOutWRte_RvrtTms", "InOutWRte_SF")
NEEDED_704 = ("WSetEna", "WSetMod", "WSet", "WSet_SF", "WSetRvrtTms")
BLOCK_704 = (
    "WSetEna", "WSetMod", "WSet", "WSetRvrt", "WSetPct", "WSetPctRvrt", "WSetEnaRvrt", "WSetRvrtTms",
)  # fmt: skip


class BatteryControl(Protocol):
    """One way to command; every call but the properties may raise ModbusError."""

    @property
    def model_id(self) -> int: ...  # noqa: D102
    @property
    def bounds(self) -> bool: ...  # noqa: D102
    def read(self) -> Order: ...  # noqa: D102
    def write(self, order: Order, revert_s: int) -> None: ...  # noqa: D102
    def release(self) -> None: ...  # noqa: D102


def choose(device: SunSpecDevice) -> tuple[BatteryControl | None, str]:
    """704 where it has all that is needed, else 124; else None and why, in words."""
    lacks: list[str] = []
    for model_id, needed, made in ((DER, NEEDED_704, SetControl), (STORAGE, NEEDED_124, StorageControl)):
        if model_id not in device.models:
            continue
        values = device.read(model_id)
        missing = [name for name in needed if values.raw(name) is None]
        if not missing:
            control: BatteryControl = made(device, values)
            return control, ""
        lacks.append(f"{model_id} has no {', '.join(missing)}")
    return None, "; ".join(lacks) or "it has neither 704 nor 124"


class StorageControl:
    """Model 124: a window of rates, in percent of what it can take and give; both ends on one value are a rate.

    `ChaGriSet` is left as it is: no timer would put it back. With `PV` there a battery charges from the sun only.
    """

    model_id = STORAGE
    bounds = True

    def __init__(self, device: SunSpecDevice, values: Values) -> None:
        self._device = device
        self._seen = values
        self._charge_w = _positive(values, "WChaMax")
        self._discharge_w = max(self._charge_w, _nameplate_w(device) or 0.0)
        _percent(values)

    def read(self) -> Order:
        """StorCtl_Mod and the two rates."""
        values = self._seen = self._device.read(STORAGE)
        _percent(values)
        mode = values.integer("StorCtl_Mod") or 0
        give_w = values.require("OutWRte") / FULL_PCT * self._discharge_w if mode & DISCHARGE else None
        take_w = values.require("InWRte") / FULL_PCT * self._charge_w if mode & CHARGE else None
        if take_w is not None and give_w is not None and min(take_w, give_w) < 0.0:
            return Order(target_w=give_w if give_w > 0.0 else -take_w)
        return Order(None, take_w, give_w)

    def write(self, order: Order, revert_s: int) -> None:
        """The rates and their timer in one write, then which of them count."""
        take_w, give_w = order.window_w
        if (mode := CHARGE * (take_w is not None) | DISCHARGE * (give_w is not None)) == 0:
            self.release()
            return
        self._rates(self._raw(give_w, self._discharge_w), self._raw(take_w, self._charge_w), revert_s)
        self._device.write(STORAGE, {"StorCtl_Mod": mode})

    def release(self) -> None:
        """No rate counts, none is left standing, the timer is stopped."""
        self._device.write(STORAGE, {"StorCtl_Mod": 0})
        self._rates(self._raw(None, self._discharge_w), self._raw(None, self._charge_w), 0)

    def _rates(self, give: int, take: int, revert_s: int) -> None:
        wanted = dict(zip(RATES, (give, take, 0, revert_s, 0), strict=True))
        self._device.write(STORAGE, {name: self._or_void(name, value) for name, value in wanted.items()})

    def _or_void(self, name: str, value: int) -> int:
        kind = self._seen.definition.points[name].type
        return value if self._seen.raw(name) is not None else VOID[kind]

    def _raw(self, power_w: float | None, whole_w: float) -> int:
        """The register of a rate, rounded towards 0."""
        percent = FULL_PCT if power_w is None else FULL_PCT * power_w / whole_w
        return int(
            max(-FULL_PCT, min(FULL_PCT, percent)) / _percent(self._seen) + (1e-6 if percent > 0 else -1e-6)
        )


class SetControl:
    """Model 704 `WSet`: a rate in watts, + discharge. It knows no bounds: it is told a rate, or nothing."""

    model_id = DER
    bounds = False

    def __init__(self, device: SunSpecDevice, values: Values) -> None:
        self._device = device
        self._seen = values
        self._scale = 10.0 ** values.scale("WSet")

    def read(self) -> Order:
        """WSetEna and WSet; one in percent is somebody else's, and read as a rate of 0."""
        values = self._seen = self._device.read(DER)
        self._scale = 10.0 ** values.scale("WSet")
        if values.integer("WSetEna") != ENABLED:
            return FREE
        return Order(target_w=values.require("WSet") if values.integer("WSetMod") == WATTS else 0.0)

    def write(self, order: Order, revert_s: int) -> None:
        """One write of the whole block; when its timer runs out `WSet` is not enabled any more."""
        if order.target_w is None:
            self.release()
        else:
            self._write(ENABLED, int(order.target_w / self._scale), revert_s)

    def release(self) -> None:
        """Not enabled, the timer stopped."""
        self._write(0, 0, 0)

    def _write(self, enabled: int, raw: int, revert_s: int) -> None:
        values = dict(zip(BLOCK_704, (enabled, WATTS, raw, 0, 0, 0, 0, revert_s), strict=True))
        for name in BLOCK_704:
            kind = self._seen.definition.points[name].type
            if self._seen.raw(name) is None:
                values[name] = VOID_32 if kind == "int32" else VOID[kind]
        self._device.write(DER, values)


def _percent(values: Values) -> float:
    """The step of the two rates; raises BadValue for a scale factor with which 100 % cannot be written."""
    if (scale := values.scale("InWRte")) not in PERCENT_SCALES:
        raise BadValue(f"{values.where}: the scale factor of InWRte is {scale}")
    return float(10.0**scale)


def _positive(values: Values, name: str) -> float:
    if (found := values.require(name)) <= 0.0:
        raise BadValue(f"{values.where}: {name} is {found:g}")
    return found


def _nameplate_w(device: SunSpecDevice) -> float | None:
    """120 MaxDisChaRte: 124 has no point of its own for what `OutWRte` is a percentage of.

    Of two candidates the larger one makes the smaller percentage, so that a bound is never above what was told.
    """
    return device.read(NAMEPLATE).get("MaxDisChaRte") if NAMEPLATE in device.models else None
