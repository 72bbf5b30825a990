"""Settings as the text of a `site.yaml` in which each key bears its meaning, from the models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from dynexport.settings.shape import Location, allowed_types
from dynexport.settings.source import scalar

WIDTH = 110
PLAIN = re.compile(r"[A-Za-z0-9](?:[\w ./()+-]*[\w./()+-])?")


def commented(data: Mapping[str, Any], names: Mapping[Location, str]) -> str:
    """The file's text; `names` says what the owner's own keys mean (`sources`), which no model describes."""
    return "\n".join(_Writer(data, names).lines(data, ())) + "\n"


class _Writer:
    def __init__(self, site: Mapping[str, Any], names: Mapping[Location, str]) -> None:
        self.site = site
        self.names = names

    def lines(self, value: Mapping[str, Any], place: Location) -> Iterator[str]:
        for key, below in value.items():
            indent, here = "  " * len(place), (*place, key)
            if not place:
                yield ""
            if isinstance(below, dict) and below:
                yield from _commented(f"{indent}{key}:", self._about(here), indent)
                yield from self.lines(below, here)
            elif isinstance(below, list | tuple) and any(isinstance(entry, dict) for entry in below):
                yield from _commented(f"{indent}{key}:", self._about(here), indent)
                for number, entry in enumerate(below):
                    yield from _entry(list(self.lines(entry, (*here, number))), len(place))
            else:
                yield from _commented(f"{indent}{key}: {_flow(below)}", self._about(here), indent)

    def _about(self, place: Location) -> str:
        """The description of a setting, from the model that the site's `driver` picks."""
        if place in self.names:
            return self.names[place]
        name = place[-1]
        models = allowed_types(place[:-1], self.site)
        found = [
            model.model_fields[name].description
            for model in models
            if name in getattr(model, "model_fields", ())
        ]
        if not found or not found[0]:
            raise LookupError(f"{place} has no description")
        return str(found[0])


def _entry(lines: list[str], depth: int) -> Iterator[str]:
    """The lines of a list's entry; the first that is no comment bears the dash."""
    dashed = False
    for line in lines:
        if not dashed and not line.lstrip().startswith("#"):
            dashed = True
            yield "  " * depth + "  - " + line.lstrip()
        else:
            yield line


def _commented(line: str, about: str, indent: str) -> list[str]:
    if indent and len(line) + len(about) + 4 <= WIDTH:
        return [f"{line}  # {about}"]
    return [f"{indent}# {about}", line]


def _flow(value: Any) -> str:
    """A value on one line; text in quotes where YAML would read something else."""
    match value:
        case list() | tuple():
            return "[" + ", ".join(_flow(entry) for entry in value) + "]"
        case str():
            plain = PLAIN.fullmatch(value) and scalar(value) == value
            return value if plain else json.dumps(value, ensure_ascii=False)
        case _:
            return json.dumps(value)
