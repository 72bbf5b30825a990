"""The descriptions that are shipped, and an owner's own: found by name or path, read, checked."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import ValidationError

from dynexport.modbus.registers.checks import problems
from dynexport.modbus.registers.model import Description
from dynexport.settings.overrides import YAML
from dynexport.settings.problems import ConfigError, Problem, near
from dynexport.settings.source import read
from dynexport.settings.words import from_pydantic

SHIPPED = Path(__file__).parents[2] / "devices"
START = "start from a shipped one: `dynexport devices --show NAME`"


def names() -> list[str]:
    """The shipped descriptions, sorted."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def is_path(device: str) -> bool:
    """Whether `device` in site.yaml is a file of the owner's, not a shipped name."""
    return device.endswith(YAML)


def path_of(device: str) -> Path:
    """The file meant; raises ConfigError for a name that no shipped one has."""
    if is_path(device):
        return Path(device)
    if device not in names():
        meant = near(device, names())
        known = f"there are {', '.join(names())}; or the path of a .yaml of your own"
        hint = f"did you mean {meant}?" if meant else known
        raise ConfigError(
            [Problem("site.yaml", None, "", f"no device description is named {device!r}", hint=hint)]
        )
    return SHIPPED / f"{device}.yaml"


@cache
def description(device: str) -> Description:
    """Read and check one; raises ConfigError with every mistake, its line, and what is allowed."""
    source = read(path_of(device), Description, start=START)
    try:
        found = Description.model_validate(source.data)
    except ValidationError as error:
        raise ConfigError(from_pydantic(error, source)) from None
    if mistakes := problems(found, source):
        raise ConfigError(mistakes)
    return found
