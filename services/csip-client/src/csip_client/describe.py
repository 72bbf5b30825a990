"""What we say of ourselves: ratings from `site.yaml` and remembered nameplates, status and measurements from the bus.

DERCapability and DERSettings never depend on who answers tonight (csip.md, section 7).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from csip_client.storage import with_batteries
from csip_client.telemetry import AVERAGE, LEAST, MOST, Role, Series
from csip_client.wire import write
from dynexport.messages import InverterCapability, InverterReading, InverterState, MeterReading
from dynexport.settings.csip import CsipRatings, CsipSection, Report
from dynexport.settings.models import Site

DOE_BITS = {"export": 1, "import": 2, "generation": 4, "load": 8}
CONNECT_AND_ENERGIZE, MAXIMUM = 0x0000000C, 0x00100000
SOLAR, SOLAR_AND_STORAGE = 4, 83
CATEGORY_SOLAR, CATEGORY_STORAGE = 0x200000, 0x800000
WATTS, VARS, VOLTS, HERTZ = 38, 63, 29, 33
PHASES = {"a": 128, "b": 64, "c": 32}
VOLTAGE_PHASES = {"a": 129, "b": 65, "c": 33}  # phase to neutral
ASLEEP = (InverterState.OFF, InverterState.SLEEPING)
STORAGE_TARGET, NO_VPP_MODE = 1, 0  # bit 0: opModStorageTargetW


def category(site: Site, csip: CsipSection) -> int:
    """deviceCategory."""
    if csip.device_category is not None:
        return csip.device_category
    return CATEGORY_STORAGE if site.batteries else CATEGORY_SOLAR


def der_type(site: Site) -> int:
    """DERCapability.type."""
    return SOLAR_AND_STORAGE if site.batteries else SOLAR


def modes(csip: CsipSection, site: Site) -> write.Modes:
    """What is declared: only limits that this site obeys, and the storage target where we may command every battery."""
    doe = sum(DOE_BITS[mode] for mode in csip.modes)
    maximum = MAXIMUM if "generation" in csip.modes else 0
    commanded = all(battery.control == "charge_rate" for battery in site.batteries)
    vpp = STORAGE_TARGET if commanded else NO_VPP_MODE
    return write.Modes(CONNECT_AND_ENERGIZE | maximum, doe, vpp if site.batteries else None)


def ratings(site: Site, known: Mapping[str, InverterCapability]) -> tuple[write.Ratings, write.Ratings]:
    """`rtg…` and `set…` of all inverters together; one that was never met counts as `site.yaml` rates it."""
    rated_w = set_w = rated_va = rated_var = 0.0
    for inverter in site.inverters:
        met = known.get(inverter.id)
        here_w = met.max_w if met is not None else inverter.rated_w
        set_w += here_w
        rated_w += max(here_w, (met.nameplate_w or here_w) if met is not None else here_w)
        rated_va += (met.max_va or here_w) if met is not None else here_w
        rated_var += (met.max_var or 0.0) if met is not None else 0.0
    told = site.csip.ratings if site.csip is not None and site.csip.ratings is not None else CsipRatings()
    rated, set_ = (
        write.Ratings(
            watts,
            max(rated_va, watts),
            told.max_var or rated_var or None,
            max_var_neg=told.max_var_neg,
            min_pf_over=told.min_pf_over,
            min_pf_under=told.min_pf_under,
        )
        for watts in (rated_w, set_w)
    )
    return with_batteries(rated, site.batteries), with_batteries(set_, site.batteries)


def site_samples(reading: MeterReading, wanted: Collection[Report]) -> Iterator[tuple[Series, float]]:
    """What a meter's reading says of the site: + is import."""
    yield from _each(Role.SITE, WATTS, None, reading.power_w, wanted)
    yield from _each(Role.SITE, VARS, None, reading.reactive_var, wanted)
    for phase in PHASES:
        yield from _each(
            Role.SITE, VOLTS, VOLTAGE_PHASES[phase], getattr(reading, f"voltage_{phase}_v"), wanted
        )
        if "power_per_phase" in wanted:
            yield from _each(Role.SITE, WATTS, PHASES[phase], getattr(reading, f"power_{phase}_w"), wanted)
    if "frequency" in wanted:
        yield from _each(Role.SITE, HERTZ, None, reading.frequency_hz, wanted, power_of_ten=-2)


def der_samples(
    readings: Mapping[str, InverterReading], wanted: Collection[Report], discharge_w: float = 0.0
) -> Iterator[tuple[Series, float]]:
    """What all inverters and batteries say together: + is generation. Those that sleep make nothing, and tell no volts.

    A battery is on the AC side, as the limit engine takes it: what it gives or takes is not in any inverter's reading.
    """
    found = [each for each in readings.values() if each.state not in ASLEEP]
    yield from _each(Role.DER, WATTS, None, sum(each.power_w for each in found) + discharge_w, wanted)
    vars_ = [each.reactive_var for each in found]
    if None not in vars_:
        yield from _each(Role.DER, VARS, None, sum(each or 0.0 for each in vars_), wanted)
    for phase in PHASES:
        volts = [value for each in found if (value := getattr(each, f"voltage_{phase}_v")) is not None]
        if volts:
            mean_v = sum(volts) / len(volts)
            yield from _each(Role.DER, VOLTS, VOLTAGE_PHASES[phase], mean_v, wanted)
    if "frequency" in wanted:
        hertz = [each.frequency_hz for each in found if each.frequency_hz is not None]
        mean_hz = sum(hertz) / len(hertz) if hertz else None
        yield from _each(Role.DER, HERTZ, None, mean_hz, wanted, power_of_ten=-2)


def _each(
    role: Role,
    uom: int,
    phase: int | None,
    value: float | None,
    wanted: Collection[Report],
    *,
    power_of_ten: int = -1,
) -> Iterator[tuple[Series, float]]:
    if value is None:
        return
    for qualifier in (AVERAGE, MOST, LEAST) if "minimum_maximum" in wanted else (AVERAGE,):
        yield Series(role, uom, phase, qualifier, power_of_ten), value
