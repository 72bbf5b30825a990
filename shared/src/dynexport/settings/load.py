"""Reading `site.yaml`: every mistake at once, each with its line, the value seen, what is allowed and a near match."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dynexport.settings.models import Site
from dynexport.settings.overrides import apply_environment, read_secrets
from dynexport.settings.problems import ConfigError, Problem, from_pydantic
from dynexport.settings.sense import warnings as sense
from dynexport.settings.source import Source, read

__all__ = ["ConfigError", "Problem", "find", "load", "warnings"]


def find(path: Path | None, env: Mapping[str, str]) -> Path:
    """The file meant: the argument, else DYNEXPORT_CONFIG, else ./site.yaml."""
    return path or Path(env.get("DYNEXPORT_CONFIG") or "site.yaml")


def load(path: Path | None = None, env: Mapping[str, str] | None = None) -> Site:
    """Read, override from the environment, check; raises ConfigError with every problem found."""
    environment = os.environ if env is None else env
    source = read(find(path, environment))
    site, problems = _check(source, environment)
    errors = [problem for problem in problems if problem.level == "error"]
    if errors or site is None:
        raise ConfigError(errors)
    return site


def warnings(path: Path | None = None, env: Mapping[str, str] | None = None) -> list[Problem]:
    """What is allowed but hardly meant; raises ConfigError when the file cannot be used at all."""
    environment = os.environ if env is None else env
    source = read(find(path, environment))
    _, problems = _check(source, environment)
    return [problem for problem in problems if problem.level == "warning"]


def _check(source: Source, environment: Mapping[str, str]) -> tuple[Site | None, list[Problem]]:
    data: dict[str, Any] = source.data
    problems = apply_environment(data, environment)
    problems += read_secrets(data, source)
    try:
        site = Site.model_validate(data)
    except ValidationError as error:
        return None, problems + from_pydantic(error, source) + sense(data, source)
    return site, problems + sense(data, source)
