"""The merge's invariants, each one sentence; used by hypothesis in the tests and by `make soak`."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from dynexport.messages import SWITCHES, WATT_LIMITS
from limit_engine.merge import Candidate, Envelope, merge, with_charge_buffer

SOURCES = ("agreement", "csip", "manual", "price", "tariff")
OBLIGATIONS = ("agreement", "csip")
NO_LIMIT = float("inf")


def watts(envelope: Envelope, attribute: str) -> float:
    """A merged watt, infinity when nothing limits."""
    bound = envelope.bound(attribute)
    return NO_LIMIT if bound is None else bound.value


def random_candidate(rng: random.Random) -> Candidate:
    """A candidate of any shape, with ties likely."""
    chosen = [attribute for attribute in WATT_LIMITS if rng.random() < 0.5]
    values = {attribute: rng.choice((0.0, 1500.0, 5000.0, rng.uniform(0, 20_000))) for attribute in chosen}
    opened = frozenset(switch for switch in SWITCHES if rng.random() < 0.15)
    source = rng.choice(SOURCES)
    target_w = rng.choice((None, None, 0.0, -3000.0, rng.uniform(-10_000, 10_000)))
    return Candidate(source, values, opened, target_w, is_obligation=source in OBLIGATIONS)


def broken_merge_invariant(
    candidates: Sequence[Candidate], more: Candidate, rng: random.Random
) -> str | None:
    """The first invariant that these candidates break, in words, or None. `more` is one limit more."""
    result = merge(candidates)
    grown = merge([*candidates, more])
    shuffled = list(candidates)
    rng.shuffle(shuffled)
    obliged = merge(candidate for candidate in candidates if candidate.is_obligation)
    buffer_w = rng.choice((0.0, 200.0, 20_000.0))
    lifted = merge(with_charge_buffer(candidate, buffer_w) for candidate in candidates)
    targets = [candidate for candidate in candidates if candidate.storage_target_w is not None]
    checks: dict[str, Callable[[], bool]] = {
        "the order of sources changes nothing": lambda: merge(shuffled) == result,
        "one limit more never raises a watt": lambda: all(
            watts(grown, name) <= watts(result, name) for name in WATT_LIMITS
        ),
        "one limit more never closes a switch": lambda: _opened(result) <= _opened(grown),
        "a watt is the smallest of those stated": lambda: all(
            watts(result, name)
            == min((c.watts[name] for c in candidates if name in c.watts), default=NO_LIMIT)
            for name in WATT_LIMITS
        ),
        "no watt is below every statement": lambda: all(
            bound is None or any(c.watts.get(name) == bound.value for c in candidates)
            for name in WATT_LIMITS
            for bound in [result.bound(name)]
        ),
        "the source named is one that states this value": lambda: all(
            bound is None
            or any(c.source == bound.source and c.watts.get(name) == bound.value for c in candidates)
            for name in WATT_LIMITS
            for bound in [result.bound(name)]
        ),
        "a switch is open exactly when a source opens it": lambda: (
            _opened(result) == frozenset().union(*(c.opened for c in candidates))
        ),
        "nothing stated is no limit": lambda: all(
            (result.bound(name) is None) == all(name not in c.watts for c in candidates)
            for name in WATT_LIMITS
        ),
        "no watt is negative or NaN": lambda: all(watts(result, name) >= 0 for name in WATT_LIMITS),
        "saying it twice changes nothing": lambda: merge([*candidates, *candidates]) == result,
        "merging in two steps is merging at once": lambda: all(
            watts(grown, name) == min(watts(result, name), more.watts.get(name, NO_LIMIT))
            for name in WATT_LIMITS
        ),
        "taking a limit away never tightens": lambda: all(
            watts(merge(candidates[1:]), name) >= watts(result, name) for name in WATT_LIMITS
        ),
        "no charge buffer lifts an obligation or the agreement": lambda: all(
            watts(lifted, name) <= watts(obliged, name) for name in WATT_LIMITS
        ),
        "a charge buffer lifts nothing but export, and that no higher than itself": lambda: all(
            watts(lifted, name) == watts(result, name)
            or (name == "export_limit_w" and watts(result, name) < watts(lifted, name) <= buffer_w)
            for name in WATT_LIMITS
        ),
        "a target is one of those stated, an obligation's before a preference's": lambda: (
            (result.storage_target_w is None) == (not targets)
            and (
                result.storage_target_w is None
                or any(
                    (each.source, each.storage_target_w)
                    == (result.storage_target_w.source, result.storage_target_w.value)
                    and (each.is_obligation or not any(other.is_obligation for other in targets))
                    for each in targets
                )
            )
        ),
        "a target changes no limit": lambda: (
            merge(replace(candidate, storage_target_w=None) for candidate in candidates)
            == replace(result, storage_target_w=None)
        ),
        "an envelope without open switches stays connected": lambda: result.open == bool(_opened(result)),
    }
    return next((words for words, holds in checks.items() if not holds()), None)


def _opened(envelope: Envelope) -> frozenset[str]:
    opened = {"connect": envelope.disconnected_by, "energize": envelope.deenergized_by}
    return frozenset(name for name, source in opened.items() if source is not None)
