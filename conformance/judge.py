"""The checks of the procedures: each tells what is wrong, or nothing.

Their meaning follows csip.md section 4 and the package's own parameter descriptions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from conformance.bodies import (
    DER_ROLE,
    SITE_ROLE,
    VARS,
    VOLTS,
    WATT_HOURS,
    WATTS,
    bits,
    flat,
    number,
    readings,
    text,
)
from conformance.places import Places
from conformance.resolve import Missing, resolve
from utility_simulator.tree import Utility

READINGS = {
    "readings-site-active-power": (SITE_ROLE, WATTS),
    "readings-site-reactive-power": (SITE_ROLE, VARS),
    "readings-der-active-power": (DER_ROLE, WATTS),
    "readings-der-reactive-power": (DER_ROLE, VARS),
    "readings-voltage": (None, VOLTS),
    "readings-der-stored-energy": (DER_ROLE, WATT_HOURS),
}
CONTENTS = {"der-settings-contents": "derg", "der-capability-contents": "dercap"}
POLLS_KEPT, MOST_PER_3_POLLS = 3, 6


@dataclass(slots=True)
class Judge:
    """`controls` are the mRIDs by tag; `unfinished` are the steps that are not complete."""

    utility: Utility
    places: Places
    began: Callable[[], float]
    lfdi: str
    controls: dict[str, str] = field(default_factory=dict)
    mrids: list[str] = field(default_factory=list)
    unfinished: Callable[[], set[str]] = lambda: set()

    def faults(self, checks: Any) -> list[str]:
        """What is wrong, in words, over all checks."""
        found: list[str] = []
        for check in checks or []:
            try:
                found += [
                    f"{check.type}: {each}" for each in self._faults(check.type, check.parameters or {})
                ]
            except Missing as error:
                found.append(f"{check.type}: {error}")
        return found

    def _faults(self, kind: str, wanted: dict[str, Any]) -> Iterator[str]:
        if kind in READINGS:
            return self._readings(*READINGS[kind], wanted)
        if kind in CONTENTS:
            return self._contents(CONTENTS[kind], wanted)
        match kind:
            case "all-steps-complete":
                return iter(sorted(self.unfinished() - set(wanted.get("ignored_steps") or [])))
            case "end-device-contents":
                return self._end_device(wanted)
            case "der-status-contents":
                return self._status(wanted)
            case "response-contents":
                return self._responses(wanted)
            case "all-polls-at-correct-time":
                return self._polls(wanted)
        raise NotImplementedError(f"the check {kind}")

    def _end_device(self, wanted: dict[str, Any]) -> Iterator[str]:
        if not self.utility.registered:
            yield "no EndDevice is registered"
        if wanted.get("check_lfdi"):
            posted = self.utility.bodies("edev")
            if posted and text(next(iter(flat(posted[-1]).values())), "lFDI") is None:
                told = flat(posted[-1])
                if told["lFDI"].text != self.lfdi:
                    yield f"LFDI {told['lFDI'].text} instead of {self.lfdi}"
        if wanted.get("has_connection_point_id") and not self.utility.bodies("cp"):
            yield "no connection point was put"

    def _contents(self, resource: str, wanted: dict[str, Any]) -> Iterator[str]:
        bodies = self.utility.bodies(resource)
        if not bodies:
            yield f"{resource} was never put"
            return
        told = flat(bodies[-1])
        for name, value in wanted.items():
            element = told.get(name.removesuffix("_set").removesuffix("_unset"))
            if element is None:
                yield f"{name} is missing"
            elif name.endswith("_unset"):
                if bits(element) & int(str(value), 16):
                    yield f"{name} {value}: is {bits(element):X}"
            elif name.endswith("_set"):
                if bits(element) & int(str(value), 16) != int(str(value), 16):
                    yield f"{name} {value}: is {bits(element):X}"
            elif isinstance(value, bool):
                continue
            elif isinstance(value, int):
                if number(element) != value:
                    yield f"{name} is {number(element)} instead of {value}"
            elif resolve(value, self.utility) is False:
                yield f"{name} is {number(element)}, outside {value.expression_representation()}"

    def _status(self, wanted: dict[str, Any]) -> Iterator[str]:
        bodies = self.utility.bodies("ders")
        if not bodies:
            yield "DERStatus was never put"
            return
        told = flat(bodies[-1])
        connect = bits(told["genConnectStatus"])
        for name, value in wanted.items():
            if name.startswith("genConnectStatus_bit"):
                is_set = bool(connect >> int(name[-1]) & 1)
                if is_set is not value:
                    yield f"{name} is {is_set}"
            elif name == "operationalModeStatus":
                mode = int(text(told[name], "value") or -1)
                if mode != value:
                    yield f"{name} is {mode} instead of {value}"
            else:
                raise NotImplementedError(f"der-status-contents {name}")

    def _readings(self, role: int | None, uom: int, wanted: dict[str, Any]) -> Iterator[str]:
        known = readings(self.utility)
        series = [values for kind, values in known.items() if kind.uom == uom and role in (None, kind.role)]
        if not series:
            yield "nothing of this kind is mirrored"
        least = resolve(wanted.get("minimum_level", -math.inf), self.utility)
        most = resolve(wanted.get("maximum_level", math.inf), self.utility)
        for values in series:
            if len(values) < wanted.get("minimum_count", 0):
                yield f"{len(values)} readings, at least {wanted['minimum_count']} are wanted"
            looked_at = values[-1:] if wanted.get("latest_reading_only") else values
            if wanted.get("latest_reading_only") and not values:
                yield "no reading yet"
            yield from (
                f"{value} W is outside {least}..{most}" for value in looked_at if not least <= value <= most
            )

    def _responses(self, wanted: dict[str, Any]) -> Iterator[str]:
        answers = self.utility.answers()
        status = wanted.get("status")
        subject = self.controls.get(wanted["subject_tag"], "") if "subject_tag" in wanted else None
        if wanted.get("all"):
            have = {mrid for mrid, code in answers if code == status}
            yield from (f"{mrid} was not answered with {status}" for mrid in self.mrids if mrid not in have)
            return
        looked_at = answers[-1:] if wanted.get("latest") else answers
        if not any(code == status and subject in (None, mrid) for mrid, code in looked_at):
            yield f"no answer {status} for {wanted.get('subject_tag', 'any control')}"

    def _polls(self, wanted: dict[str, Any]) -> Iterator[str]:
        """No gap of more than a period, and never more than six requests in three of them."""
        period = wanted["poll_interval_seconds"]
        for endpoint in wanted["endpoints"]:
            times = sorted(
                request.at
                for request in self.utility.requests
                if request.method == wanted["request_type_str"]
                and self.places.matches(endpoint, request)
                and request.query.get("s", ["0"])[0] == "0"
            )
            edges = [max(self.began(), times[0] if times else 0.0), *times, self.utility.now()]
            gaps = [later - earlier for earlier, later in pairwise(edges)]
            if not times or max(gaps) > period + 1.0:
                yield f"{endpoint}: {max(gaps):.0f} s without a poll, {period} s are wanted"
            for start in times:
                inside = sum(start <= each < start + POLLS_KEPT * period for each in times)
                if inside > MOST_PER_3_POLLS:
                    yield f"{endpoint}: {inside} polls in {POLLS_KEPT * period} s"
                    break
