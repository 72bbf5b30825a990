"""A SunSpec device: found at any of the three base addresses, read and written by the official definitions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dynexport.modbus.definitions import ModelDefinition, PointDefinition, model
from dynexport.modbus.endpoint import BadAnswer, Endpoint, ModbusError, Refused

BASES = (40000, 50000, 0)
SUNS = (0x5375, 0x6E53)
END = 0xFFFF
MOST_MODELS = 100
LARGEST_SCALE = 10
ALL_ONES = 0xFFFF
ILLEGAL_ADDRESS = 2


class NotSunSpec(ModbusError):
    """No SunSpec map was found where one may be."""


class BadValue(ModbusError):
    """A point that is needed is not implemented or makes no sense."""


def may_have_moved(error: ModbusError) -> bool:
    """Whether the map must be looked for again: a firmware update moves it, also to where nothing stands now."""
    if isinstance(error, Refused):
        return error.code == ILLEGAL_ADDRESS
    return isinstance(error, BadAnswer | BadValue | NotSunSpec)


@dataclass(frozen=True, slots=True)
class Block:
    """Where a model stands: `length` in registers, ID and L included."""

    id: int
    address: int
    length: int


@dataclass(frozen=True, slots=True)
class Values:
    """The registers of one model as they were read, decoded point by point."""

    where: str
    definition: ModelDefinition
    registers: tuple[int, ...]

    def raw(self, name: str) -> int | float | str | None:
        """A point without its scale factor; None when not implemented or beyond the device's own length."""
        point = self.definition.points[name]
        registers = self.registers[point.offset : point.offset + point.size]
        return point.decode(registers) if len(registers) == point.size else None

    def get(self, name: str) -> float | None:
        """A scaled number that may be missing: None also for nonsense, which costs this point only."""
        try:
            return self.checked(name)
        except BadValue:
            return None

    def checked(self, name: str) -> float | None:
        """A scaled number; None when it or its scale factor is not implemented; raises BadValue for nonsense."""
        value = self.raw(name)
        factor = self.definition.points[name].scale
        if value is None or isinstance(value, str) or (isinstance(factor, str) and self.raw(factor) is None):
            return None
        scaled = float(value) * 10.0 ** self._scale(self.definition.points[name])
        if not math.isfinite(scaled):
            raise BadValue(f"{self.where}: {name} is {value}")
        return scaled

    def require(self, name: str) -> float:
        """A scaled number that must be there; raises BadValue."""
        value = self.checked(name)
        if value is None:
            raise BadValue(f"{self.where}: {name} is not implemented")
        return value

    def text(self, name: str) -> str | None:
        """A string, None when empty."""
        value = self.raw(name)
        return value.strip("\x00 ") or None if isinstance(value, str) else None

    def integer(self, name: str) -> int | None:
        """An unscaled integer: enums and bit fields."""
        value = self.raw(name)
        return value if isinstance(value, int) else None

    def bit(self, name: str, symbol: str) -> bool | None:
        """One bit of a bit field by its official name."""
        value = self.integer(name)
        number = dict(self.definition.points[name].symbols)[symbol]
        return None if value is None else bool(value >> number & 1)

    def scale(self, name: str) -> int:
        """The scale factor of a point; raises BadValue when it makes no sense."""
        return self._scale(self.definition.points[name])

    def _scale(self, point: PointDefinition) -> int:
        if point.scale is None:
            return 0
        factor = point.scale if isinstance(point.scale, int) else self.raw(point.scale)
        if not isinstance(factor, int) or not -LARGEST_SCALE <= factor <= LARGEST_SCALE:
            raise BadValue(f"{self.where}: the scale factor of {point.name} is {factor}")
        return factor


class SunSpecDevice:
    """The models of one unit, and where they stand."""

    def __init__(self, endpoint: Endpoint, unit: int, models: Mapping[int, Block]) -> None:
        self.endpoint = endpoint
        self.unit = unit
        self.models = models

    def first_of(self, *model_ids: int) -> int | None:
        """The first of these models that the device has."""
        return next((model_id for model_id in model_ids if model_id in self.models), None)

    def read(self, model_id: int, *points: str) -> Values:
        """Read a model's fixed part from its header on, as far as `points` and their scale factors need, if given.

        What lies beyond reads as not implemented; raises BadValue when another model stands there now.
        """
        block, definition = self.models[model_id], model(model_id)
        count = min(block.length, definition.length_for(points) if points else definition.length)
        registers = self.endpoint.read_holding(self.unit, block.address, count)
        where = f"{self.endpoint.address} unit {self.unit} model {model_id}"
        if registers[0] != model_id or registers[1] + 2 != block.length:
            raise BadValue(f"{where}: another model ({registers[0]}, length {registers[1]}) stands there now")
        if all(
            register == ALL_ONES for register in registers[2:]
        ):  # as int16 with scale -1 it would be -0.1 W
            raise BadValue(f"{where}: every register is 0xFFFF")
        return Values(where, definition, registers)

    def write(self, model_id: int, values: Mapping[str, int]) -> None:
        """Write raw values to consecutive points in one request; raises ValueError when they are not."""
        definition = model(model_id)
        points = sorted((definition.points[name] for name in values), key=lambda point: point.offset)
        registers: list[int] = []
        for point in points:
            if point.offset != points[0].offset + len(registers):
                raise ValueError(f"model {model_id}: {point.name} does not follow the point before it")
            registers += point.encode(values[point.name])
        self.endpoint.write_registers(self.unit, self.models[model_id].address + points[0].offset, registers)


def discover(endpoint: Endpoint, unit: int) -> SunSpecDevice:
    """Find the SunSpec map of a unit; raises NotSunSpec, or Unreachable when it does not answer at all."""
    models: dict[int, Block] = {}
    for block in chain(endpoint, unit, find_base(endpoint, unit)):
        models.setdefault(block.id, block)
    return SunSpecDevice(endpoint, unit, models)


def find_base(endpoint: Endpoint, unit: int) -> int:
    """Where the map's marker stands; raises as `discover`."""
    seen: list[str] = []
    for base in BASES:
        try:
            marker = endpoint.read_holding(unit, base, 2)
        except Refused as error:
            seen.append(f"{base}: exception {error.code}")
            continue
        if marker == SUNS:
            return base
        seen.append(f"{base}: {marker[0]:04x} {marker[1]:04x}")
    raise NotSunSpec(f"{endpoint.address} unit {unit}: no SunSpec map ({', '.join(seen)})")


def chain(endpoint: Endpoint, unit: int, base: int) -> Iterator[Block]:
    """Every model after the marker, in its order, also those that occur again; raises ModbusError."""
    address = base + len(SUNS)
    for _ in range(MOST_MODELS):
        (model_id,) = endpoint.read_holding(unit, address, 1)
        if model_id == END:  # some devices give no length here: it is not asked for
            return
        (length,) = endpoint.read_holding(unit, address + 1, 1)
        yield Block(model_id, address, length + 2)
        address += length + 2
    raise NotSunSpec(f"{endpoint.address} unit {unit}: no end after {MOST_MODELS} models")
