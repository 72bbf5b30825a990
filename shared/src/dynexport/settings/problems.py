"""A mistake in `site.yaml`, and how it is told."""

from __future__ import annotations

import difflib
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, SecretStr, ValidationError

if TYPE_CHECKING:
    from dynexport.settings.source import Source

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Where, what was seen, what is wrong with it, and what to do."""

    file: str
    line: int | None
    key: str
    message: str
    value: str | None = None
    hint: str | None = None
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        text = f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"
        if self.value is not None:
            text += f" (it says {self.value})"
        return text + (f"\n    {self.hint}" if self.hint else "")


class ConfigError(Exception):
    """`site.yaml` cannot be used; `problems` holds every mistake found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def dotted(location: Location) -> str:
    """`inverters[0].tcp.port`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def near(word: str, allowed: list[str]) -> str | None:
    """The likeliest meant word as a hint, or the list of what is allowed."""
    close = difflib.get_close_matches(word, allowed, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"allowed here: {', '.join(allowed)}" if allowed else None


def from_pydantic(error: ValidationError, source: Source) -> list[Problem]:
    """Each of pydantic's errors in plain words."""
    details = error.errors(include_url=False)
    # a list whose entries are all wrong counts as empty: its entries' mistakes are told, not that
    return [
        _problem(detail, source)
        for detail in details
        if not (detail["type"] == "too_short" and detail["input"])
    ]


def _problem(detail: Any, source: Source) -> Problem:
    location = source.real(detail["loc"])
    kind, context = detail["type"], detail.get("ctx", {})
    value = None if kind == "missing" or isinstance(detail["input"], dict | list) else _shown(detail["input"])
    message, hint = detail["msg"], None
    match kind:
        case "missing":
            message, hint = "is missing", source.example(location)
        case "extra_forbidden":
            message = "no such setting"
            hint, value = near(str(location[-1]), source.keys(location[:-1])), None
        case "literal_error" | "enum":
            allowed = [part.strip(" '") for part in context["expected"].replace(" or ", ",").split(",")]
            message, hint = f"must be one of {', '.join(allowed)}", near(str(detail["input"]), allowed)
        case "union_tag_not_found" | "union_tag_invalid":
            allowed = [
                part.strip(" '") for part in str(context.get("expected_tags", "'sunspec', 'mqtt'")).split(",")
            ]
            location = (*location, "driver")
            message, hint = f"must be one of {', '.join(allowed)}", near(str(context.get("tag", "")), allowed)
            value = _shown(context["tag"]) if "tag" in context else None
        case "model_type" | "model_attributes_type" | "dict_type":
            message = "needs settings below it, one `key: value` a line"
        case "tuple_type":
            message = "must be a list"
        case "value_error":
            message, value = str(context["error"]), value if location else None
        case _ if kind.startswith(("float_", "int_")) and kind.endswith(("parsing", "type")):
            message = "must be a number"
        case _ if kind.startswith("bool_"):
            message = "must be true or false"
        case "greater_than_equal" | "greater_than" | "less_than_equal" | "less_than":
            message = detail["msg"].replace("Input should", "must")
        case "string_pattern_mismatch":
            message = f"must fit {context['pattern']}"
        case "too_short":
            message = "must not be empty"
        case _:
            message = detail["msg"].replace("Input should", "must")
    return Problem(source.file, source.line(location), dotted(location), message, value, hint)


def _shown(value: object) -> str:
    return (
        "a secret" if isinstance(value, SecretStr) else repr(value) if isinstance(value, str) else str(value)
    )


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The settings models that an annotation holds, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found: list[type[BaseModel]] = []
    for part in typing.get_args(annotation):
        found += models_in(part)
    return found
