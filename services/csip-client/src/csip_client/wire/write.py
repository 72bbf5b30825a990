"""From what we want to say to documents, element by element in the schema's order (csip-examples.md, sep.xsd)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from csip_client.wire.document import V1_2, Version, document, element, leaf

LARGEST_INT16 = 32767
LARGEST_UINT16 = 65535
DEEPEST_MULTIPLIER = 3
NO_FLOW, FORWARD, REVERSE = 0, 1, 19
KIND_ENERGY, KIND_POWER, ELECTRICITY = 12, 37, 1


@dataclass(frozen=True, slots=True)
class Ratings:
    """What DERCapability (`rtg…`) and DERSettings (`set…`) share; None is not given. W, VA, var, Wh."""

    max_w: float
    max_va: float | None = None
    max_var: float | None = None
    max_var_neg: float | None = None
    max_charge_w: float | None = None
    max_discharge_w: float | None = None
    max_wh: float | None = None
    min_wh: float | None = None
    min_pf_over: float | None = None
    min_pf_under: float | None = None


@dataclass(frozen=True, slots=True)
class Modes:
    """Bit maps: modesSupported/Enabled (32 bit), doeModes and vppModes (8 bit; None is left out, as before 1.3)."""

    modes: int
    doe: int
    vpp: int | None = None


@dataclass(frozen=True, slots=True)
class ReadingType:
    """What a MirrorMeterReading measures; `power_of_ten` scales its values; kind 37, stored energy 12 (csip.md)."""

    uom: int
    qualifier: int
    flow: int
    power_of_ten: int
    interval_s: int
    phase: int | None = None
    kind: int = KIND_POWER


def end_device(lfdi: str, sfdi: int, category: int, changed: int, version: Version) -> bytes:
    """EndDevice, to register ourselves."""
    return document(
        "EndDevice",
        version,
        leaf("deviceCategory", f"{category:06X}"),
        leaf("lFDI", lfdi),
        leaf("sFDI", sfdi),
        leaf("changedTime", changed),
    )


def connection_point(nmi: str, version: Version) -> bytes:
    """ConnectionPoint with the NMI."""
    return document("csipaus:ConnectionPoint", version, leaf("csipaus:connectionPointId", nmi))


def der_capability(ratings: Ratings, modes: Modes, der_type: int, version: Version) -> bytes:
    """DERCapability."""
    return document(
        "DERCapability",
        version,
        leaf("modesSupported", f"{modes.modes:08X}"),
        _power("rtgMaxChargeRateW", ratings.max_charge_w),
        _power("rtgMaxDischargeRateW", ratings.max_discharge_w),
        _power("rtgMaxVA", ratings.max_va),
        _power("rtgMaxVar", ratings.max_var),
        _power("rtgMaxVarNeg", ratings.max_var_neg, sign=-1),
        _power("rtgMaxW", ratings.max_w),
        _power("rtgMaxWh", ratings.max_wh, largest=LARGEST_UINT16),
        _factor("rtgMinPFOverExcited", ratings.min_pf_over),
        _factor("rtgMinPFUnderExcited", ratings.min_pf_under),
        leaf("type", der_type),
        leaf("csipaus:doeModesSupported", f"{modes.doe:02X}"),
        _since_1_3(version, _bits("csipaus:vppModesSupported", modes.vpp)),
    )


def der_settings(ratings: Ratings, modes: Modes, grad_w: int, updated: int, version: Version) -> bytes:
    """DERSettings; `grad_w` is setGradW in hundredths of a percent of setMaxW a second."""
    return document(
        "DERSettings",
        version,
        leaf("modesEnabled", f"{modes.modes:08X}"),
        leaf("setGradW", grad_w),
        _power("setMaxChargeRateW", ratings.max_charge_w),
        _power("setMaxDischargeRateW", ratings.max_discharge_w),
        _power("setMaxVA", ratings.max_va),
        _power("setMaxVar", ratings.max_var),
        _power("setMaxVarNeg", ratings.max_var_neg, sign=-1),
        _power("setMaxW", ratings.max_w),
        _power("setMaxWh", ratings.max_wh, largest=LARGEST_UINT16),
        _factor("setMinPFOverExcited", ratings.min_pf_over),
        _factor("setMinPFUnderExcited", ratings.min_pf_under),
        leaf("updatedTime", updated),
        leaf("csipaus:doeModesEnabled", f"{modes.doe:02X}"),
        _since_1_3(version, _bits("csipaus:vppModesEnabled", modes.vpp)),
        _since_1_3(version, _power("csipaus:setMinWh", ratings.min_wh, largest=LARGEST_UINT16)),
    )


def der_status(
    connect: int,
    mode: int,
    now: int,
    version: Version,
    *,
    stored_pct: float | None = None,
    stor_connect: int | None = None,
) -> bytes:
    """DERStatus: genConnectStatus bits, operationalModeStatus; with storage its connection and state of charge."""
    charge = None if stored_pct is None else round(stored_pct * 100)
    return document(
        "DERStatus",
        version,
        _stated("genConnectStatus", now, f"{connect:02X}"),
        _stated("operationalModeStatus", now, mode),
        leaf("readingTime", now),
        "" if charge is None else _stated("stateOfChargeStatus", now, charge),
        "" if stor_connect is None else _stated("storConnectStatus", now, f"{stor_connect:02X}"),
    )


def mirror_usage_point(
    mrid: str, description: str, role_flags: int, lfdi: str, readings: Sequence[str], version: Version
) -> bytes:
    """MirrorUsagePoint with the reading types that it will carry (`meter_reading_type`)."""
    return document(
        "MirrorUsagePoint",
        version,
        leaf("mRID", mrid),
        leaf("description", description),
        leaf("roleFlags", f"{role_flags:04X}"),
        leaf("serviceCategoryKind", 0),
        leaf("status", 1),
        leaf("deviceLFDI", lfdi),
        *readings,
    )


def meter_reading_type(mrid: str, description: str, kind: ReadingType) -> str:
    """One MirrorMeterReading without values, for inside a MirrorUsagePoint."""
    reading_type = element(
        "ReadingType",
        leaf("commodity", ELECTRICITY),
        leaf("dataQualifier", kind.qualifier),
        leaf("flowDirection", kind.flow),
        leaf("intervalLength", kind.interval_s),
        leaf("kind", kind.kind),
        leaf("phase", kind.phase),
        leaf("powerOfTenMultiplier", kind.power_of_ten),
        leaf("uom", kind.uom),
    )
    return element("MirrorMeterReading", leaf("mRID", mrid), leaf("description", description), reading_type)


def meter_reading(mrid: str, value: int, start: int, duration: int, version: Version) -> bytes:
    """MirrorMeterReading with one value of the interval [start, start + duration)."""
    period = element("timePeriod", leaf("duration", duration), leaf("start", start))
    reading = element("Reading", leaf("qualityFlags", "0001"), period, leaf("value", value))
    return document("MirrorMeterReading", version, leaf("mRID", mrid), reading)


def response(lfdi: str, status: int, subject: str, now: int, version: Version) -> bytes:
    """DERControlResponse."""
    return document(
        "DERControlResponse",
        version,
        leaf("createdDateTime", now),
        leaf("endDeviceLFDI", lfdi),
        leaf("status", status),
        leaf("subject", subject),
    )


def scaled(value: float, largest: int = LARGEST_INT16) -> tuple[int, int]:
    """(value, power of ten) with as many decimals, three at most, as fit; raises ValueError for what cannot fit."""
    for multiplier in range(-DEEPEST_MULTIPLIER, 10):
        number = round(value / 10.0**multiplier)
        if abs(number) <= largest:
            while multiplier < 0 and number % 10 == 0:
                number, multiplier = number // 10, multiplier + 1
            return number, multiplier
    raise ValueError(f"{value} does not fit into {largest} x 10^9")


def _power(name: str, value: float | None, *, sign: int = 1, largest: int = LARGEST_INT16) -> str:
    if value is None:
        return ""
    number, multiplier = scaled(value, largest)
    return element(name, leaf("multiplier", multiplier), leaf("value", sign * number))


def _bits(name: str, bits: int | None) -> str:
    return leaf(name, None if bits is None else f"{bits:02X}")


def _since_1_3(version: Version, text: str) -> str:
    """Nothing before 1.3, which brought storage."""
    return "" if version is V1_2 else text


def _factor(name: str, value: float | None) -> str:
    """A power factor, in thousandths: displacement x 10^-3."""
    if value is None:
        return ""
    return element(name, leaf("displacement", round(value * 1000)), leaf("multiplier", -3))


def _stated(name: str, now: int, value: str | int) -> str:
    return element(name, leaf("dateTime", now), leaf("value", value))
