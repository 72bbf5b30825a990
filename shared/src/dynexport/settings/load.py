"""Reading `site.yaml`: every mistake at once, each with its line, the value seen, what is allowed and a near match."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dynexport.settings.described import descriptions
from dynexport.settings.models import Site
from dynexport.settings.overrides import apply_environment, place_files, read_secrets
from dynexport.settings.problems import ConfigError, Problem
from dynexport.settings.sense import doubts
from dynexport.settings.source import read
from dynexport.settings.words import from_pydantic

__all__ = ["ConfigError", "Problem", "find", "load", "load_with_warnings", "masked", "warnings"]


def find(path: Path | None, env: Mapping[str, str]) -> Path:
    """The file meant: the argument, else DYNEXPORT_CONFIG, else ./site.yaml."""
    return path or Path(env.get("DYNEXPORT_CONFIG") or "site.yaml")


def load(path: Path | None = None, env: Mapping[str, str] | None = None) -> Site:
    """Read, override from the environment, check; raises ConfigError with every mistake found."""
    return load_with_warnings(path, env)[0]


def warnings(path: Path | None = None, env: Mapping[str, str] | None = None) -> list[Problem]:
    """What is allowed but hardly meant; raises ConfigError when the file cannot be used at all."""
    return load_with_warnings(path, env)[1]


def load_with_warnings(
    path: Path | None = None, env: Mapping[str, str] | None = None
) -> tuple[Site, list[Problem]]:
    """The site, and what is allowed but hardly meant; raises ConfigError with every mistake found."""
    environment = os.environ if env is None else env
    source = read(find(path, environment))
    problems = [*apply_environment(source, environment), *read_secrets(source), *doubts(source)]
    place_files(source)
    try:
        site = Site.model_validate(source.data)
    except ValidationError as error:
        raise ConfigError([*_errors(problems), *from_pydantic(error, source)]) from None
    problems += descriptions(site, source)
    if errors := _errors(problems):
        raise ConfigError(errors)
    return site, problems


def masked(site: Site) -> dict[str, Any]:
    """The settings as a service may publish them: secrets are stars."""
    return site.model_dump(mode="json")


def _errors(problems: list[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.level == "error"]
