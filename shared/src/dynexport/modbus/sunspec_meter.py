"""SunSpec meters: models 201-204 (integer) and 211-214 (float)."""

from __future__ import annotations

from dataclasses import dataclass

from dynexport.modbus.endpoint import Endpoint, ModbusError
from dynexport.modbus.sunspec import NotSunSpec, SunSpecDevice, Values, discover, may_have_moved

MODELS = (203, 213, 204, 214, 202, 212, 201, 211)
POINTS = ("W", "WphA", "WphB", "WphC", "VAR", "PhVphA", "PhVphB", "PhVphC", "Hz", "TotWhImp", "TotWhExp")


@dataclass(frozen=True, slots=True)
class MeterValues:
    """One reading, watts + import; None is not implemented."""

    power_w: float
    power_a_w: float | None
    power_b_w: float | None
    power_c_w: float | None
    reactive_var: float | None
    voltage_a_v: float | None
    voltage_b_v: float | None
    voltage_c_v: float | None
    frequency_hz: float | None
    import_wh: float | None
    export_wh: float | None


class SunSpecMeter:
    """A meter behind an endpoint; `invert` turns the sign for one that reports export as positive."""

    def __init__(self, endpoint: Endpoint, unit: int, *, invert: bool = False) -> None:
        self._endpoint = endpoint
        self._unit = unit
        self._sign = -1.0 if invert else 1.0
        self._device: SunSpecDevice | None = None

    def read(self) -> MeterValues:
        """One reading; raises ModbusError. An odd answer makes it look for the map anew at the next read."""
        try:
            device = self._device = self._device or discover(self._endpoint, self._unit)
            model_id = device.first_of(*MODELS)
            if model_id is None:
                found = ", ".join(str(number) for number in device.models)
                raise NotSunSpec(
                    f"{self._endpoint.address} unit {self._unit}: no meter among the models {found}"
                )
            # a whole float model has 126 registers, which would be two requests
            return self._values(device.read(model_id, *POINTS))
        except ModbusError as error:
            if may_have_moved(error):
                self._device = None
            raise

    def _values(self, values: Values) -> MeterValues:
        imported, exported = values.get("TotWhImp"), values.get("TotWhExp")
        if self._sign < 0:
            imported, exported = exported, imported
        return MeterValues(
            power_w=values.require("W") * self._sign,
            power_a_w=self._signed(values.get("WphA")),
            power_b_w=self._signed(values.get("WphB")),
            power_c_w=self._signed(values.get("WphC")),
            reactive_var=self._signed(values.get("VAR")),
            voltage_a_v=values.get("PhVphA"),
            voltage_b_v=values.get("PhVphB"),
            voltage_c_v=values.get("PhVphC"),
            frequency_hz=values.get("Hz"),
            import_wh=imported,
            export_wh=exported,
        )

    def _signed(self, value: float | None) -> float | None:
        return None if value is None else value * self._sign
