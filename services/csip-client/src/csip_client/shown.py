"""Who we are, and what is in force and coming, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from typing import Any

from csip_client.registration import Identity
from dynexport.identity import pin_is_valid
from dynexport.messages import CsipSchedule, CsipStatus

SWITCHES = ("opModConnect", "opModEnergize", "unknown")


def identity(who: Identity, days_left: float) -> Iterator[str]:
    """What `dynexport csip id` prints; the PIN itself is a shared secret and stays in site.yaml."""
    yield f"LFDI:            {who.lfdi}"
    yield f"SFDI:            {who.sfdi}"
    yield f"PIN:             {_pin(who.pin)}"
    yield f"NMI:             {who.nmi or 'not set (csip.nmi)'}"
    yield f"device category: {who.category:X}"
    yield f"certificate:     {f'{days_left:.0f} days left' if days_left >= 0 else 'EXPIRED'}"


def schedule(status: CsipStatus | None, plan: CsipSchedule | None, zone: tzinfo) -> Iterator[str]:
    """What csip-client published last, in the site's time zone."""
    if status is not None:
        reached = (
            "reachable" if status.reachable else f"NOT reachable ({status.trouble or 'no reason given'})"
        )
        yield f"server: {reached}, we are {status.standing or 'unknown'} there"
        if status.last_contact_at is not None:
            yield f"last contact: {status.last_contact_at.astimezone(zone):%a %d %b %H:%M:%S}"
    if plan is None:
        return
    yield f"now (as said at {plan.issued_at.astimezone(zone):%a %d %b %H:%M:%S}):"
    for mode, found in (plan.current or {}).items():
        yield f"  {mode} {_value(mode, found['value'])} by {_by(found)}"
    if not plan.current:
        yield "  nothing is stated: the fallback of sources.csip counts"
    yield "the coming 48 hours:"
    for each in plan.coming:
        start, end = (_moment(each[name], zone) for name in ("start", "end"))
        yield f"  {start} to {end}: {each['mode']} {_value(each['mode'], each['value'])} by {_by(each)}"
    if plan.coming_until is not None:
        yield f"  and more from {plan.coming_until.astimezone(zone):%a %d %b %H:%M:%S} on: too many to be said at once"
    elif not plan.coming:
        yield "  no control"


def _pin(pin: int | None) -> str:
    if pin is None:
        return "not set (csip.pin): the server's is not compared"
    return "set, check digit fits" if pin_is_valid(pin) else "set, check digit DOES NOT FIT"


def _by(found: Mapping[str, Any]) -> str:
    name = found.get("mrid") or found.get("origin")
    what = "the default" if name == "default" else f"control {name}"
    return f"{what} of program {found['program']}" if found.get("program") else what


def _value(mode: str, value: Any) -> str:
    if mode in SWITCHES:
        return "yes" if value else "no"
    return f"{value:g} %" if mode == "opModFixedW" else f"{value:g} W"


def _moment(text: str, zone: tzinfo) -> str:
    return f"{datetime.fromisoformat(text).astimezone(zone):%a %d %b %H:%M:%S}"
