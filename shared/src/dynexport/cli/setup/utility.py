"""The questions about the distributor's utility server: docs/csip.md says where each answer comes from."""

from __future__ import annotations

from typing import Any

import typer

from dynexport.cli.setup.ask import NONE, ask, text, whole, yes
from dynexport.identity import pin_is_valid

Entry = dict[str, Any]
LATER = "docs/csip.md says how to get them; until then the distributor is not heard, and the fallback counts"
KEPT = "the `csip` section stays as it is"
FILES = {
    "cert": ("Our certificate with its chain, a file", "csip/device.pem"),
    "key": ("Its private key, a file", "csip/device.key"),
    "ca": ("The root certificate that the distributor gave for its server, a file", "csip/utility-root.pem"),
}


def utility(old: Entry) -> Entry | None:
    """The `csip` section; None where its server and certificate are not known yet."""
    if not yes("Do you have the server's address and a certificate for this site?", bool(old)):
        typer.echo(f"  {KEPT if old else LATER}")
        return None
    entry = {**old, "server": ask("The server's address, https://...", _https, old.get("server"))}
    for name, (question, usual) in FILES.items():
        entry[name] = ask(question, text, old.get(name, usual))
    entry["pen"] = ask("Private enterprise number of the maker", whole(1, 99_999_999), old.get("pen"))
    known = bool(old)
    entry["pin"] = ask("The PIN with its check digit, or none", _pin, _shown(old, "pin", known=known))
    entry["nmi"] = ask("The NMI of the connection point, or none", _nmi, _shown(old, "nmi", known=known))
    return {name: value for name, value in entry.items() if value is not None}


def _shown(old: Entry, name: str, *, known: bool) -> object:
    """What stood there; a section that left it out meant none, a new one is asked."""
    return old.get(name, NONE if known else None)


def _https(said: str) -> str:
    if not said.startswith("https://") or said == "https://":
        raise ValueError("must begin with https://, for example https://utility.example:443")
    return said


def _pin(said: str) -> int | None:
    if said.lower() == NONE:
        return None
    if not (said.isascii() and said.isdigit() and pin_is_valid(int(said))):
        raise ValueError("its check digit does not fit: type it as the distributor gave it")
    return int(said)


def _nmi(said: str) -> str | None:
    return None if said.lower() == NONE else said
