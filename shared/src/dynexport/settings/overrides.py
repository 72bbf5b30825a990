"""Overrides over `site.yaml`: `DYNEXPORT__MQTT__HOST=...` in the environment, and secrets in files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dynexport.settings.problems import Problem, near, shown
from dynexport.settings.sections import SiteSection
from dynexport.settings.shape import Location, allowed_types, is_text, keys, value_at
from dynexport.settings.source import Source, scalar
from dynexport.settings.utility import UtilitySection

PREFIX = "DYNEXPORT__"
STATE_DIR = ("site", "state_dir")
CSIP_FILES = ("cert", "key", "ca")
SECRETS = ("mqtt", "meter")  # each with a `password` and a `password_file`
YAML = (".yaml", ".yml")


def apply_environment(source: Source, env: Mapping[str, str]) -> list[Problem]:
    """Put each `DYNEXPORT__A__B` where it belongs; numbers count into lists, an empty one counts as not set.

    Returns the variables that name no setting.
    """
    problems = []
    for name in sorted(name for name in env if name.startswith(PREFIX) and env[name]):
        found = _place(name, source.data)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            _put(source.data, found, env[name] if is_text(found) else scalar(env[name]))
            source.variables[found] = name
    return problems


def _place(name: str, data: dict[str, Any]) -> Location | Problem:
    """Where a variable points, or why it points nowhere."""
    place: Location = ()
    for word in name.removeprefix(PREFIX).lower().split("__"):
        part: str | int = word
        entries = value_at(data, place)
        if word.isdecimal() and isinstance(entries, list):
            part = int(word)
            if part >= len(entries):
                return _nowhere(
                    name, f"there is no entry {part}: it counts from 0, site.yaml has {len(entries)}"
                )
        if not allowed_types((*place, part), data):
            return _nowhere(name, _meant(place, word, data))
        place = (*place, part)
    return place


def _meant(place: Location, word: str, data: dict[str, Any]) -> str:
    allowed = keys(place, data)
    if meant := near(word, allowed):
        return f"did you mean {variable((*place, meant))}?"
    if allowed:
        return f"allowed here: {', '.join(allowed)}"
    return (
        "docs/config.md names every setting; an entry of a list is named by its number in site.yaml, from 0"
    )


def variable(place: Location) -> str:
    """The environment variable that overrides a setting."""
    return PREFIX + "__".join(str(part).upper() for part in place)


def _nowhere(name: str, hint: str) -> Problem:
    return Problem("environment", None, name, "names no setting", hint=hint)


def _put(data: Any, place: Location, value: Any) -> None:
    """Set a value; sections on the way that are not there, or say nothing, are made."""
    for part in place[:-1]:
        if isinstance(data, dict) and not isinstance(data.get(str(part)), dict | list):
            data[str(part)] = {}
        data = data[part]
    data[place[-1]] = value


def read_secrets(source: Source) -> list[Problem]:
    """Read each `password_file` into its `password`; the environment wins over the file. Returns what failed."""
    return [problem for section in SECRETS for problem in _read_secret(source, section)]


def _read_secret(source: Source, section: str) -> list[Problem]:
    password, file = (section, "password"), (section, "password_file")
    name = value_at(source.data, file)
    if not isinstance(name, str) or not allowed_types(file, source.data) or password in source.variables:
        return []
    if value_at(source.data, password) is not None and file not in source.variables:
        return [source.problem(password, "stands beside `password_file`", hint="keep one of the two")]
    try:
        text = (Path(source.file).parent / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return [source.problem(file, "is not text in UTF-8", value=shown(name))]
    except OSError as error:
        return [source.problem(file, f"cannot be read: {error.strerror}", value=shown(name))]
    source.data[section]["password"] = text.rstrip("\r\n")
    return [] if text.strip() else [source.problem(file, "is an empty file", value=shown(name))]


def place_files(source: Source) -> None:
    """Make `site.state_dir`, the files of `csip`, device descriptions and the simulated utility's folder paths from
    where `site.yaml` is.
    """
    entries = source.data.get("inverters")
    for entry in [*(entries if isinstance(entries, list) else []), source.data.get("meter")]:
        if isinstance(entry, dict) and str(entry.get("device", "")).endswith(YAML):
            entry["device"] = str(Path(source.file).parent / entry["device"])
    csip = source.data.get("csip")
    if isinstance(csip, dict):
        for key in CSIP_FILES:
            if isinstance(csip.get(key), str):
                csip[key] = str(Path(source.file).parent / csip[key])
    utility = source.data.get("utility_simulator")
    if isinstance(utility, dict):
        folder = utility.get("folder") or UtilitySection.model_fields["folder"].default
        utility["folder"] = str(Path(source.file).parent / str(folder))
    section = source.data.get("site")
    name = value_at(source.data, STATE_DIR) or SiteSection.model_fields["state_dir"].default
    if isinstance(section, dict) and isinstance(name, str):
        section["state_dir"] = str(Path(source.file).parent / name)
