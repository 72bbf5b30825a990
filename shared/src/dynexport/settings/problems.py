"""A mistake in `site.yaml`, and how it is told."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Problem:
    """Where, what was seen, what is wrong with it, and what to do. `key` is the setting's or a variable's name."""

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
    """`site.yaml` cannot be used; `problems` holds every mistake found, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: (problem.file, problem.line or 0))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def near(word: str, allowed: Sequence[str]) -> str | None:
    """The allowed word that was likely meant."""
    return next(iter(difflib.get_close_matches(word, allowed, n=1)), None)


def shown(value: object) -> str:
    """A value as `site.yaml` would say it; text in quotes."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return repr(value)
        case _:
            return str(value)
