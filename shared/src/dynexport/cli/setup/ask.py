"""One question on the terminal, asked again until its answer makes sense. What may not be guessed has no default."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import typer

from dynexport.settings.base import IDENTIFIER
from dynexport.settings.problems import near
from dynexport.settings.sense import KILOWATTS_BELOW

T = TypeVar("T")
NONE = "none"
YES, NO = ("y", "yes"), ("n", "no")


def ask(question: str, check: Callable[[str], T], default: object = None) -> T:
    """The checked answer; `check` raises ValueError with what is wrong."""
    while True:
        said = typer.prompt(question, default=None if default is None else str(default))
        try:
            return check(str(said).strip())
        except ValueError as error:
            typer.echo(f"  {error}")


def yes(question: str, default: bool | None = None) -> bool:
    """Yes or no; without a default it must be said."""
    shown = {None: " (yes or no)", True: "", False: ""}[default]
    return ask(f"{question}{shown}", _yes, None if default is None else ("no", "yes")[default])


def _yes(said: str) -> bool:
    if said.lower() not in (*YES, *NO):
        raise ValueError("say yes or no: nobody guesses this")
    return said.lower() in YES


def text(said: str) -> str:
    """Anything."""
    return said


def one_of(*words: str) -> Callable[[str], str]:
    """One of these words."""

    def check(said: str) -> str:
        if said.lower() not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return said.lower()

    return check


def watts(said: str) -> int | float:
    """Watts, 0 or more; what looks like kilowatts is asked about."""
    value = number(said)
    if value < 0:
        raise ValueError("must be 0 or more")
    if 0 < value < KILOWATTS_BELOW:
        raise ValueError(f"is in watts, not kilowatts: did you mean {value * 1000:g}?")
    return value


def rating(said: str) -> int | float:
    """Watts, more than 0."""
    value = watts(said)
    if value <= 0:
        raise ValueError("must be more than 0")
    return value


def watts_or_none(said: str) -> int | float | None:
    """Watts, or the word none."""
    return None if said.lower() == NONE else watts(said)


def number(said: str) -> int | float:
    """A number, whole where it can be."""
    try:
        value = float(said.removesuffix("W").strip())
    except ValueError:
        raise ValueError(f"{said!r} is no number") from None
    if abs(value) > 1e7:
        raise ValueError("is too large: 10 MW at most")
    return int(value) if value.is_integer() else value


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number between two."""

    def check(said: str) -> int:
        if not said.isdecimal() or not least <= int(said) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(said)

    return check


def zone(said: str) -> str:
    """A time zone by its IANA name."""
    try:
        ZoneInfo(said)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        meant = near(said, sorted(available_timezones())) or "Australia/Adelaide"
        raise ValueError(f"no such time zone; for example {meant}") from None
    return said


def new_id(taken: set[str]) -> Callable[[str], str]:
    """A name in topics that is still free."""

    def check(said: str) -> str:
        if not re.fullmatch(IDENTIFIER, said):
            raise ValueError("must be a short name of lower-case letters, digits, - and _, 32 at most")
        if said in taken:
            raise ValueError(f"{said} is taken")
        taken.add(said)
        return said

    return check


def clock(said: str) -> str:
    """A time of day, `10:00`."""
    if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", said):
        raise ValueError("must be a time of day, such as 10:00; midnight is 00:00")
    return said.zfill(5)
