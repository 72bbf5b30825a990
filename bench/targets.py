"""What control.md asks of each figure: floor, must, goal, and the predecessor's median."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """Less is better in every figure; `floor` and `predecessor` are None where the table has none."""

    scenario: str
    metric: str
    unit: str
    floor: float | None
    must: float
    goal: float
    predecessor: float | None


TARGETS = (
    Target("load step", "compliant_s", "s", 5.0, 6.5, 5.6, 9.85),
    Target("load step", "over_kws", "kW.s", 4.5, 8.0, 6.0, 20.6),
    Target("load step, meter once a second", "compliant_s", "s", 5.0, 7.5, 6.5, 8.1),
    Target("limit to 0", "first_write_s", "s", 0.0, 0.3, 0.05, 4.54),
    Target("limit to 0", "compliant_s", "s", 4.6, 6.0, 5.0, 8.1),
    Target("load back", "unused_kws", "kW.s", 4.5, 20.0, 12.0, 20.4),
    Target("five inverters, load step", "settled_s", "s", 4.5, 7.0, 5.6, 21.0),
    Target("twenty inverters, load step", "settled_s", "s", 4.5, 8.0, 6.0, 35.0),
    Target("steady, 5 % off scale", "over_w", "W", 0.0, 0.0, 0.0, 275.0),
    Target("steady, 5 % off scale", "wasted_w", "W", 0.0, 60.0, 25.0, None),
    Target("cold start", "first_write_s", "s", None, 2.5, 1.5, 2.6),
    Target("resources", "memory_mib", "MiB", None, 220.0, 150.0, 319.0),
    Target("resources", "processor_pct", "% of a core", None, 6.0, 3.0, 1.8),
)
