"""A publisher's JSON turned into a reading: by field, or as the predecessor's MQTT meter takes it. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dynexport.settings.models import MeterFields, MqttMeter

PHASES = ("a", "b", "c")
POWERS = ("power_w", "power_a_w", "power_b_w", "power_c_w", "reactive_var")
COUNTERS = ("import_wh", "export_wh")
LARGEST = 1e8


class NotAReading(ValueError):
    """The payload holds no usable reading; the text says which field and why."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """Values by the contract's field names, and the publisher's own time where it gives one."""

    values: Mapping[str, float]
    measured_at: datetime | None = None


def read(payload: bytes, settings: MqttMeter) -> Mapped:
    """Turn one payload into values, sign and scale applied; raises NotAReading."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise NotAReading(f"not JSON: {error}") from None
    mapped = _predecessor(document) if settings.fields is None else _by_field(document, settings.fields)
    return _signed(mapped, settings)


def _signed(mapped: Mapped, settings: MqttMeter) -> Mapped:
    sign = -1.0 if settings.invert else 1.0
    values = {
        name: value * settings.scale * sign if name in POWERS else value
        for name, value in mapped.values.items()
    }
    if settings.invert:
        swapped = {"import_wh": values.get("export_wh"), "export_wh": values.get("import_wh")}
        values.update({name: value for name, value in swapped.items() if value is not None})
    if any(abs(value) > LARGEST for value in values.values() if value is not None):
        raise NotAReading("a value is beyond anything that a house can have")
    return Mapped(values, mapped.measured_at)


def _by_field(document: Any, fields: MeterFields) -> Mapped:
    values: dict[str, float] = {}
    for name, path in fields.model_dump(exclude={"measured_at"}).items():
        if path is not None:
            found = _number(_at(document, path), path)
            if found is not None:
                values[name] = found
    if "power_w" not in values:
        raise NotAReading(f"{fields.power_w} is missing")
    stamp = (
        None if fields.measured_at is None else _moment(_at(document, fields.measured_at), fields.measured_at)
    )
    return Mapped(values, stamp)


def _at(document: Any, path: str) -> Any:
    """Step into nested objects and lists by dots; None when a step is missing."""
    if isinstance(document, dict) and path in document:
        return document[path]
    value = document
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _number(value: Any, path: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise NotAReading(f"{path} is {value!r}, which is no number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise NotAReading(f"{path} is {value!r}, which is no number") from None
    if not math.isfinite(number):
        raise NotAReading(f"{path} is {value!r}, which is no number")
    return number


def _moment(value: Any, path: str) -> datetime | None:
    """RFC 3339 with an offset, or Unix seconds (or milliseconds)."""
    if value is None:
        return None
    try:
        if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                raise NotAReading(f"{path} is {value!r}, a time without an offset")
            return moment.astimezone(UTC)
        seconds = _number(value, path) or 0.0
        return datetime.fromtimestamp(seconds / 1000.0 if seconds > 1e11 else seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise NotAReading(f"{path} is {value!r}, which is no time ({error})") from None


def _predecessor(document: Any) -> Mapped:
    """`{realPower, reactivePower, voltage, frequency}` with `noPhase` or `perPhaseNet` powers."""
    if not isinstance(document, dict):
        raise NotAReading("the payload is no object")
    values: dict[str, float] = {}
    _powers(document, "realPower", ("power_w", "power_a_w", "power_b_w", "power_c_w"), values)
    if "power_w" not in values:
        raise NotAReading("realPower.net is missing")
    _powers(document, "reactivePower", ("reactive_var",), values)
    voltage = document.get("voltage")
    for phase in PHASES:
        found = _number(_at(voltage, f"phase{phase.upper()}"), f"voltage.phase{phase.upper()}")
        if found is not None:
            values[f"voltage_{phase}_v"] = found
    hertz = _number(document.get("frequency"), "frequency")
    if hertz is not None:
        values["frequency_hz"] = hertz
    return Mapped(values)


def _powers(document: dict[str, Any], key: str, names: tuple[str, ...], values: dict[str, float]) -> None:
    paths = ("net", "phaseA", "phaseB", "phaseC")
    for name, path in zip(names, paths, strict=False):
        found = _number(_at(document.get(key), path), f"{key}.{path}")
        if found is not None:
            values[name] = found
