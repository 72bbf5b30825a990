"""A SunSpec register image: models one after the other from 40000, points set by their official names."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence

from dynexport.modbus.definitions import PointDefinition, model
from site_simulator.adapters.server import IllegalAddress

BASE = 40000
SUNS = (0x5375, 0x6E53)
END = (0xFFFF, 0)
SENTINELS = {
    "int16": 0x8000,
    "sunssf": 0x8000,
    "uint16": 0xFFFF,
    "enum16": 0xFFFF,
    "bitfield16": 0xFFFF,
    "pad": 0x8000,
}
WIDE_SENTINELS = {"int32": (0x8000, 0), "float32": (0x7FC0, 0), "acc32": (0, 0), "acc64": (0, 0, 0, 0)}


def unimplemented(point: PointDefinition) -> tuple[int, ...]:
    """What a device answers for a point that it has not."""
    if point.type in SENTINELS:
        return (SENTINELS[point.type],) * point.size
    if point.type == "string":
        return (0,) * point.size
    return WIDE_SENTINELS.get(point.type, (0xFFFF,) * point.size)


class Image:
    """The registers of one unit. `scales` gives each model's scale factors by name."""

    def __init__(self, models: Sequence[int], scales: Mapping[str, int]) -> None:
        self.registers: list[int] = list(SUNS)
        self._at: dict[int, int] = {}
        for model_id in models:
            self._at[model_id] = len(self.registers)
            definition = model(model_id)
            for point in definition.points.values():
                self.registers += unimplemented(point)
            self._put(model_id, "ID", (model_id,))
            self._put(model_id, "L", (definition.length - 2,))
            for name, factor in scales.items():
                if name in definition.points:
                    self._put(model_id, name, (factor & 0xFFFF,))
        self.registers += END

    @property
    def models(self) -> frozenset[int]:
        """The numbers of its models."""
        return frozenset(self._at)

    def set(self, model_id: int, name: str, value: float | str) -> None:
        """Set a point from a scaled value; out of range is clipped to what fits."""
        point = model(model_id).points[name]
        if isinstance(value, str):
            data = value.encode()[: point.size * 2].ljust(point.size * 2, b"\0")
            self._put(model_id, name, struct.unpack(f">{point.size}H", data))
        elif point.type == "float32":
            self._put(model_id, name, struct.unpack(">HH", struct.pack(">f", value)))
        else:
            self._put(model_id, name, self._integers(model_id, point, value))

    def get(self, model_id: int, name: str) -> int:
        """The raw value of a point, unsigned."""
        start = self.offset(model_id, name)
        value = 0
        for register in self.registers[start : start + model(model_id).points[name].size]:
            value = value << 16 | register
        return value

    def scaled(self, model_id: int, name: str) -> float:
        """The value of an unsigned point with its scale factor."""
        return self.get(model_id, name) * float(10.0 ** self._scale(model_id, name))

    def span(self, model_id: int) -> range:
        """The indices of a model's registers."""
        return range(self._at[model_id], self._at[model_id] + model(model_id).length)

    def offset(self, model_id: int, name: str) -> int:
        """The index of a point's first register."""
        return self._at[model_id] + model(model_id).points[name].offset

    def scale_names(self, model_id: int) -> list[str]:
        """The names of a model's scale factors."""
        return [point.name for point in model(model_id).points.values() if point.type == "sunssf"]

    def read(self, address: int, count: int) -> list[int]:
        """Registers by their Modbus address; raises IllegalAddress outside the map."""
        start = address - BASE
        if start < 0 or start + count > len(self.registers):
            raise IllegalAddress(address)
        return self.registers[start : start + count]

    def write(self, address: int, values: Sequence[int]) -> None:
        """Set registers by their Modbus address; raises IllegalAddress outside the map."""
        start = address - BASE
        if start < 0 or start + len(values) > len(self.registers):
            raise IllegalAddress(address)
        self.registers[start : start + len(values)] = values

    def _put(self, model_id: int, name: str, registers: Sequence[int]) -> None:
        start = self.offset(model_id, name)
        self.registers[start : start + len(registers)] = registers

    def _scale(self, model_id: int, name: str) -> int:
        factor = model(model_id).points[name].scale
        if not isinstance(factor, str):
            return 0
        scale: int = struct.unpack(">h", struct.pack(">H", self.get(model_id, factor)))[0]
        return scale

    def _integers(self, model_id: int, point: PointDefinition, value: float) -> tuple[int, ...]:
        raw = math.floor(value * 10.0 ** -self._scale(model_id, point.name) + 0.5)
        bits = 16 * point.size
        if point.type.startswith("int"):
            raw = max(-(1 << (bits - 1)) + 1, min((1 << (bits - 1)) - 1, raw)) & ((1 << bits) - 1)
        else:
            raw = max(0, min((1 << bits) - 2, raw))
        return tuple(raw >> shift & 0xFFFF for shift in range(bits - 16, -1, -16))
