"""A check's verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check went; `doubt` may be right and wants a look."""

    OK = "ok"
    DOUBT = "doubt"
    WRONG = "wrong"


EXIT_CODES = {Verdict.OK: 0, Verdict.DOUBT: 1, Verdict.WRONG: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what to do about it (empty when nothing)."""

    verdict: Verdict
    about: str
    sentence: str
    advice: str = ""


def ok(about: str, sentence: str) -> Finding:
    """It is as it should be."""
    return Finding(Verdict.OK, about, sentence)


def doubt(about: str, sentence: str, advice: str = "") -> Finding:
    """It may be meant so."""
    return Finding(Verdict.DOUBT, about, sentence, advice)


def wrong(about: str, sentence: str, advice: str) -> Finding:
    """It cannot stay so."""
    return Finding(Verdict.WRONG, about, sentence, advice)


def exit_code(findings: Iterable[Finding]) -> int:
    """0 when all is well, 1 with doubts, 2 when something is wrong."""
    return max((EXIT_CODES[finding.verdict] for finding in findings), default=0)
