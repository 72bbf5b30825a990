"""Pydantic's findings in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

from pydantic import ValidationError

from dynexport.settings.base import DEVICE, IDENTIFIER
from dynexport.settings.problems import Problem, near, shown
from dynexport.settings.shape import (
    Location,
    allowed_types,
    drivers,
    is_secret,
    keys,
    section_of,
    value_at,
)
from dynexport.settings.source import Source

EXAMPLES = {
    "time_zone": "for example `time_zone: Australia/Adelaide`",
    "export_limit_w": "the watts that your connection agreement allows, for example `export_limit_w: 5000`",
    "failsafe_export_limit_w": "what your agreement allows when something failed, often 1500",
    "driver": "for example `driver: sunspec`",
    "tcp": "for example `tcp: {host: 192.0.2.10, port: 502}`, or `serial: {port: /dev/ttyUSB0, baudrate: 9600}`",
    "port": "for example `port: /dev/serial/by-id/usb-FTDI_FT232R-if00-port0`, or `port: /dev/ttyUSB0`",
    "host": "its name or address, for example `host: 192.0.2.10`",
    "agreement": "`agreement:` with `export_limit_w` and `failsafe_export_limit_w`",
    "site": "`site:` with `time_zone`",
    "meter": "`meter:` with `driver`, and where it answers",
    "inverters": "`inverters:` with one entry for each: `id`, `driver`, `tcp` or `serial`, `rated_w`",
}
BOUNDS = {
    "greater_than_equal": ("ge", "must be {} or more"),
    "greater_than": ("gt", "must be more than {}"),
    "less_than_equal": ("le", "must be {} or less"),
    "less_than": ("lt", "must be less than {}"),
}


def from_pydantic(error: ValidationError, source: Source) -> list[Problem]:
    """Each of pydantic's errors in plain words; one mistake is told once."""
    details = [(real(location, source), detail) for location, detail in _details(error, source)]
    meant = {
        (*place[:-1], near(str(place[-1]), keys(place[:-1], source.data, source.root)))
        for place, detail in details
        if detail["type"] == "extra_forbidden"
    }
    meant |= {(*place[:-1], "tcp") for place in meant if place[-1] == "serial"}  # one of the two was meant
    return [
        _problem(place, detail, source)
        for place, detail in details
        if not (detail["type"] == "missing" and place in meant)
    ]


def _details(error: ValidationError, source: Source, above: Location = ()) -> Iterator[tuple[Location, Any]]:
    """Every finding with its place; behind a misspelt driver the rest is looked at as if it were right."""
    for detail in error.errors(include_url=False):
        place = (*above, *detail["loc"])
        # a list whose entries are all wrong counts as empty: its entries' mistakes are told, not that
        if not (detail["type"] == "too_short" and detail["input"]):
            yield place, detail
        if detail["type"] == "union_tag_invalid":
            yield from _behind_driver(real(place, source), source)


def _behind_driver(place: Location, source: Source) -> Iterator[tuple[Location, Any]]:
    section = value_at(source.data, place)
    for model in allowed_types(place, root=source.root):
        if meant := near(str(section["driver"]), drivers(model)):
            try:
                model.model_validate({**section, "driver": meant})
            except ValidationError as error:
                yield from _details(error, source, (*place, meant))


def real(location: Location, source: Source) -> Location:
    """A pydantic location without the names of union members and `[key]`, which stand in no file."""
    kept: Location = ()
    union = False
    for part in location:
        if part != "[key]" and not union:
            kept = (*kept, part)
            kinds = allowed_types(kept, root=source.root)
            union = len(kinds) > 1 and all(drivers(kind) for kind in kinds)
        else:
            union = False
    return kept


