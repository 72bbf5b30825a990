"""`site.yaml` as plain data, and the line on which each setting stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynexport.settings.models import Site
from dynexport.settings.problems import ConfigError, Location, Problem, models_in

EXAMPLES = {
    "time_zone": "for example `time_zone: Australia/Adelaide`",
    "export_limit_w": "the watts that your connection agreement allows, for example `export_limit_w: 5000`",
    "failsafe_export_limit_w": "what your agreement allows when something failed, often 1500",
    "driver": "for example `driver: sunspec`",
    "tcp": "for example `tcp: {host: 192.0.2.10, port: 502}`",
}


@dataclass(frozen=True, slots=True)
class Source:
    """One file, read."""

    file: str
    data: dict[str, Any]
    lines: dict[Location, int]

    def line(self, location: Location) -> int | None:
        """The line of a setting, or of the nearest one above it; None at the top."""
        while location:
            if location in self.lines:
                return self.lines[location]
            location = location[:-1]
        return None

    def real(self, location: Location) -> Location:
        """A pydantic location without the names of union members, which stand in no file."""
        kept: list[str | int] = []
        value: Any = self.data
        for number, part in enumerate(location):
            last = number == len(location) - 1
            if isinstance(value, dict) and part not in value and not last:
                continue
            kept.append(part)
            if isinstance(value, dict):
                value = value.get(part)
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                value = value[part]
        return tuple(kept)

    def keys(self, location: Location) -> list[str]:
        """The settings allowed below a place."""
        models = [Site]
        for part in location:
            if isinstance(part, int):
                continue
            fields = [model.model_fields[part] for model in models if part in model.model_fields]
            found = [found for field in fields for found in models_in(field.annotation)]
            models = found or models  # type: ignore[assignment]
        driver = self._driver(location)
        fitting = [
            model for model in models if driver is None or driver in str(model.model_fields.get("driver"))
        ]
        return sorted({name for model in (fitting or models) for name in model.model_fields})

    def example(self, location: Location) -> str | None:
        """What a missing setting could say."""
        return EXAMPLES.get(str(location[-1])) if location else None

    def _driver(self, location: Location) -> str | None:
        value: Any = self.data
        for part in location:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value.get("driver") if isinstance(value, dict) else None


def read(path: Path) -> Source:
    """Read a file; raises ConfigError for one that is missing, empty or not YAML."""
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        hint = "name it with --config or DYNEXPORT_CONFIG, or start from docs/site.example.yaml"
        raise ConfigError([Problem(str(path), None, "", "there is no such file", hint=hint)]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), None, "", f"cannot be read: {error}")]) from error
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(text)
        data = YAML(typ="safe", pure=True).load(text)
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        message = (
            str(error.problem).split(" with value")[0].replace("found duplicate", "there are two of the same")
        )
        raise ConfigError([Problem(str(path), line, "", message, hint="keep one of the two")]) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        hint = (
            "indent with spaces, never with tabs"
            if "\t" in text
            else "look at this line and the one before it"
        )
        raise ConfigError(
            [Problem(str(path), line, "", f"is not YAML: {error.problem}", hint=hint)]
        ) from None
    except YAMLError as error:
        raise ConfigError([Problem(str(path), None, "", f"is not YAML: {error}")]) from None
    if not isinstance(data, dict):
        what = "is empty" if data is None else "must be settings, one `key: value` a line"
        raise ConfigError([Problem(str(path), None, "", what, hint="start from docs/site.example.yaml")])
    lines: dict[Location, int] = {}
    _number(node, (), lines)
    return Source(str(path), data, lines)


def _number(node: Any, location: Location, lines: dict[Location, int]) -> None:
    if isinstance(node.value, str):
        return
    for number, child in enumerate(node.value):
        if isinstance(child, tuple):
            key, value = child
            below: Location = (*location, key.value)
            lines[below] = key.start_mark.line + 1
            _number(value, below, lines)
        else:
            below = (*location, number)
            lines[below] = child.start_mark.line + 1
            _number(child, below, lines)
