"""Types and their bounds in a reader's words."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterable, Iterator
from datetime import datetime, time
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from dynexport.settings.base import DEVICE, IDENTIFIER
from dynexport.settings.shape import alternatives

WORDS = {
    float: "number",
    int: "whole number",
    str: "text",
    bool: "true or false",
    datetime: "time",
    AwareDatetime: "time",
    time: "time of day",
    SecretStr: "secret",
    Any: "anything",
}

NUMERIC = ("ge", "gt", "le", "lt")
ABSURD = 1e7


def type_words(annotation: Any) -> str:
    """`number`, `list of text`, or the words themselves where only some are allowed; null left out."""
    return " or ".join(dict.fromkeys(_one(kind) for kind in alternatives(annotation)))


def _one(kind: Any) -> str:
    if kind in WORDS:
        return WORDS[kind]
    arguments = typing.get_args(kind)
    match typing.get_origin(kind):
        case typing.Literal:
            return ", ".join(code(word) for word in arguments)
        case origin if origin in (tuple, list):
            return f"list of {type_words(arguments[0])}"
        case origin if origin is dict:
            return "object" if arguments[1] is Any else f"{type_words(arguments[1])} by name"
    if issubclass(kind, StrEnum):
        return ", ".join(f"`{member.value}`" for member in kind)
    if issubclass(kind, BaseModel):
        return "settings"
    raise TypeError(f"no words for {kind}")


def may_be_null(annotation: Any) -> bool:
    """Whether null is allowed."""
    return type(None) in typing.get_args(annotation)


def code(value: object) -> str:
    """A value as it is written, in backticks."""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def bounds(field: FieldInfo) -> str:
    """`0.2 to 5`, `more than 0`; empty where everything is allowed."""
    found: dict[str, Any] = {}
    for constraint in _constraints([*field.metadata, field.annotation]):
        for name in (*NUMERIC, "pattern", "min_length", "max_length"):
            if getattr(constraint, name, None) is not None:
                found[name] = getattr(constraint, name)
    return ", ".join([*_range(found), *_lengths(found)])


def _constraints(parts: Iterable[Any]) -> Iterator[Any]:
    for part in parts:
        if isinstance(part, FieldInfo):
            yield from _constraints(part.metadata)
        elif typing.get_args(part):
            yield from _constraints([*typing.get_args(part), *getattr(part, "__metadata__", ())])
        else:
            yield part


def _range(found: dict[str, Any]) -> Iterator[str]:
    """Bounds that only keep out absurd numbers are not told."""
    found = {name: bound for name, bound in found.items() if name not in NUMERIC or abs(bound) < ABSURD}
    low = f"{found['ge']:.15g}" if "ge" in found else f"more than {found['gt']:.15g}" if "gt" in found else ""
    high = (
        f"{found['le']:.15g}" if "le" in found else f"less than {found['lt']:.15g}" if "lt" in found else ""
    )
    if low and high:
        yield f"{low} to {high}" if "le" in found else f"{low} and {high}"
    elif low:
        yield f"{low} or more" if "ge" in found else low
    elif high:
        yield f"{high} or less" if "le" in found else high


def _lengths(found: dict[str, Any]) -> Iterator[str]:
    if found.get("pattern") == IDENTIFIER:
        yield "lower-case letters, digits, `-` and `_`, 32 at most"
    elif found.get("pattern") == DEVICE:
        yield "a path from `/` on"
    elif "pattern" in found:
        yield "no `+`, no `#`, no blanks"
    if "max_length" in found:
        yield (
            f"1 to {found['max_length']} entries"
            if "min_length" in found
            else f"{found['max_length']} at most"
        )
    elif "min_length" in found and "pattern" not in found:
        yield "not empty"
