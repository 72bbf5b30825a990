"""Failsafe: what the site may make when nobody can be asked. Known from `site.yaml` alone.

contract.md, "Failsafe means": generation no higher than the smallest of the agreement's limits, its
`failsafe_export_limit_w` and the fallbacks of all listed obligations, as if the house used nothing and all that we
do not control produced its rating (unless `exports: never`), shared by `rated_w`. With a limit per phase no phase
may export above it on the same terms; what does not say its phase counts wholly on each.
"""

from __future__ import annotations

from collections.abc import Sequence

from dynexport.settings.models import Battery, Fallback, Site, Uncontrolled
from dynexport.sharing import PHASES, Taker, part_on, share_out


def may_export(site: Site) -> Sequence[Battery | Uncontrolled]:
    """What makes power here besides the inverters that obey us, and may export it."""
    others: list[Battery | Uncontrolled] = [*site.batteries, *site.uncontrolled]
    return [entry for entry in others if entry.exports != "never"]


def uncontrolled_w(site: Site) -> float:
    """What may be made here besides the inverters that obey us, watts: ratings of what may export."""
    return sum(entry.rated_w for entry in may_export(site))


def at_worst_on(phase: str, entry: Battery | Uncontrolled) -> float:
    """The part of its power that may be on `phase`: all of it where nobody says which phase it feeds."""
    return 1.0 if entry.phase is None else part_on(phase, entry.phase)


def failsafe_phases_w(site: Site) -> dict[str, float]:
    """What the inverters may put on each phase in failsafe, watts; empty without a limit per phase."""
    limit_w = site.phase_limit_w
    if limit_w is None:
        return {}
    others = may_export(site)
    return {
        phase: max(0.0, limit_w - sum(entry.rated_w * at_worst_on(phase, entry) for entry in others))
        for phase in PHASES
    }


def failsafe_shares_w(site: Site) -> dict[str, float]:
    """What each inverter may make in failsafe, watts by id."""
    takers = [
        Taker(inverter.id, inverter.rated_w, inverter.rated_w, inverter.phase) for inverter in site.inverters
    ]
    return share_out(_whole_w(site), takers, failsafe_phases_w(site))


def failsafe_w(site: Site) -> float:
    """What all inverters together may make in failsafe, watts."""
    return sum(failsafe_shares_w(site).values()) if site.phase_limit_w is not None else _whole_w(site)


def failsafe_export_w(site: Site) -> float:
    """What an inverter that holds the site's export by its own meter is told in failsafe, watts."""
    return 0.0 if failsafe_disconnects(site) else _smallest_w(site)


def failsafe_share_w(site: Site, inverter_id: str) -> float:
    """One inverter's part of it, watts; raises KeyError for an id that the site has not."""
    return failsafe_shares_w(site)[inverter_id]


def failsafe_disconnects(site: Site) -> bool:
    """Whether an obligation's fallback asks for disconnection."""
    return any(False in (fallback.connect, fallback.energize) for fallback in _fallbacks(site))


def _whole_w(site: Site) -> float:
    if failsafe_disconnects(site):
        return 0.0
    return max(0.0, min(_smallest_w(site) - uncontrolled_w(site), site.rated_w))


def _smallest_w(site: Site) -> float:
    agreement, fallbacks = site.agreement, _fallbacks(site)
    limits = [site.export_limit_w, agreement.failsafe_export_limit_w, agreement.generation_limit_w]
    limits += [fallback.export_limit_w for fallback in fallbacks]
    limits += [fallback.generation_limit_w for fallback in fallbacks]
    return min(limit for limit in limits if limit is not None)


def _fallbacks(site: Site) -> list[Fallback]:
    return [source.fallback for source in site.sources.values() if source.fallback is not None]
