"""A small JSON Schema check (2020-12): the words that our schemas use, and an error for any other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

IGNORED = {"$schema", "$defs", "title", "description", "default"}
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "enum": lambda value, wanted: value in wanted,
    "const": lambda value, wanted: value == wanted,
    "minimum": lambda value, wanted: value >= wanted,
    "maximum": lambda value, wanted: value <= wanted,
    "exclusiveMinimum": lambda value, wanted: value > wanted,
    "exclusiveMaximum": lambda value, wanted: value < wanted,
    "minLength": lambda value, wanted: len(value) >= wanted,
    "maxLength": lambda value, wanted: len(value) <= wanted,
    "minItems": lambda value, wanted: len(value) >= wanted,
    "maxItems": lambda value, wanted: len(value) <= wanted,
    "pattern": lambda value, wanted: re.search(wanted, value) is not None,
    "format": lambda value, wanted: _is_format(value, wanted),
    "required": lambda value, wanted: set(wanted) <= set(value),
}


def violations(value: Any, schema: dict[str, Any]) -> list[str]:
    """Each way in which a value does not fit a schema."""
    return list(_check(value, schema, schema, "$"))


def _check(value: Any, schema: dict[str, Any], root: dict[str, Any], where: str) -> Iterator[str]:
    wanted = schema.get("type")
    if wanted is not None and not _is_type(value, wanted):
        yield f"{where}: {value!r} is no {wanted}"
        return
    for word, rule in schema.items():
        if word in TESTS:
            if not TESTS[word](value, rule):
                yield f"{where}: {value!r} breaks {word} {rule}"
        elif word not in IGNORED and word != "type":
            yield from _structure(word, rule, value, root, where)


def _structure(word: str, rule: Any, value: Any, root: dict[str, Any], where: str) -> Iterator[str]:
    match word:
        case "$ref":
            yield from _check(value, root["$defs"][rule.removeprefix("#/$defs/")], root, where)
        case "anyOf" | "oneOf":
            if all(any(True for _ in _check(value, option, root, where)) for option in rule):
                yield f"{where}: {value!r} fits none of {word}"
        case "properties":
            for name in rule.keys() & value.keys():
                yield from _check(value[name], rule[name], root, f"{where}.{name}")
        case "items":
            for number, entry in enumerate(value):
                yield from _check(entry, rule, root, f"{where}[{number}]")
        case "additionalProperties" if rule is True:
            return
        case _:
            raise NotImplementedError(f"this check does not know {word}")


def _is_type(value: Any, wanted: str) -> bool:
    return isinstance(value, TYPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool))


def _is_format(value: str, wanted: str) -> bool:
    if wanted != "date-time":
        raise NotImplementedError(f"this check does not know the format {wanted}")
    return datetime.fromisoformat(value).tzinfo is not None
