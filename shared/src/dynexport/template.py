"""The payload of a command: text with placeholders such as `${limit_w}`; the braces of JSON stay as they are. Pure."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping, Sequence

LONGEST = 10_000
SAMPLE = "0"


class _Text(string.Template):
    """Only `${name}` is a placeholder; `$$` is a dollar sign."""

    flags = re.NOFLAG
    idpattern = r"(?!)"
    braceidpattern = r"[^{}]*"


def placeholders(text: str) -> list[str]:
    """The names in use, in order; raises ValueError where a `$` begins none."""
    names = []
    for found in _Text.pattern.finditer(text):
        if found["invalid"] is not None:
            raise ValueError(
                f"`{text[found.start() : found.start() + 10]}` is no placeholder: they are written `${{name}}`, "
                "and a dollar sign `$$`"
            )
        if found["braced"] is not None:
            names.append(found["braced"])
    return names


def checked(text: str, allowed: Sequence[str], one_of: Sequence[str]) -> str:
    """The text, when every placeholder is `allowed`, one of `one_of` is in it, and JSON stays JSON; else ValueError."""
    if len(text) > LONGEST:
        raise ValueError(f"is longer than {LONGEST} characters")
    names = placeholders(text)
    for name in names:
        if name not in allowed:
            raise ValueError(f"`${{{name}}}` is no placeholder; there are {_listed(allowed)}")
    if not set(names) & set(one_of):
        raise ValueError(f"says nothing without a placeholder: one of {_listed(one_of)}")
    if text.lstrip()[:1] in ("{", "["):
        try:
            json.loads(filled(text, dict.fromkeys(allowed, SAMPLE)))
        except ValueError as error:
            raise ValueError(f"begins like JSON and is none once it is filled in: {error}") from None
    return text


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders replaced; a name that is not in `values` raises KeyError."""
    return _Text(text).substitute(values)


def whole(number: float) -> str:
    """Rounded down to a whole number; a hair below one counts as that one."""
    return f"{int(number + 1e-6)}"


def short(number: float, places: int) -> str:
    """Rounded down to some places, without zeros at its end."""
    text = f"{int(number * 10**places + 1e-6) / 10**places:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def switch(on: bool) -> str:
    """`true` or `false`, as JSON has them."""
    return "true" if on else "false"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`${{{name}}}`" for name in names)
