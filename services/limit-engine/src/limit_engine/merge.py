"""The merge: one envelope from everything that counts now. Only tightens, keeps each result's source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from dynexport.messages import SWITCHES, WATT_LIMITS


@dataclass(frozen=True, slots=True)
class Candidate:
    """What one source limits now: watts by attribute, and the switches that it opens.

    A watt that is not in `watts` does not limit; a switch not in `opened` is closed as far as this source goes.
    `storage_target_w` is a target of the batteries, + discharge, and never limits anything.
    """

    source: str
    watts: Mapping[str, float] = field(default_factory=dict)
    opened: frozenset[str] = frozenset()
    storage_target_w: float | None = None
    is_obligation: bool = False


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
    storage_target_w: Bound | None = None
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

    Of the targets for the batteries an obligation's goes before every preference's; two of a kind are no tie that
    could be broken by their values, so again the source first in the alphabet is followed.

    Raises ValueError for a negative or non-finite watt: such a candidate must not have got this far.
    """
    ordered = sorted(candidates, key=lambda candidate: candidate.source)
    bounds = {attribute: _smallest(attribute, ordered) for attribute in WATT_LIMITS}
    opened = {switch: _first_open(switch, ordered) for switch in SWITCHES}
    return Envelope(
        **bounds,
        storage_target_w=_target(ordered),
        disconnected_by=opened["connect"],
        deenergized_by=opened["energize"],
    )


def with_charge_buffer(candidate: Candidate, buffer_w: float) -> Candidate:
    """A preference's export limit lifted to `buffer_w`, so that a battery has something to begin to charge from.

    Never an obligation's, and never the agreement's, which are merged as they are: the smallest still wins.
    """
    limit_w = candidate.watts.get("export_limit_w")
    if candidate.is_obligation or limit_w is None or limit_w >= buffer_w:
        return candidate
    return replace(candidate, watts={**candidate.watts, "export_limit_w": buffer_w})


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


def _target(candidates: list[Candidate]) -> Bound | None:
    stated = [
        (candidate, value) for candidate in candidates if (value := candidate.storage_target_w) is not None
    ]
    for candidate, value in sorted(
        stated, key=lambda pair: (not pair[0].is_obligation, pair[0].source, pair[1])
    ):
        if not abs(value) < float("inf"):
            raise ValueError(f"{candidate.source}.storage_target_w: {value} is no power")
        return Bound(value, candidate.source)
    return None


def _first_open(switch: str, candidates: list[Candidate]) -> str | None:
    return next((candidate.source for candidate in candidates if switch in candidate.opened), None)
