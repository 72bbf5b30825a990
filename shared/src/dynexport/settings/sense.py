"""Sense checks: what is well-formed and still hardly meant. Works on data that may have other mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dynexport.settings.buses import places
from dynexport.settings.mqtt_sense import mqtt_doubts
from dynexport.settings.problems import Problem
from dynexport.settings.shape import Location, dotted, value_at
from dynexport.settings.source import Source

KILOWATTS_BELOW = 100
DIGIT_TOO_MANY = 8
SLOWEST_POLL_S = 1.0
SILENT_AFTER_S = 5.0
ENTRIES = ("inverters", "batteries", "uncontrolled")
PHASE_POWERS = ("power_a_w", "power_b_w", "power_c_w")


def doubts(source: Source) -> list[Problem]:
    """Every doubt; those of level `error` are sure to be mistakes."""
    return [
        *_kilowatts(source.data, (), source),
        *_agreement(source),
        *_sources(source),
        *_ids(source),
        *places(source),
        *_batteries(source),
        *_polls(source),
        *mqtt_doubts(source),
        *_meter(source),
        *_meter_battery(source),
        *_phases(source),
        *_phase_limit(source),
        *_broker(source),
    ]


def number_at(source: Source, *location: str | int) -> float | None:
    """A number; None for what is absent, or another mistake."""
    value = value_at(source.data, location)
    return value if _is_number(value) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _entries(source: Source, section: str) -> list[tuple[Location, dict[str, Any]]]:
    entries = value_at(source.data, (section,))
    listed = enumerate(entries) if isinstance(entries, list) else ()
    return [((section, number), entry) for number, entry in listed if isinstance(entry, dict)]


def _kilowatts(value: Any, location: Location, source: Source) -> Iterator[Problem]:
    """A watt setting below 100 is a kilowatt; 0 is a limit that people mean."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _kilowatts(below, (*location, key), source)
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from _kilowatts(below, (*location, number), source)
    elif _is_watts(location) and _is_number(value) and 0 < value < KILOWATTS_BELOW:
        hint = f"did you mean {value * 1000:g}?"
        yield source.problem(location, "is in watts, not kilowatts", value=f"{value:g}", hint=hint)


def _is_watts(location: Location) -> bool:
    key = str(location[-1]) if location else ""
    return key.endswith(("_limit_w", "limit_per_phase_w")) or key == "rated_w"


def _agreement(source: Source) -> Iterator[Problem]:
    limit = number_at(source, "agreement", "export_limit_w")
    failsafe = number_at(source, "agreement", "failsafe_export_limit_w")
    if limit is not None and (limit == 0 or limit >= KILOWATTS_BELOW):
        if failsafe is not None and failsafe > limit:
            yield source.problem(
                ("agreement", "failsafe_export_limit_w"),
                f"{failsafe:g} is above export_limit_w {limit:g}",
                hint="when something has failed a site may not export more than it may normally",
            )
        ratings = [
            number_at(source, *place, "rated_w") or 0
            for name in ENTRIES
            for place, _ in _entries(source, name)
        ]
        if 0 < sum(ratings) * DIGIT_TOO_MANY <= limit:
            yield source.problem(
                ("agreement", "export_limit_w"),
                f"{limit:g} is far above what can be made here ({sum(ratings):g} W together)",
                hint="is there a digit too many?",
                level="warning",
            )


def _sources(source: Source) -> Iterator[Problem]:
    sources = value_at(source.data, ("sources",)) or {}
    if not isinstance(sources, dict):
        return
    if value_at(source.data, ("tariff", "windows")) and "tariff" not in sources:
        hint = "list it: `sources: {tariff: {kind: preference}}`"
        yield source.problem(("tariff",), "its limits would have no effect", hint=hint)
    if value_at(sources, ("csip", "kind")) == "preference":
        hint = "write `kind: obligation` with its `fallback`"
        yield source.problem(("sources", "csip", "kind"), "a distributor's limit is an obligation", hint=hint)
    if isinstance(source.data.get("csip"), dict) and "csip" not in sources:
        hint = "list it: `sources: {csip: {kind: obligation, fallback: {export_limit_w: 1500}}}`"
        yield source.problem(("csip",), "its limits would have no effect, nor would its silence", hint=hint)
    if "manual" not in sources:
        message = "`manual` is not listed: `dynexport limit` will have no effect"
        yield source.problem(
            ("sources",), message, hint="list it: `manual: {kind: preference}`", level="warning"
        )


def _ids(source: Source) -> Iterator[Problem]:
    """An id is one inverter's; batteries and uncontrolled share theirs."""
    for sections in (("inverters",), ("batteries", "uncontrolled")):
        first: dict[Any, Location] = {}
        for place, entry in (found for section in sections for found in _entries(source, section)):
            name = entry.get("id")
            if isinstance(name, str) and name in first:
                message = f"id {name} is given twice: {dotted(first[name])} has it too"
                yield source.problem((*place, "id"), message)
            elif isinstance(name, str):
                first[name] = place


