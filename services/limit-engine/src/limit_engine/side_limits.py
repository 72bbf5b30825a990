"""From the envelope to what counts for loads and batteries. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from dynexport.messages import Mode
from limit_engine import sources
from limit_engine.import_side import UseLimits
from limit_engine.merge import Envelope, merge
from limit_engine.side import SideLimits


def side_limits(envelope: Envelope, mode: Mode, listed: Iterable[sources.SourceState]) -> SideLimits:
    """Import and load limits in force, and the target; in failsafe the fallback of every obligation counts as well."""
    counting = [envelope]
    if mode is Mode.FAILSAFE:
        counting.append(merge(sources.fallback(state) for state in listed if state.is_obligation))
    target = envelope.storage_target_w
    return SideLimits(
        UseLimits(_least_w(counting, "import_limit_w"), _least_w(counting, "load_limit_w")),
        target.value if target else None,
        envelope.open,
    )


def _least_w(envelopes: Iterable[Envelope], attribute: str) -> float | None:
    bounds = [each.bound(attribute) for each in envelopes]
    return min((bound.value for bound in bounds if bound is not None), default=None)
