"""Overrides over `site.yaml`: `DYNEXPORT__MQTT__HOST=...` in the environment, and secrets in files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynexport.settings.problems import Problem

if TYPE_CHECKING:
    from dynexport.settings.source import Source

PREFIX = "DYNEXPORT__"


def apply_environment(data: dict[str, Any], env: Mapping[str, str]) -> list[Problem]:
    """Put each `DYNEXPORT__A__B` where it belongs; numbers count into lists. Returns what did not fit."""
    problems = []
    for name in sorted(env):
        if name.startswith(PREFIX):
            *above, last = [part.lower() for part in name.removeprefix(PREFIX).split("__")]
            try:
                place = _descend(data, above)
                place[int(last) if isinstance(place, list) else last] = env[name]
            except (KeyError, IndexError, ValueError, TypeError):
                problems.append(
                    Problem("environment", None, name, "names no setting", hint="see docs/config.md")
                )
    return problems


def _descend(data: Any, parts: list[str]) -> Any:
    for part in parts:
        if isinstance(data, list):
            data = data[int(part)]
        else:
            if data.get(part) is None:
                data[part] = {}
            data = data[part]
        if not isinstance(data, dict | list):
            raise TypeError(part)
    return data


def read_secrets(data: dict[str, Any], source: Source) -> list[Problem]:
    """Read `mqtt.password_file` into `mqtt.password`. Returns what could not be read."""
    mqtt = data.get("mqtt")
    if not isinstance(mqtt, dict) or not isinstance(mqtt.get("password_file"), str):
        return []
    path = Path(mqtt["password_file"])
    try:
        mqtt["password"] = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        line = source.line(("mqtt", "password_file"))
        return [Problem(source.file, line, "mqtt.password_file", f"cannot be read: {error}")]
    return []
