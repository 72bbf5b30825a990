"""A publisher's JSON as the numbers of a reading. Pure."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from dynexport.inbox import LARGEST_PAYLOAD
from dynexport.settings.base import Section
from dynexport.settings.models import MeterFields

POWERS = ("power_w", "power_a_w", "power_b_w", "power_c_w", "reactive_var", "available_w")
WORDS = ("state",)
MAX_AHEAD_S = 5.0
OTHER_WAY_ROUND = {"import_wh": "export_wh", "export_wh": "import_wh"}
MILLISECONDS_ABOVE = 1e11  # as seconds this would be the year 5138
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)

# open-dynamic-export's payload; with `type: noPhase` it has no phases
PREDECESSOR = MeterFields(
    power_w="realPower.net",
    power_a_w="realPower.phaseA",
    power_b_w="realPower.phaseB",
    power_c_w="realPower.phaseC",
    reactive_var="reactivePower.net",
    voltage_a_v="voltage.phaseA",
    voltage_b_v="voltage.phaseB",
    voltage_c_v="voltage.phaseC",
    frequency_hz="frequency",
)


class Odd(Exception):
    """This message is no reading; the text says why."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Numbers by their name in the contract, signed as there; `measured_at` None: the publisher does not say.

    `left_out` names what was there and is no number: not needed for control, so the rest still counts. `words` are
    what is no number by its nature, as it stands there.
    """

    values: dict[str, float]
    measured_at: datetime | None = None
    left_out: tuple[str, ...] = ()
    words: dict[str, Any] = field(default_factory=dict)


class Mapped(Protocol):
    """What `site.yaml` says of a publisher; a `fields` is a section of paths, `power_w` among them."""

    @property
    def fields(self) -> Section | None: ...  # noqa: D102
    @property
    def scale(self) -> float: ...  # noqa: D102
    @property
    def invert(self) -> bool: ...  # noqa: D102


class Mapping:
    """How one publisher's messages are read: by the fields of `site.yaml`, else by the `shipped` ones."""

    def __init__(self, settings: Mapped, shipped: Section | None = None) -> None:
        fields = settings.fields or shipped or PREDECESSOR
        paths: dict[str, str] = fields.model_dump(exclude_none=True)
        self._time_path = paths.pop("measured_at", None)
        self._words = {name: paths.pop(name) for name in WORDS if name in paths}
        self._paths = paths
        self._factor = -settings.scale if settings.invert else settings.scale
        self._invert = settings.invert

    def read(self, payload: bytes) -> Sample:
        """One message; raises Odd without a finite power, or without the time where one is mapped."""
        document = decode(payload)
        values: dict[str, float] = {}
        left_out = []
        for name, path in self._paths.items():
            try:
                value = number(find(document, path), path)
            except Odd:
                if name == "power_w":
                    raise
                left_out.append(name)
                continue
            if value is not None:
                values[self._name(name)] = value * self._factor if name in POWERS else value
        if "power_w" not in values:
            raise Odd(f"`{self._paths['power_w']}` is missing")
        measured_at = None if self._time_path is None else moment(find(document, self._time_path))
        words = {name: find(document, path) for name, path in self._words.items()}
        return Sample(values, measured_at, tuple(left_out), words)

    def _name(self, name: str) -> str:
        return OTHER_WAY_ROUND.get(name, name) if self._invert else name


def find(document: Any, path: str) -> Any:
    """What stands at a dotted path, list indices included, or at a key that has dots; None when nothing does."""
    if isinstance(document, dict) and path in document:
        return document[path]
    for step in path.split("."):
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        else:
            return None
    return document


def number(value: Any, path: str) -> float | None:
    """A finite number, also one in a string; None for null or nothing; raises Odd for all else."""
    if value is None:
        return None
    if isinstance(value, str) and NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, float) or not math.isfinite(value):
        raise Odd(f"`{path}` is no number: {str(value)[:40]!r}")
    return value


def moment(value: Any) -> datetime:
    """RFC 3339 with a zone, or Unix seconds or milliseconds; raises Odd."""
    try:
        seconds = number(value, "measured_at")
        if seconds is not None:
            return datetime.fromtimestamp(seconds / (1000.0 if seconds > MILLISECONDS_ABOVE else 1.0), UTC)
    except Odd:
        pass  # not Unix seconds: a date in words, or nothing that we know
    except (ValueError, OverflowError, OSError) as error:
        raise Odd(f"measured_at is no time: {str(value)[:40]!r}") from error
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is None:
            raise Odd(f"measured_at says no time zone: {value!r}")
        return found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise Odd(f"measured_at is no time: {str(value)[:40]!r}") from error


def decode(payload: bytes) -> Any:
    """A JSON document whose numbers are all floats, as `number` takes them; raises Odd."""
    if len(payload) > LARGEST_PAYLOAD:
        raise Odd(f"more than {LARGEST_PAYLOAD} bytes")
    try:
        return json.loads(payload, parse_int=float)
    except (ValueError, RecursionError) as error:
        raise Odd(f"not JSON: {str(error)[:80]}") from error


def doubt(measured_at: datetime, now: datetime, oldest_s: float) -> str | None:
    """Why a reading of that moment is no news; None when it is. Both clocks are wall clocks."""
    age_s = (now - measured_at).total_seconds()
    if age_s > oldest_s:
        return f"measured {age_s:.1f} s ago, {oldest_s:g} s is the most"
    if age_s < -MAX_AHEAD_S:
        return f"measured {-age_s:.1f} s in the future: one of the two clocks is wrong"
    return None
