"""A rule of the contract, and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from dynexport.conform.transcript import Transcript


class Outcome(StrEnum):
    """`unseen`: nothing was heard by which it could be judged."""

    KEPT = "kept"
    BROKEN = "broken"
    UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, and in words what was seen."""

    outcome: Outcome
    words: str = ""


Check = Callable[[Transcript], Verdict]


@dataclass(frozen=True, slots=True)
class Rule:
    """`where` names the place in docs/ that states it."""

    id: str
    sentence: str
    where: str
    check: Check


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule with its verdict."""

    rule: Rule
    verdict: Verdict


def kept(words: str = "") -> Verdict:
    """The rule was kept all the time."""
    return Verdict(Outcome.KEPT, words)


def broken(words: str) -> Verdict:
    """The rule was broken: where, what was seen, what to do."""
    return Verdict(Outcome.BROKEN, words)


def unseen(words: str) -> Verdict:
    """It could not be judged, and why."""
    return Verdict(Outcome.UNSEEN, words)
