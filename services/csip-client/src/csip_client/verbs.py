"""`dynexport csip`: who we are to the server, what it has for us, what counts, and forgetting it."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

import typer

from csip_client import describe, shown
from csip_client.adapters import certificate
from csip_client.adapters.http import HttpSession, Unreachable
from csip_client.adapters.presented import missing_issuer, present
from csip_client.adapters.store import Store, StoreError
from csip_client.adapters.tls import CIPHERS, TlsError, context
from csip_client.connect import resolve
from csip_client.discover import Discovery
from csip_client.fetch import Failure, Fetcher
from csip_client.registration import Identity
from dynexport import topics
from dynexport.cli.connect import CLOCK, CONFIG, WHEN_SILENT, site_of
from dynexport.cli.hearing import NoBroker, stored
from dynexport.identity import sfdi
from dynexport.messages import CsipSchedule, CsipStatus
from dynexport.pki.files import PkiError, read_chain
from dynexport.pki.shown import days_left, named, number_of
from dynexport.service import ONLINE
from dynexport.settings.csip import CsipSection
from dynexport.settings.models import Site

CLIENT = "csip-client"
csip = typer.Typer(no_args_is_help=True, help="The distributor's utility server.")


@csip.command("id")
def id_(config: Path | None = CONFIG) -> None:
    """Who we are to the server: LFDI, SFDI, PIN, NMI, device category, days left."""
    site = site_of(config)
    section = _section(site)
    who, days = _identity(site, section)
    typer.echo("\n".join(shown.identity(who, days)))
    typer.echo("next: tell the distributor LFDI and NMI, then `dynexport csip discover`")


@csip.command("discover")
def discover(config: Path | None = CONFIG) -> None:
    """Walk the server and print its tree; reads only, registers nothing. Ends with 1 if something is in doubt."""
    site = site_of(config)
    section = _section(site)
    who, _ = _identity(site, section)
    try:
        tls = context(
            Path(section.cert),
            Path(section.key),
            Path(section.ca),
            check_hostname=section.check_hostname,
            ciphers=section.ciphers or CIPHERS,
        )
        found = present(section.server, tls)
    except (TlsError, OSError, ValueError) as error:
        _end(f"{section.server}: {error}", "is csip.server right, and may this machine reach it?")
    if found.trouble is not None:
        typer.echo(f"{section.server}: the handshake failed: {found.trouble}", err=True)
        for each in found.chain:
            typer.echo(f"  presented: {named(each.subject)}, issued by {named(each.issuer)}", err=True)
        try:
            missing = missing_issuer(found.chain, read_chain(Path(section.ca)))
        except PkiError as error:
            _end(str(error), "csip.ca must hold the utility's root certificate")
        if missing is not None:
            _end(
                f"missing issuer: {missing}", "put that certificate into csip.ca, if the distributor gave it"
            )
        _end("no issuer is missing", "is csip.server the name in its certificate? does the server know ours?")
    http = HttpSession(section.server, tls)
    doubts = 0
    try:
        version, dcap = resolve(http, section.version, section.dcap_path, lambda: CLOCK.now().timestamp())
        fetch = Fetcher(http, version, lambda: CLOCK.now().timestamp())
        walk = Discovery(fetch, who, site.rated_w, lambda: CLOCK.now().timestamp())
        for line in walk.lines(dcap):
            doubts += line.doubt
            typer.echo("  " * line.depth + line.text + ("  <-- look" if line.doubt else ""))
    except (*Failure, Unreachable) as error:
        _end(str(error), "the server was reached, but it does not answer as CSIP-AUS: is csip.version right?")
    finally:
        http.close()
    raise typer.Exit(1 if doubts else 0)


@csip.command("schedule")
def schedule(config: Path | None = CONFIG) -> None:
    """What counts now, mode by mode, by whose word, and the coming 48 hours."""
    site = site_of(config)
    try:
        heard = stored(site.mqtt, CLOCK, topics.CSIP_STATUS, topics.CSIP_SCHEDULE, topics.AVAILABILITY)
    except NoBroker as error:
        _end(str(error), WHEN_SILENT)
    status: CsipStatus | None = None
    plan: CsipSchedule | None = None
    runs = False
    for received in heard:
        if isinstance(received.message, CsipStatus):
            status = received.message
        elif isinstance(received.message, CsipSchedule):
            plan = received.message
        elif received.topic is topics.AVAILABILITY and received.id == CLIENT:
            runs = received.message == ONLINE
    if status is None and plan is None:
        _end(f"{CLIENT} has published nothing yet", "is it running? `dynexport watch` shows it")
    if not runs:
        typer.echo(f"{CLIENT} is not running: below is its last word; the fallback of sources.csip counts")
    typer.echo("\n".join(shown.schedule(status, plan, ZoneInfo(site.site.time_zone))))
    raise typer.Exit(0 if runs else 1)


@csip.command("forget")
def forget(
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
    stopped: bool = typer.Option(
        False, "--the-client-is-stopped", help="For when the broker cannot tell whether csip-client runs."
    ),
    config: Path | None = CONFIG,
) -> None:
    """Forget what the server said: programs, controls, answers and readings. The fallback counts until it is asked."""
    site = site_of(config)
    section = _section(site)
    path = Path(site.site.state_dir) / "csip-client.sqlite"
    _refuse_while_running(site, stopped)
    if not path.exists():
        typer.echo(f"{path} is not there: nothing to forget")
        return
    who, _ = _identity(site, section)
    try:
        store = Store(path, section.server, who.lfdi)
    except StoreError as error:
        _end(str(error), "move the file away")
    try:
        programs = len(store.programs())
        controls = sum(one.withdrawn_at is None for one in store.held().values())
        typer.echo(
            f"{programs} programs with their defaults and {controls} controls are to be forgotten,"
            " with every answer and reading that was not sent yet."
        )
        typer.echo(
            "Until the server was asked again, the fallback of sources.csip counts, and nothing else of csip."
        )
        if not yes and not typer.confirm("Forget them?"):
            typer.echo("nothing is forgotten")
            raise typer.Exit(1)
        store.forget()
    finally:
        store.close()
    typer.echo(f"forgotten. next: start {CLIENT} again, then `dynexport csip schedule`")


def _refuse_while_running(site: Site, stopped: bool) -> None:
    try:
        heard = stored(site.mqtt, CLOCK, topics.AVAILABILITY)
    except NoBroker as error:
        if not stopped:
            _end(
                f"{error}: it does not tell whether {CLIENT} is stopped",
                "stop it, then --the-client-is-stopped",
            )
        return
    words = [each.message for each in heard if each.id == CLIENT]
    if words and words[-1] == ONLINE:
        _end(f"{CLIENT} is running, and would go on with what it holds", f"stop {CLIENT}, then once more")
    if not words and not stopped:
        _end(f"the broker does not tell whether {CLIENT} is stopped", "stop it, then --the-client-is-stopped")


def _section(site: Site) -> CsipSection:
    if site.csip is None:
        _end("site.yaml has no `csip` section", "docs/csip.md says how to begin", code=2)
    return site.csip


def _identity(site: Site, section: CsipSection) -> tuple[Identity, float]:
    try:
        own = certificate.read(Path(section.cert))
    except TlsError as error:
        _end(str(error), "`dynexport cert` makes keys and requests", code=2)
    number = number_of(own)
    who = Identity(number, sfdi(number), describe.category(site, section), section.pin, section.nmi)
    return who, days_left(own, CLOCK.now())


def _end(what: str, then: str, *, code: int = 1) -> NoReturn:
    typer.echo(what, err=True)
    typer.echo(f"next: {then}", err=True)
    raise typer.Exit(code)