def _batteries(source: Source) -> Iterator[Problem]:
    """A battery in an inverter's map needs that inverter, and one of its kind."""
    drivers = {entry.get("id"): entry.get("driver") for _, entry in _entries(source, "inverters")}
    for place, entry in _entries(source, "batteries"):
        host = entry.get("inverter")
        if isinstance(host, str) and drivers.get(host) != "sunspec":
            known = ", ".join(str(name) for name, driver in drivers.items() if driver == "sunspec")
            message = "names no inverter with `driver: sunspec`"
            hint = (
                f"there are {known}"
                if known
                else "give the battery a place of its own: `sunspec: {tcp: ...}`"
            )
            yield source.problem((*place, "inverter"), message, value=host, hint=hint)


def _polls(source: Source) -> Iterator[Problem]:
    """Contract: readings once a second or faster; an inverter counts as silent after 5 s."""
    for place, _ in _entries(source, "inverters"):
        poll_s = number_at(source, *place, "poll_s")
        if poll_s is not None and SILENT_AFTER_S / 2 < poll_s <= SILENT_AFTER_S:
            message = f"one lost answer and it would count as silent, after {SILENT_AFTER_S:g} s"
            yield source.problem((*place, "poll_s"), message, value=f"{poll_s:g}", hint="1 or less is usual")
        elif poll_s is not None and SLOWEST_POLL_S < poll_s <= SILENT_AFTER_S:
            yield _slow((*place, "poll_s"), poll_s, source)
    for key in ("poll_s", "period_s"):
        poll_s = number_at(source, "meter", key)
        if poll_s is not None and poll_s > SLOWEST_POLL_S:
            yield _slow(("meter", key), poll_s, source)


def _slow(location: Location, poll_s: float, source: Source) -> Problem:
    message = "the times promised in docs/safety.md hold for 1 s or less"
    return source.problem(location, message, value=f"{poll_s:g}", level="warning")


def _meter(source: Source) -> Iterator[Problem]:
    """A meter of the house's consumption sees nothing of what a battery sends to the grid."""
    if value_at(source.data, ("meter", "location")) != "consumption":
        return
    for section in ("batteries", "uncontrolled"):
        for place, entry in _entries(source, section):
            if entry.get("exports", "may") == "may":
                yield source.problem(
                    place,
                    "may export, and a meter with `location: consumption` does not see it",
                    hint="measure at the grid connection (feed_in), or say `exports: never` if that is true",
                )


def _meter_battery(source: Source) -> Iterator[Problem]:
    """A gateway says one battery, all its Powerwalls together; other meters say none."""
    found = [place for place, entry in _entries(source, "batteries") if entry.get("source") == "meter"]
    if found and value_at(source.data, ("meter", "driver")) != "powerwall":
        message = "only a meter with `driver: powerwall` tells of its battery"
        yield source.problem((*found[0], "source"), message, hint="give its `topic` and `fields`")
    for place in found[1:]:
        message = "the gateway says one battery, all its Powerwalls together"
        yield source.problem((*place, "source"), message, hint="list them as one, with their rating together")


def _phases(source: Source) -> Iterator[Problem]:
    if value_at(source.data, ("site", "phases")) != 1:
        return
    for place, entry in (found for section in ENTRIES for found in _entries(source, section)):
        if entry.get("phase") in ("b", "c"):
            message = "the site has one phase, a"
            hint = "is `site.phases` 3?"
            yield source.problem((*place, "phase"), message, value=str(entry["phase"]), hint=hint)


def _phase_limit(source: Source) -> Iterator[Problem]:
    """A limit per phase holds only where each phase is measured, and where it is known who feeds which."""
    if number_at(source, "agreement", "export_limit_per_phase_w") is None:
        return
    phases = value_at(source.data, ("site", "phases"))
    if phases is None:
        hint = "say `site.phases: 3`, or 1"
        message = "a limit per phase needs to know how many there are"
        yield source.problem(("agreement", "export_limit_per_phase_w"), message, hint=hint)
    if phases != 3:
        return
    if value_at(source.data, ("meter", "format")) != "predecessor":
        fields = value_at(source.data, ("meter", "fields"))
        missing = [key for key in PHASE_POWERS if isinstance(fields, dict) and fields.get(key) is None]
        if missing:
            hint = "give their paths, or take a meter that measures each phase"
            message = f"a limit per phase needs the power of each: {', '.join(missing)} missing"
            yield source.problem(("meter", "fields"), message, hint=hint)
    for place, entry in _entries(source, "inverters"):
        if entry.get("phase") is None:
            message = "a limit per phase needs the phase that this inverter feeds"
            yield source.problem(place, message, hint="`phase: a`, b, c, or abc for all three")


def _broker(source: Source) -> Iterator[Problem]:
    mqtt = value_at(source.data, ("mqtt",))
    if isinstance(mqtt, dict) and mqtt.get("password") is not None and mqtt.get("username") is None:
        message = "a password without a `username` is not sent"
        key = "password_file" if "password_file" in mqtt else "password"
        yield source.problem(("mqtt", key), message, level="warning")
