"""A meter by its description."""

from __future__ import annotations

from dynexport.modbus.endpoint import Endpoint
from dynexport.modbus.registers.model import Description
from dynexport.modbus.registers.reader import Reader
from dynexport.modbus.sunspec import BadValue
from dynexport.modbus.sunspec_meter import MeterValues


class RegisterMeter:
    """A meter behind an endpoint; `invert` turns the sign, for one that was wired the wrong way round."""

    def __init__(
        self, endpoint: Endpoint, unit: int, description: Description, *, invert: bool = False
    ) -> None:
        self._reader = Reader(endpoint, unit, description)
        self._sign = -1.0 if invert else 1.0

    def read(self) -> MeterValues:
        """One reading; raises ModbusError, BadValue without a power."""
        reader, read = self._reader, self._reader.description.read
        snapshot = reader.poll()
        power_w = reader.quantity(read.power_w, snapshot)
        if power_w is None:
            raise BadValue(f"{reader.where}: it has no power to tell")
        imported, exported = (
            reader.quantity(read.import_wh, snapshot),
            reader.quantity(read.export_wh, snapshot),
        )
        if self._sign < 0:
            imported, exported = exported, imported
        return MeterValues(
            power_w=power_w * self._sign,
            power_a_w=self._signed(reader.quantity(read.power_a_w, snapshot)),
            power_b_w=self._signed(reader.quantity(read.power_b_w, snapshot)),
            power_c_w=self._signed(reader.quantity(read.power_c_w, snapshot)),
            reactive_var=self._signed(reader.quantity(read.reactive_var, snapshot)),
            voltage_a_v=reader.quantity(read.voltage_a_v, snapshot),
            voltage_b_v=reader.quantity(read.voltage_b_v, snapshot),
            voltage_c_v=reader.quantity(read.voltage_c_v, snapshot),
            frequency_hz=reader.quantity(read.frequency_hz, snapshot),
            import_wh=imported,
            export_wh=exported,
        )

    def _signed(self, value: float | None) -> float | None:
        return None if value is None else value * self._sign
