"""The official SunSpec model definitions as pysunspec2 ships them, one JSON file at a time, when asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from sunspec2.mb import point_type_info

STRING = "string"


@dataclass(frozen=True, slots=True)
class PointDefinition:
    """One point: `offset` and `size` in registers, from the model's ID; `scale` names its scale factor."""

    name: str
    type: str
    offset: int
    size: int
    scale: str | int | None
    symbols: tuple[tuple[str, int], ...]

    def decode(self, registers: tuple[int, ...]) -> int | float | str | None:
        """The raw value, or None where the device says "not implemented"."""
        data = b"".join(register.to_bytes(2, "big") for register in registers)
        if self.type == STRING:  # pysunspec2 raises UnicodeDecodeError where a maker writes another encoding
            return data.partition(b"\0")[0].decode("utf-8", "replace") or None
        info = point_type_info[self.type]
        value: int | float | str = info.data_to(data)
        if not info.is_impl(value) or value != value:  # NaN is "not implemented" for floats
            return None
        return value

    def encode(self, value: int) -> tuple[int, ...]:
        """The registers of a raw value; raises ValueError when it does not fit."""
        try:
            data: bytes = point_type_info[self.type].to_data(value)
        except Exception as error:
            raise ValueError(f"{self.name}: {value} does not fit {self.type}") from error
        return tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))


@dataclass(frozen=True, slots=True)
class ModelDefinition:
    """The fixed part of a model, with the groups that occur once; `length` in registers, ID and L included."""

    id: int
    points: dict[str, PointDefinition]
    length: int

    def length_for(self, names: Iterable[str]) -> int:
        """The registers from the ID to the last of these points and their scale factors."""
        points = [self.points[name] for name in names]
        points += [self.points[point.scale] for point in points if isinstance(point.scale, str)]
        return max(point.offset + point.size for point in points)


@cache
def model(model_id: int) -> ModelDefinition:
    """The official definition; raises KeyError for a model that SunSpec does not know."""
    points: dict[str, PointDefinition] = {}
    offset = 0
    for raw in _raw_points(group(model_id)):
        point = point_at(raw, offset)
        points[point.name] = point
        offset += point.size
    return ModelDefinition(model_id, points, offset)


def group(model_id: int) -> dict[str, Any]:
    """A model's outermost group as the official file has it; raises KeyError for an unknown model."""
    source = files("sunspec2").joinpath("models", "json", f"model_{model_id}.json")
    if not source.is_file():
        raise KeyError(f"SunSpec has no model {model_id}")
    found: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))["group"]
    return found


def _raw_points(group: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The points of a model and of its groups up to one that repeats; those as `PFWInj.PF` (704)."""
    yield from group["points"]
    for inner in group.get("groups", ()):
        if inner.get("count", 1) != 1:
            return
        for raw in _raw_points(inner):
            yield {**raw, "name": f"{inner['name']}.{raw['name']}"}


def point_at(raw: dict[str, Any], offset: int) -> PointDefinition:
    """A point of an official file, `offset` registers from the model's ID."""
    symbols = tuple((symbol["name"], symbol["value"]) for symbol in raw.get("symbols", ()))
    return PointDefinition(raw["name"], raw["type"], offset, raw["size"], raw.get("sf"), symbols)
