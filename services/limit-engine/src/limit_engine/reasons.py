"""Why the site is limited, in a sentence that a householder understands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo

from dynexport.messages import Mode
from limit_engine.found import source
from limit_engine.merge import Bound, Envelope
from limit_engine.phases import PhaseBounds

WHO = {
    "agreement": "your connection agreement",
    "csip": "your electricity distributor",
    "tariff": "your tariff",
    "price": "the feed-in price",
    "manual": "you (limit/manual)",
}


def watts(value: float) -> str:
    """`1500 W`, without decimals."""
    return f"{value:.0f} W"


def who(name: str) -> str:
    """A source in words."""
    return WHO.get(name, f"the source `{name}`")


def sentence(
    mode: Mode,
    envelope: Envelope,
    *,
    words: Mapping[str, str],
    until: datetime | None,
    zone: tzinfo,
    waiting_for: str | None,
    meter_wrong: str | None,
    also: Sequence[str] = (),
) -> str:
    """The reason for `active`: `words` holds what each source itself says, `also` whole sentences that follow."""
    return " ".join([_main(mode, _envelope(envelope, words, until, zone), waiting_for, meter_wrong), *also])


def phases_in_words(bounds: PhaseBounds | None, full: Sequence[str], *, unknown: bool) -> list[str]:
    """What a limit per phase does now: the phases that it holds, and that the meter does not tell them apart."""
    if bounds is None:
        return []
    words = [
        f"Phase {phase} may export at most {watts(bounds.limit_w)} by {who('agreement')}, and is held there."
        for phase in full
    ]
    if unknown:
        words.append("The meter does not say the power of each phase, so each is held as if it used nothing.")
    return words


ISLANDED = (
    "The site is cut off from the grid (islanded): it exports nothing. No limit is raised because of that."
)


def found_in_words(inverter: str, cap_w: float) -> str:
    """What a limit found in a device does, and how to end it."""
    return (
        f"{inverter} is held at {watts(cap_w)} by a limit found in the device (source `{source(inverter)}`); "
        f"`dynexport adopt {inverter}` loosens it."
    )


def beside_in_words(envelope: Envelope, shed: Sequence[str]) -> list[str]:
    """What limits loads and batteries, which loads are held for it, and what the batteries are asked for."""
    parts = [
        f"{verb} is limited to {watts(bound.value)} by {who(bound.source)}"
        for verb, bound in (("Import", envelope.import_limit_w), ("use", envelope.load_limit_w))
        if bound is not None
    ]
    words = []
    if parts:
        held = f"; {', '.join(shed)} may use less for it" if shed else ""
        said = ", ".join(parts)
        words.append(f"{said[0].upper()}{said[1:]}{held}.")
    target = envelope.storage_target_w
    if target is not None:
        verb = "charge" if target.value < 0 else "discharge"
        words.append(f"The batteries are to {verb} {watts(abs(target.value))}, as {who(target.source)} asks.")
    return words


def _main(mode: Mode, base: str, waiting_for: str | None, meter_wrong: str | None) -> str:
    match mode:
        case Mode.FAILSAFE:
            return (
                f"Failsafe: generation is held low until {waiting_for or 'everything needed has been heard'}."
            )
        case Mode.OPEN_LOOP:
            why = meter_wrong or "the meter is silent"
            return (
                f"Without a meter to go by ({why}), inverters are held as if the house used nothing. {base}"
            )
        case _:
            return base


def _envelope(envelope: Envelope, words: Mapping[str, str], until: datetime | None, zone: tzinfo) -> str:
    opened_by = envelope.deenergized_by or envelope.disconnected_by
    if opened_by is not None:
        return f"The inverters are disconnected by {who(opened_by)}{_own(words, opened_by)}."
    parts = []
    export, generation = envelope.export_limit_w, envelope.generation_limit_w
    if export is not None:
        parts.append(f"Export is limited to {watts(export.value)} by {who(export.source)}")
    if generation is not None:
        verb = "generation" if parts else "Generation is limited"
        parts.append(f"{verb} to {watts(generation.value)} by {who(generation.source)}")
    if not parts:
        return "Nothing limits export or generation."
    ends = f" until {until.astimezone(zone):%H:%M}" if until else ""
    said = _own(words, *(bound.source for bound in (export, generation) if bound is not None))
    return f"{', '.join(parts)}{ends}{said}."


def _own(words: Mapping[str, str], *sources: str) -> str:
    said = [words[source] for source in dict.fromkeys(sources) if words.get(source)]
    return f" ({'; '.join(said)})" if said else ""


def tightest(envelope: Envelope) -> Bound | None:
    """The bound that a householder feels: export before generation."""
    return envelope.export_limit_w or envelope.generation_limit_w
