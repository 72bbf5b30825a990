"""Sense checks: what is well-formed and still hardly meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from dynexport.settings.problems import Location, Problem, dotted

if TYPE_CHECKING:
    from dynexport.settings.source import Source

KILOWATTS_BELOW = 100


def warnings(data: dict[str, Any], source: Source) -> list[Problem]:
    """Every doubt about well-formed values; works on data that may have other mistakes."""
    return [
        *_kilowatts(data, (), source),
        *_agreement(data, source),
        *_tariff(data, source),
        *_sources(data, source),
    ]


def _problem(
    source: Source, location: Location, message: str, hint: str, level: Literal["error", "warning"] = "error"
) -> Problem:
    return Problem(source.file, source.line(location), dotted(location), message, hint=hint, level=level)


def _kilowatts(value: Any, location: Location, source: Source) -> Iterator[Problem]:
    """A watt setting below 100 is a kilowatt; 0 is a limit that people mean."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _kilowatts(below, (*location, key), source)
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from _kilowatts(below, (*location, number), source)
    elif _is_watts(location) and isinstance(value, int | float) and 0 < value < KILOWATTS_BELOW:
        yield _problem(source, location, f"{value:g} is in watts", f"did you mean {value * 1000:g}?")


def _is_watts(location: Location) -> bool:
    key = str(location[-1]) if location else ""
    return key.endswith(("_limit_w", "limit_per_phase_w")) or key == "rated_w"


def _agreement(data: dict[str, Any], source: Source) -> Iterator[Problem]:
    agreement = data.get("agreement")
    if not isinstance(agreement, dict):
        return
    limit, failsafe = agreement.get("export_limit_w"), agreement.get("failsafe_export_limit_w")
    if isinstance(limit, int | float) and isinstance(failsafe, int | float) and failsafe > limit:
        yield _problem(
            source,
            ("agreement", "failsafe_export_limit_w"),
            f"{failsafe:g} is above export_limit_w {limit:g}",
            "when something has failed a site may not export more than it may normally",
        )


def _tariff(data: dict[str, Any], source: Source) -> Iterator[Problem]:
    tariff, sources = data.get("tariff"), data.get("sources")
    if isinstance(tariff, dict) and tariff.get("windows") and "tariff" not in (sources or {}):
        yield _problem(
            source,
            ("tariff",),
            "its limits would have no effect",
            "list it: `sources: {tariff: {kind: preference}}`",
        )


def _sources(data: dict[str, Any], source: Source) -> Iterator[Problem]:
    sources = data.get("sources")
    if not isinstance(sources, dict):
        return
    csip = sources.get("csip")
    if isinstance(csip, dict) and csip.get("kind") == "preference":
        yield _problem(
            source,
            ("sources", "csip", "kind"),
            "a distributor's limit is an obligation",
            "write `kind: obligation` with its `fallback`",
        )
    if "manual" not in sources:
        yield _problem(
            source,
            ("sources",),
            "`manual` is not listed: `dynexport limit` will have no effect",
            "list it: `manual: {kind: preference}`",
            level="warning",
        )
