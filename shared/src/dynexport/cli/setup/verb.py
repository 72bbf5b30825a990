"""`setup`: from answers to a `site.yaml` that `check` accepts as it stands."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import typer

from dynexport.access import AccessError, folder_of, prepare
from dynexport.cli.connect import CONFIG
from dynexport.cli.owner import summary
from dynexport.cli.scanning import owned, words
from dynexport.cli.setup.answers import read_answers
from dynexport.cli.setup.ask import ask, text, yes
from dynexport.cli.setup.machine import refusal
from dynexport.cli.setup.questions import answers as questions
from dynexport.cli.setup.writing import changed_text, new_text
from dynexport.cli.targets import BadTarget, hosts_of, local_networks
from dynexport.modbus.scan import Found, search
from dynexport.modbus.scan import hosts as at_hosts
from dynexport.settings.load import ConfigError, find, load_with_warnings
from dynexport.settings.models import Site
from dynexport.settings.source import read

MODBUS_PORTS = (502, 1502)
NOT_WRITTEN = "nothing was written"
NEXT = (
    "next: start the services (`dynexport up`, or `docker compose -f deploy/compose.yaml up -d`), then `dynexport "
    "doctor`; when everything looks right `dynexport enable`"
)
ANSWERS = typer.Option(None, "--answers", help="A file of answers instead of questions: docs/setup.md.")


def setup(
    config: Path | None = CONFIG,
    answers: Path | None = ANSWERS,
    force: bool = typer.Option(False, "--force", help="Change an existing site.yaml without asking."),
) -> None:
    """Ask what the site is, or read a file of answers, and write site.yaml. Writing to inverters stays off."""
    if why := refusal():
        _end(why)
    path = find(config, os.environ)
    if answers is not None and path.exists() and not force:
        _end(f"{path} exists, and {NOT_WRITTEN}\nnext: --force changes it, and keeps its comments")
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else None
        old = read(path).data if before is not None else {}
        said = read_answers(answers) if answers is not None else _ask(old, config)
        after = new_text(said) if before is None else changed_text(before, said)
        _try(path, after)
    except ConfigError as error:
        _end(f"{error}\n{NOT_WRITTEN}")
    except typer.Abort:
        _end(f"\nstopped: {NOT_WRITTEN}\nnext: without a terminal: `dynexport setup --answers FILE`", code=1)
    if before == after:
        typer.echo(f"{path} stays as it is")
    else:
        if before is not None and not force:
            _agree(path, before, after)
        _write(path, after)
    _tell(path)


def _ask(old: dict[str, Any], config: Path | None) -> dict[str, Any]:
    if old:
        typer.echo("site.yaml exists: its settings are the defaults; Enter keeps them")
    return questions(old, lambda: _found(config))


def _found(config: Path | None) -> Sequence[Found]:
    typer.echo("\nThe devices")
    if not yes("Look for SunSpec inverters and meters on the network now?", True):
        return ()
    networks = ", ".join(local_networks())
    said = ask("Addresses or networks, with blanks between", text, networks or None)
    try:
        names = hosts_of(said.replace(",", " ").split())
    except BadTarget as error:
        typer.echo(f"  {error}")
        return _found(config)
    port = ask("Modbus TCP ports, with blanks between", _ports, " ".join(str(port) for port in MODBUS_PORTS))
    taken = owned(config)
    found = search(at_hosts(names, port), skip=lambda address: taken.owner(address) is not None)
    for device in found:
        for line in words(device):
            typer.echo(f"  {line}")
    if not found:
        typer.echo("  no SunSpec device answered: their addresses can be typed")
    return found


def _ports(said: str) -> list[int]:
    ports = said.replace(",", " ").split()
    if not ports or not all(port.isdecimal() and 0 < int(port) < 65536 for port in ports):
        raise ValueError("must be port numbers, for example 502")
    return [int(port) for port in ports]


def _try(path: Path, text: str) -> None:
    """Read the text as the services will, from beside the real file; raises ConfigError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=".setup-", suffix=".yaml", encoding="utf-8"
        ) as file:
            file.write(text)
            file.flush()
            load_with_warnings(Path(file.name))
    except OSError as error:
        _end(f"{path.parent} cannot be written: {error.strerror}")


def _agree(path: Path, before: str, after: str) -> None:
    """Show what would change, and end unless that is wanted."""
    changes = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
    for line in list(changes)[2:]:
        typer.echo(line)
    if not yes(f"Change {path} like this?"):
        _end(NOT_WRITTEN, code=1)


def _write(path: Path, text: str) -> None:
    """In place: in a container the file may be a mount of its own."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        _end(f"{path} cannot be written: {error.strerror}")
    typer.echo(f"\n{path} is written")


def _tell(path: Path) -> None:
    site, doubts = load_with_warnings(path)
    for doubt in doubts:
        typer.echo(f"doubt: {doubt}")
    for sentence in summary(site):
        typer.echo(sentence)
    _make_users(path, site)
    if "csip" in site.sources and site.csip is None:
        typer.echo(
            "Without a `csip` section (docs/config.md) the distributor is not heard: its fallback counts all the time."
        )
    typer.echo(
        "next: `dynexport up`, then `dynexport doctor`; when everything looks right `dynexport enable`"
    )


def _make_users(path: Path, site: Site) -> None:
    """Users, passwords and the access list of a broker of our own; what is there stays."""
    if site.mqtt.username is not None:
        return
    folder = folder_of(path, os.environ)
    try:
        done = prepare(folder, site)
    except AccessError as error:
        typer.echo(
            f"the broker's users were not made here ({error}): `docker compose up` or `dynexport init` does"
        )
        return
    what = f"made for {', '.join(done.made)}" if done.made else "there already"
    typer.echo(f"the broker's users are {what}: give the broker {folder / 'mosquitto'} (mosquitto/README.md)")


def _end(words: str, *, code: int = 2) -> NoReturn:
    typer.echo(words, err=True)
    raise typer.Exit(code)
