"""Which limit sources count now: contract.md, "Two kinds of limit source" and its rules on `limit/+`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from dynexport.messages import SWITCHES, WATT_LIMITS, Limit
from dynexport.settings.models import Site, Source
from limit_engine.merge import Candidate

SILENT_AFTER_S = 60.0
MAX_SKEW_S = 5.0


@dataclass(frozen=True, slots=True)
class SourceState:
    """One listed source: its last statement, and until when it counts (monotonic)."""

    name: str
    source: Source
    started: float
    statement: Limit | None = None
    deadline: float | None = None
    spoke_live: bool = False
    paused_until: float = -1.0

    @property
    def is_obligation(self) -> bool:
        """Whether silence means a fallback."""
        return self.source.kind == "obligation"

    def alive(self, mono: float) -> bool:
        """Whether the last statement still counts."""
        return self.statement is not None and self.deadline is not None and mono <= self.deadline

    def settled(self, mono: float) -> bool:
        """Whether the engine knows what this source means: it spoke, or its deadline since start has passed."""
        return not self.is_obligation or self.spoke_live or mono > self.started + SILENT_AFTER_S

    def paused(self, mono: float) -> bool:
        """Whether the owner has paused it."""
        return mono < self.paused_until


@dataclass(frozen=True, slots=True)
class Heard:
    """The outcome of one message: the new state, and why it was refused, if it was."""

    state: SourceState
    refused: str | None = None
    skew_s: float | None = None


def hear(state: SourceState, limit: Limit | None, retained: bool, wall: datetime, mono: float) -> Heard:
    """Take in one message from `limit/<name>`; None is an empty payload, a withdrawal."""
    if limit is None:
        return Heard(state if retained else replace(state, statement=None, deadline=mono))
    if state.is_obligation:
        return _hear_obligation(state, limit, retained, wall, mono)
    return _hear_preference(state, limit, retained, wall, mono)


def _hear_obligation(state: SourceState, limit: Limit, retained: bool, wall: datetime, mono: float) -> Heard:
    if retained:
        return Heard(state, refused="a stored copy is no word from an obligation")
    if limit.issued_at is None:
        return Heard(state, refused="an obligation must say `issued_at`")
    skew_s = (wall - limit.issued_at).total_seconds()
    if abs(skew_s) > MAX_SKEW_S:
        return Heard(state, refused=f"issued_at differs by {skew_s:.1f} s", skew_s=skew_s)
    return Heard(replace(state, statement=limit, deadline=mono + _ttl_s(state, limit), spoke_live=True))


def _hear_preference(state: SourceState, limit: Limit, retained: bool, wall: datetime, mono: float) -> Heard:
    ttl_s = _ttl_s(state, limit)
    if not retained:
        return Heard(replace(state, statement=limit, deadline=mono + ttl_s, spoke_live=True))
    if limit == state.statement:  # the same stored copy after a reconnect changes nothing
        return Heard(state)
    if limit.issued_at is not None:
        if state.statement and state.statement.issued_at and limit.issued_at < state.statement.issued_at:
            return Heard(state, refused="a stored copy older than what was heard since")
        ttl_s = min(ttl_s, (limit.issued_at - wall).total_seconds() + ttl_s)
    return Heard(replace(state, statement=limit, deadline=mono + ttl_s))


def _ttl_s(state: SourceState, limit: Limit) -> float:
    return SILENT_AFTER_S if limit.ttl_s is None else min(limit.ttl_s, state.source.longest_ttl_s)


def pause(state: SourceState, until: float) -> SourceState:
    """A preference that the owner does not want for a while; raises ValueError for an obligation."""
    if state.is_obligation:
        raise ValueError(f"{state.name} is an obligation: it cannot be paused")
    return replace(state, paused_until=until)


def agreement(site: Site) -> Candidate:
    """The connection agreement as a candidate that never goes stale."""
    section = site.agreement
    watts = {name: getattr(section, name) for name in WATT_LIMITS if getattr(section, name) is not None}
    return Candidate("agreement", {**watts, "export_limit_w": site.export_limit_w}, is_obligation=True)


def fallback(state: SourceState, attributes: tuple[str, ...] = (*WATT_LIMITS, *SWITCHES)) -> Candidate:
    """What a silent obligation means, for the named attributes."""
    given = state.source.fallback
    values = {name: getattr(given, name) for name in attributes} if given else {}
    return replace(_candidate(state.name, values), is_obligation=True)


def candidate(state: SourceState, mono: float) -> Candidate | None:
    """What this source limits now, or None when it does not count.

    A live statement's own attributes, and for those that an obligation leaves out its fallback.
    """
    statement = state.statement
    if statement is not None and state.alive(mono):
        if not state.is_obligation and state.paused(mono):
            return None
        attributes = (*WATT_LIMITS, *SWITCHES)
        stated = {name: getattr(statement, name) for name in attributes if statement.states(name)}
        own = replace(_candidate(state.name, stated), storage_target_w=statement.storage_target_w)
        if not state.is_obligation:
            return own
        rest = fallback(state, tuple(name for name in attributes if name not in stated))
        return replace(
            own, watts={**rest.watts, **own.watts}, opened=own.opened | rest.opened, is_obligation=True
        )
    if state.is_obligation and state.settled(mono):
        return fallback(state)
    return None


def _candidate(name: str, values: dict[str, float | bool | None]) -> Candidate:
    watts = {key: float(value) for key, value in values.items() if key in WATT_LIMITS and value is not None}
    opened = frozenset(key for key, value in values.items() if key in SWITCHES and value is False)
    return Candidate(name, watts, opened)