def _problem(place: Location, detail: Any, source: Source) -> Problem:
    kind, seen = detail["type"], detail["input"]
    context = detail.get("ctx", {})
    value = None
    if not isinstance(seen, dict | list):
        value = "a secret" if is_secret(place, source.root) else shown(seen)
    match kind:
        case "missing":
            return source.problem(place, "is missing", hint=EXAMPLES.get(str(place[-1])))
        case "extra_forbidden":
            return source.problem(place, "no such setting", hint=_meant(place, source))
        case "union_tag_not_found" | "union_tag_invalid":
            return _driver((*place, "driver"), source)
        case "literal_error" | "enum":
            return _word(place, value, source)
        case "value_error":
            return source.problem(place, str(context["error"]), value=value)
        case "string_type":
            return source.problem(place, "must be text", value=value, hint="put it in quotes")
        case "float_type" | "int_type" if isinstance(seen, str) and _numeric(seen):
            return source.problem(place, "must be a number", value=value, hint="write it without quotes")
        case "string_pattern_mismatch":
            return source.problem(place, _pattern(context["pattern"], place), value=value)
        case _:
            return source.problem(place, _plain(kind, context, detail["msg"]), value=value)


def _plain(kind: str, context: dict[str, Any], otherwise: str) -> str:
    if kind in BOUNDS:
        bound, words = BOUNDS[kind]
        return words.format(f"{context[bound]:g}")
    match kind:
        case "float_type" | "finite_number":
            return "must be a number"
        case "int_type" | "int_from_float":
            return "must be a whole number"
        case "bool_type" | "bool_parsing":
            return "must be true or false"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "needs settings below it, one `key: value` a line"
        case "tuple_type":
            return "must be a list, each entry after `- `"
        case "too_short" | "string_too_short":
            return "must not be empty"
        case "too_long":
            return f"has too many entries: {context['max_length']} at most"
        case _:
            return otherwise.replace("Input should", "must")


def _meant(place: Location, source: Source) -> str | None:
    word, allowed = str(place[-1]), keys(place[:-1], source.data, source.root)
    if meant := near(word, allowed):
        return f"did you mean {meant}?"
    section = section_of(word, source.root)
    if section and section != str(place[0]):
        return f"it belongs under `{section}`"
    return f"allowed here: {', '.join(allowed)}" if allowed else None


def _driver(place: Location, source: Source) -> Problem:
    allowed = [word for kind in allowed_types(place[:-1], root=source.root) for word in drivers(kind)]
    message, seen = f"must be one of {', '.join(allowed)}", value_at(source.data, place)
    if seen is None:
        return source.problem(place, f"is missing: {message}", hint=f"for example `driver: {allowed[0]}`")
    return source.problem(place, message, value=shown(seen), hint=_described(seen) or _nearest(seen, allowed))


def _described(seen: Any) -> str | None:
    """Whoever names a device as its driver means its description."""
    from dynexport.modbus.registers.catalogue import names

    return f"write `driver: registers, device: {seen}`" if seen in names() else None


def _word(place: Location, value: str | None, source: Source) -> Problem:
    words = [word for kind in allowed_types(place, source.data, source.root) for word in _choices(kind)]
    allowed = [word if isinstance(word, str) else shown(word) for word in words]
    message = f"must be one of {', '.join(allowed)}" if len(allowed) > 1 else f"must be {allowed[0]}"
    return source.problem(place, message, value=value, hint=_nearest(value_at(source.data, place), allowed))


def _choices(kind: Any) -> list[Any]:
    """The words of a Literal or an enumeration."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [member.value for member in kind]
    return list(getattr(kind, "__args__", ()))


def _nearest(seen: Any, allowed: list[str]) -> str | None:
    meant = near(str(seen).lower(), allowed)
    return f"did you mean {meant}?" if meant else None


def _pattern(pattern: str, place: Location) -> str:
    if pattern == IDENTIFIER:
        return "must be a short name of lower-case letters, digits, - and _, 32 at most"
    if pattern == DEVICE:
        return "must be the path of a device, such as /dev/ttyUSB0"
    if place[-1] == "root":
        return "must be words with / between them, without +, # and blanks"
    return "must be one topic, without +, # and blanks"


def _numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
