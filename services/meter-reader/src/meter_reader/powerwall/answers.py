"""What a Powerwall gateway's documents say, in the contract's words and signs. Pure.

Sources: the answers of gateways with firmware 20.49 to 23 as others recorded them; the site's power is + import, the
battery's + discharge.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from dynexport.mapping import Odd, Sample, moment, number

FIRST_YEAR = 2000  # year 1 is the gateway's word for "never"
PHASES_WITH_IT_S = 4.0
PHASE_POWERS = {"power_a_w": "real_power_a", "power_b_w": "real_power_b", "power_c_w": "real_power_c"}
VOLTAGES = {"voltage_a_v": "v_l1n", "voltage_b_v": "v_l2n", "voltage_c_v": "v_l3n"}
SUMS = {
    "power_w": "instant_power",
    "reactive_var": "instant_reactive_power",
    "import_wh": "energy_imported",
    "export_wh": "energy_exported",
}
ON_GRID = ("SystemGridConnected",)
ON_ITS_OWN = (
    "SystemIslandedActive",
    "SystemIslandedReady",
    "SystemTransitionToGrid",  # the grid is back, and the site is not on it yet
    "SystemMicroGridFaulted",
    "SystemWaitForUser",
)


def site_of_meters(document: Any) -> Sample:
    """`/api/meters/site`: every meter at the grid connection with its phases, added up; raises Odd."""
    listed = document if isinstance(document, list) else []
    cached = [each.get("Cached_readings") for each in listed if isinstance(each, dict)]
    found = [each for each in cached if isinstance(each, dict)]
    if not found or len(found) != len(listed):
        raise Odd("`/api/meters/site` lists no meter with `Cached_readings`")
    samples = [_meter(each) for each in found]
    if len(samples) == 1:
        return samples[0]
    shared = [name for name in (*SUMS, *PHASE_POWERS) if all(name in sample.values for sample in samples)]
    values = {name: sum(sample.values[name] for sample in samples) for name in shared}
    return Sample(values, min(_time(each) for each in found))


def site_of_aggregates(document: Any) -> Sample:
    """`/api/meters/aggregates`: the site without its phases; raises Odd."""
    return _meter(_part(document, "site"))


def battery(aggregates: Any, charge_pct: float | None) -> Sample:
    """The battery of `/api/meters/aggregates` with its state of charge; raises Odd."""
    part = _part(aggregates, "battery")
    values = {"power_w": _needed(part, "instant_power")}
    if charge_pct is not None:
        values["soc_pct"] = charge_pct
    return Sample(values, _time(part))


def charge_pct(document: Any) -> float:
    """`/api/system_status/soe`: percent of what the battery holds; raises Odd."""
    return min(100.0, max(0.0, _needed(document, "percentage")))


def islanded(document: Any) -> bool | None:
    """`/api/system_status/grid_status`: cut off from the grid or not, None on the way off it; raises Odd."""
    word = document.get("grid_status") if isinstance(document, dict) else None
    if not isinstance(word, str):
        raise Odd("`grid_status` is missing")
    return False if word in ON_GRID else True if word in ON_ITS_OWN else None


def token(document: Any) -> str:
    """The token of a login; raises Odd, without a word of what it holds."""
    found = document.get("token") if isinstance(document, dict) else None
    if not isinstance(found, str) or not found or not found.isascii() or not found.isprintable():
        raise Odd("the login's answer holds no token")
    return found


def _meter(readings: dict[str, Any]) -> Sample:
    measured_at = _time(readings)
    values = {"power_w": _needed(readings, "instant_power")}
    left_out: list[str] = []
    names = {**SUMS, **VOLTAGES, "frequency_hz": "frequency"}
    if _phases_are_of(readings, measured_at):
        names |= PHASE_POWERS
    for name, key in names.items():
        try:
            value = number(readings.get(key), key)
        except Odd:
            left_out.append(name)
            continue
        # the gateway says 0 where it does not know a frequency or a voltage
        if value is not None and (value != 0.0 or name not in (*VOLTAGES, "frequency_hz")):
            values[name] = value
    return Sample(_without_dead_phases(values), measured_at, tuple(left_out))


def _phases_are_of(readings: dict[str, Any], measured_at: datetime) -> bool:
    """Whether the phases were measured with the sum: they carry a time of their own, where it is known."""
    said = readings.get("last_phase_power_communication_time")
    if said is None:
        return True
    try:
        own = moment(said)
    except Odd:
        return False
    return own.year >= FIRST_YEAR and measured_at - own <= timedelta(seconds=PHASES_WITH_IT_S)


def _without_dead_phases(values: dict[str, float]) -> dict[str, float]:
    """A phase without a voltage is none, where others have one: a site of one phase has 0 W on b and c."""
    if "voltage_a_v" not in values:
        return values
    absent = {f"power_{phase}_w" for phase in "abc" if f"voltage_{phase}_v" not in values}
    return {name: value for name, value in values.items() if name not in absent}


def _part(document: Any, name: str) -> dict[str, Any]:
    part = document.get(name) if isinstance(document, dict) else None
    if not isinstance(part, dict):
        raise Odd(f"`/api/meters/aggregates` has no `{name}`")
    return part


def _needed(document: Any, key: str) -> float:
    value = number(document.get(key), key) if isinstance(document, dict) else None
    if value is None:
        raise Odd(f"`{key}` is missing")
    return value


def _time(readings: dict[str, Any]) -> datetime:
    """When the gateway last heard its meter; without it a reading may be of any age, so it is none."""
    found = moment(readings.get("last_communication_time"))
    if found.year < FIRST_YEAR:
        raise Odd("the gateway has never heard its meter")
    return found
