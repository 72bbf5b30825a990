"""A file of answers: a `site.yaml` in which every question of `setup` is answered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dynexport.settings.models import Site
from dynexport.settings.problems import ConfigError, Problem
from dynexport.settings.sense import doubts
from dynexport.settings.shape import Location, value_at
from dynexport.settings.source import Source, read
from dynexport.settings.words import from_pydantic

QUESTIONS: dict[Location, str] = {
    ("site", "time_zone"): "for example `time_zone: Australia/Adelaide`",
    ("site", "phases"): "phases of the grid connection, 1 or 3",
    ("agreement", "export_limit_w"): "the watts that your connection agreement allows",
    ("agreement", "failsafe_export_limit_w"): "what it allows when something has failed, often 1500",
    ("agreement", "export_limit_per_phase_w"): "what each phase may export; `null` where the agreement says nothing",
    ("meter",): "`driver`, and where it answers",
    ("inverters",): "one entry for each",
    ("batteries",): "every battery of the site; `[]` where there is none: nobody guesses this",
    ("uncontrolled",): "everything else that makes power here (another solar system, a generator, a battery that "
    "Dynexport does not read); `[]` where there is nothing: nobody guesses this",
    ("sources",): "who may limit the site; `{}` where nobody but the agreement may",
    ("mqtt", "host"): "where the broker is, for example `localhost`",
}  # fmt: skip


def read_answers(path: Path) -> dict[str, Any]:
    """The answers as settings; raises ConfigError with every question that is not answered and every mistake."""
    source = read(path)
    problems = [
        source.problem(place, "is not answered", hint=hint)
        for place, hint in QUESTIONS.items()
        if not _answered(source.data, place)
    ]
    if value_at(source.data, ("control", "enabled")) is True:
        hint = (
            "leave it out: setup never enables writing; `dynexport enable` does, when everything looks right"
        )
        problems.append(source.problem(("control", "enabled"), "must be false here", hint=hint))
    for place in (("mqtt", "password"), ("meter", "password")):
        if value_at(source.data, place) is not None:
            hint = "put it into a file, readable by you only, and name that in `password_file`"
            problems.append(source.problem(place, "site.yaml holds no secrets", hint=hint))
    if found := [*problems, *mistakes(source, {problem.key for problem in problems})]:
        raise ConfigError(found)
    return source.data


def mistakes(source: Source, told: set[str] = frozenset()) -> list[Problem]:  # type: ignore[assignment]
    """What makes settings unusable, but for the keys that were told already."""
    problems = [problem for problem in doubts(source) if problem.level == "error"]
    try:
        Site.model_validate(source.data)
    except ValidationError as error:
        problems += from_pydantic(error, source)
    return [problem for problem in problems if not _below(problem.key, told)]


def _below(key: str, told: set[str]) -> bool:
    return any(key == other or other.startswith(f"{key}.") for other in told)


def _answered(data: Mapping[str, Any], place: Location) -> bool:
    above = value_at(data, place[:-1]) if place[:-1] else data
    if not isinstance(above, dict) or place[-1] not in above:
        return False
    return above[place[-1]] is not None or place[-1] == "export_limit_per_phase_w"
