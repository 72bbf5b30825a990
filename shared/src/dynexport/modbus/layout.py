"""Every point of a model as one device has it, with the groups that repeat: for showing a device whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dynexport.modbus.definitions import PointDefinition, group, point_at
from dynexport.modbus.sunspec import LARGEST_SCALE

MOST_REPEATS = 200


def points(model_id: int, registers: tuple[int, ...]) -> list[PointDefinition]:
    """The points that fit into a model's registers (ID and L first), named `Crv2.Pt1.V`; [] for an unknown model."""
    try:
        outer = group(model_id)
    except KeyError:
        return []
    return list(_of_group(outer, "", 0, registers, {}))


def _of_group(
    raw: Mapping[str, Any], prefix: str, offset: int, registers: tuple[int, ...], counts: dict[str, int]
) -> Iterator[PointDefinition]:
    """The points of a group from `offset` on; `counts` collects what says how often its inner groups occur."""
    for one in raw["points"]:
        point = point_at({**one, "name": prefix + one["name"]}, offset)
        if point.offset + point.size > len(registers):
            return
        value = point.decode(registers[point.offset : point.offset + point.size])
        if isinstance(value, int):
            counts[one["name"]] = value
        yield point
        offset += point.size
    for inner in raw.get("groups", ()):
        for number in range(1, _times(inner, counts) + 1):
            if offset >= len(registers):
                return
            label = inner["name"] if inner.get("count", 1) == 1 else f"{inner['name']}{number}"
            for point in _of_group(inner, f"{prefix}{label}.", offset, registers, dict(counts)):
                yield point
                offset = point.offset + point.size


def _times(inner: Mapping[str, Any], counts: Mapping[str, int]) -> int:
    """How often an inner group occurs: 0 in the official files is "until the model ends"."""
    count = inner.get("count", 1)
    if isinstance(count, str):
        return min(counts.get(count, 0), MOST_REPEATS)
    return count or MOST_REPEATS


def scaled(
    point: PointDefinition, everything: Mapping[str, PointDefinition], registers: tuple[int, ...]
) -> int | float | str | None:
    """A point's value with its scale factor; None when it, or a factor that makes sense, is not implemented."""
    value = _raw(point, registers)
    if point.scale is None or value is None or isinstance(value, str):
        return value
    factor: object = point.scale
    if isinstance(factor, str):
        found = _nearest(factor, point.name, everything)
        factor = None if found is None else _raw(found, registers)
    if not isinstance(factor, int) or abs(factor) > LARGEST_SCALE:
        return None
    return round(float(value) * 10.0**factor, LARGEST_SCALE)


def _nearest(name: str, asking: str, everything: Mapping[str, PointDefinition]) -> PointDefinition | None:
    """A scale factor stands in the point's own group, or in one around it."""
    prefix = asking.rpartition(".")[0]
    while prefix:
        if found := everything.get(f"{prefix}.{name}"):
            return found
        prefix = prefix.rpartition(".")[0]
    return everything.get(name)


def _raw(point: PointDefinition, registers: tuple[int, ...]) -> int | float | str | None:
    return point.decode(registers[point.offset : point.offset + point.size])
