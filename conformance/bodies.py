"""What the client put and posted, as the judge reads it: numbers with their multiplier applied."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict
from dataclasses import dataclass

from utility_simulator.tree import Utility

SITE_ROLE, DER_ROLE = 0x0003, 0x0049
WATTS, VARS, VOLTS, WATT_HOURS = 38, 63, 29, 72


def flat(body: bytes) -> dict[str, ET.Element]:
    """A document's children by their local name."""
    return {_local(child): child for child in ET.fromstring(body)}


def text(element: ET.Element, name: str) -> str | None:
    """The text of the first descendant of that local name."""
    return next((found.text for found in element.iter() if _local(found) == name), None)


def number(element: ET.Element) -> float:
    """A quantity (value or displacement, multiplier), or a plain number."""
    inside = {_local(child): child.text or "0" for child in element}
    base = inside.get("value") or inside.get("displacement") or element.text or "nan"
    return float(base) * 10.0 ** int(inside.get("multiplier", "0"))


def bits(element: ET.Element) -> int:
    """HexBinary."""
    inside = text(element, "value")
    return int(inside or element.text or "0", 16)


@dataclass(frozen=True, slots=True)
class Kind:
    """One reading type that the client mirrors."""

    role: int
    uom: int
    multiplier: int


def readings(utility: Utility) -> dict[Kind, list[float]]:
    """Every value that was posted, by its kind and in order; the kinds without any are there, too."""
    kinds: dict[str, Kind] = {}
    for body in utility.bodies("mup"):
        point = ET.fromstring(body)
        role = int(text(point, "roleFlags") or "0", 16)
        for child in point:
            if _local(child) == "MirrorMeterReading":
                uom, multiplier = text(child, "uom"), text(child, "powerOfTenMultiplier")
                kinds[text(child, "mRID") or ""] = Kind(role, int(uom or 0), int(multiplier or 0))
    found: dict[Kind, list[float]] = defaultdict(list)
    for kind in kinds.values():
        found[kind] = []
    for body in utility.bodies("mirror"):
        root = ET.fromstring(body)
        each = [root] if _local(root) == "MirrorMeterReading" else list(root)
        for one in each:
            kind = kinds[text(one, "mRID") or ""]
            found[kind].append(int(text(one, "value") or "nan") * 10.0**kind.multiplier)
    return found


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
