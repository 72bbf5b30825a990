"""The merge: one envelope from everything that counts now. Only tightens, keeps each result's source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dynexport.messages import SWITCHES, WATT_LIMITS


@dataclass(frozen=True, slots=True)
class Candidate:
    """What one source limits now: watts by attribute, and the switches that it opens.

    A watt that is not in `watts` does not limit; a switch not in `opened` is closed as far as this source goes.
    """

    source: str
    watts: Mapping[str, float] = field(default_factory=dict)
    opened: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Bound:
    """A merged value and the source that set it."""

    value: float
    source: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """The merged limits: None is "no limit", `*_by` the source that opened a switch, None when closed."""

    export_limit_w: Bound | None = None
    generation_limit_w: Bound | None = None
    import_limit_w: Bound | None = None
    load_limit_w: Bound | None = None
    disconnected_by: str | None = None
    deenergized_by: str | None = None

    @property
    def open(self) -> bool:
        """Whether the inverters must be disconnected."""
        return self.disconnected_by is not None or self.deenergized_by is not None

    def bound(self, attribute: str) -> Bound | None:
        """The merged bound of one of WATT_LIMITS."""
        value: Bound | None = getattr(self, attribute)
        return value


def merge(candidates: Iterable[Candidate]) -> Envelope:
    """Per watt the smallest, per switch false wins; ties go to the source first in the alphabet.

    Raises ValueError for a negative or non-finite watt: such a candidate must not have got this far.
    """
    ordered = sorted(candidates, key=lambda candidate: candidate.source)
    bounds = {attribute: _smallest(attribute, ordered) for attribute in WATT_LIMITS}
    opened = {switch: _first_open(switch, ordered) for switch in SWITCHES}
    return Envelope(**bounds, disconnected_by=opened["connect"], deenergized_by=opened["energize"])


def _smallest(attribute: str, candidates: list[Candidate]) -> Bound | None:
    best: Bound | None = None
    for candidate in candidates:
        value = candidate.watts.get(attribute)
        if value is None:
            continue
        if not 0 <= value < float("inf"):
            raise ValueError(f"{candidate.source}.{attribute}: {value} is not a limit")
        if best is None or value < best.value:
            best = Bound(value, candidate.source)
    return best


def _first_open(switch: str, candidates: list[Candidate]) -> str | None:
    return next((candidate.source for candidate in candidates if switch in candidate.opened), None)
