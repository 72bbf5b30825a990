"""Failsafe: what the site may make when nobody can be asked. Known from `site.yaml` alone.

contract.md, "Failsafe means": generation no higher than the smallest of the agreement's limits, its
`failsafe_export_limit_w` and the fallbacks of all listed obligations, as if the house used nothing and all that we
do not control produced its rating (unless `exports: never`), shared by `rated_w`.
"""

from __future__ import annotations

from dynexport.settings.models import Battery, Fallback, Site, Uncontrolled


def uncontrolled_w(site: Site) -> float:
    """What may be made here besides the inverters that obey us, watts: ratings of what may export."""
    others: list[Battery | Uncontrolled] = [*site.batteries, *site.uncontrolled]
    return sum(entry.rated_w for entry in others if entry.exports != "never")


def failsafe_w(site: Site) -> float:
    """What all inverters together may make in failsafe, watts."""
    agreement = site.agreement
    fallbacks = _fallbacks(site)
    if failsafe_disconnects(site):
        return 0.0
    limits = [agreement.export_limit_w, agreement.failsafe_export_limit_w, agreement.generation_limit_w]
    limits += [fallback.export_limit_w for fallback in fallbacks]
    limits += [fallback.generation_limit_w for fallback in fallbacks]
    smallest_w = min(limit for limit in limits if limit is not None)
    return max(0.0, min(smallest_w - uncontrolled_w(site), site.rated_w))


def failsafe_share_w(site: Site, inverter_id: str) -> float:
    """One inverter's part of it, by its rating, watts; raises KeyError for an id that the site has not."""
    ratings = {inverter.id: inverter.rated_w for inverter in site.inverters}
    return failsafe_w(site) * ratings[inverter_id] / site.rated_w


def failsafe_disconnects(site: Site) -> bool:
    """Whether an obligation's fallback asks for disconnection."""
    return any(False in (fallback.connect, fallback.energize) for fallback in _fallbacks(site))


def _fallbacks(site: Site) -> list[Fallback]:
    return [source.fallback for source in site.sources.values() if source.fallback is not None]
