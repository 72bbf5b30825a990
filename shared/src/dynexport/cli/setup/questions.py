"""The questions of `setup`, in their order. An existing `site.yaml` gives the defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import typer

from dynexport.cli.setup import devices
from dynexport.cli.setup.ask import ask, clock, text, watts, watts_or_none, whole, yes, zone
from dynexport.cli.setup.utility import utility
from dynexport.modbus.scan import Found
from dynexport.settings.shape import value_at

Entry = dict[str, Any]
ASKED = ("csip", "tariff", "manual")


def answers(old: Entry, found: Callable[[], Sequence[Found]]) -> Entry:
    """Everything that `site.yaml` needs; `found` looks for devices when the owner wants it."""
    site = _site(old.get("site") or {})
    agreement = _agreement(old.get("agreement") or {}, site["phases"])
    devices_found = found()
    entry = {
        "site": site,
        "agreement": agreement,
        "meter": devices.meter(devices_found, dict(old.get("meter") or {})),
        "inverters": devices.inverters(devices_found, old.get("inverters") or [], site["phases"]),
        "batteries": devices.batteries(old.get("batteries") or []),
        "uncontrolled": devices.uncontrolled(old.get("uncontrolled") or []),
    }
    return {**entry, **_sources(old, agreement), "mqtt": _broker(old.get("mqtt") or {})}


def _site(old: Entry) -> Entry:
    typer.echo("\nThe site")
    return {
        "name": ask("What is it called?", text, old.get("name", "Home")),
        "time_zone": ask("Its time zone, for example Australia/Adelaide", zone, old.get("time_zone")),
        "phases": ask("Phases of the grid connection, 1 or 3", whole(1, 3), old.get("phases")),
    }


def _agreement(old: Entry, phases: int) -> Entry:
    typer.echo("\nThe connection agreement (it stands in the distributor's letter)")
    entry: Entry = {
        "export_limit_w": ask("What may the site export at most, watts?", watts, old.get("export_limit_w")),
        "failsafe_export_limit_w": ask(
            "And when something has failed, watts? (many agreements say 1500)",
            watts,
            old.get("failsafe_export_limit_w"),
        ),
        "export_limit_per_phase_w": None,
    }
    if phases == 3:
        known = old.get("export_limit_per_phase_w", "none") if old else None
        question = "Does it limit each phase too? Watts of one phase, or none"
        entry["export_limit_per_phase_w"] = ask(
            question, watts_or_none, "none" if old and known is None else known
        )
    return entry


def _sources(old: Entry, agreement: Entry) -> Entry:
    """Who else may limit the site; an obligation needs what counts while it is silent."""
    typer.echo("\nWho else may limit the site?")
    known: Entry = old.get("sources") or {}
    was = {name: name in known if old else None for name in ASKED}
    sources = {name: source for name, source in known.items() if name not in ASKED}
    entry: Entry = {"sources": sources}
    if yes("Does the distributor send limits (CSIP-AUS, a `flexible export` offer)?", was["csip"]):
        sources["csip"] = _csip(known.get("csip") or {}, agreement)
        section = utility(old.get("csip") or {})
        if section is not None:
            entry["csip"] = section
    if yes("Does a tariff limit export at times of the day?", was["tariff"]):
        sources["tariff"] = known.get("tariff") or {"kind": "preference"}
        entry["tariff"] = {"windows": _windows(value_at(old, ("tariff", "windows")) or [])}
    if yes("Do you want to set limits of your own (`dynexport limit`)?", was["manual"] is not False):
        sources["manual"] = known.get("manual") or {"kind": "preference"}
    return entry


def _csip(old: Entry, agreement: Entry) -> Entry:
    """An obligation: its fallback counts while it is silent."""
    before: Entry = old.get("fallback") or {}
    default = before.get("export_limit_w", agreement["failsafe_export_limit_w"])
    limit = ask("What may the site export while the distributor cannot be heard, watts?", watts, default)
    return {**old, "kind": "obligation", "fallback": {**before, "export_limit_w": limit}}


def _windows(old: Sequence[Entry]) -> list[Entry]:
    windows = [
        dict(window) for window in old if yes(f"Keep the window {window.get('name') or 'unnamed'}?", True)
    ]
    while not windows or yes("Another window?", False):
        start = ask("From what time of day (10:00)?", clock)
        end = ask("Until what time (00:00 is midnight)?", clock)
        limit = ask("Export in it at most, watts?", watts)
        windows.append(
            {"name": ask("Its name", text, "Tariff"), "start": start, "end": end, "export_limit_w": limit}
        )
    return windows


def _broker(old: Entry) -> Entry:
    """Where the broker is; a login only for one that somebody else runs: our own users are made without asking."""
    typer.echo("\nThe MQTT broker")
    entry = {
        "host": ask("Its name or address", text, old.get("host", "localhost")),
        "port": ask("Its port", whole(1, 65535), old.get("port", 1883)),
    }
    if yes("Does somebody else run it, with a user and a password for you?", "username" in old):
        entry["username"] = ask("The user", text, old.get("username"))
        question = "A file that holds the password (beside site.yaml, or a full path)"
        entry["password_file"] = ask(question, text, old.get("password_file"))
    return entry
