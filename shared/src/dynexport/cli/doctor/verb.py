"""`doctor`: runs the checks, shows them, and writes the report."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from dynexport.access import as_user, folder_of
from dynexport.cli.connect import CLOCK, CONFIG, OWNER, site_of
from dynexport.cli.doctor import broker, csip, devices, local, services, shared
from dynexport.cli.doctor.evidence import Evidence, evidence
from dynexport.cli.doctor.finding import Finding, Verdict, exit_code
from dynexport.cli.doctor.redact import redactor
from dynexport.cli.doctor.report import LISTENS_FOR_S, lines, report
from dynexport.cli.doctor.step import step_inverter
from dynexport.cli.hearing import Heard, NoBroker, listen
from dynexport.messages import InverterCapability
from dynexport.ports import Received
from dynexport.settings.changes import digest
from dynexport.settings.load import ConfigError, find, load_with_warnings
from dynexport.settings.models import Site
from dynexport.settings.source import read

SHORTEST_LOOK_S, LONGEST_LOOK_S = 5.0, 30.0
POLLS = 3.5
COLOURS = {Verdict.OK: "green", Verdict.DOUBT: "yellow", Verdict.WRONG: "red"}
REPORT = typer.Option(None, "--report", help="Write a bug report without secrets into this new file.")
STEP = typer.Option(
    None,
    "--step",
    help="Only this: hold an inverter (its id) 5 % of its rating lower for 15 s, up to three times, and see whether it "
    "obeys and the meter shows it.",
)


@dataclass(slots=True)
class Examination:
    """What was found, and what it was found from."""

    path: Path
    site: Site | None = None
    findings: list[Finding] = field(default_factory=list)
    heard: Heard = field(default_factory=Heard)


def doctor(config: Path | None = CONFIG, report: Path | None = REPORT, step: str | None = STEP) -> None:
    """One pass over everything: each check with ok, doubt or wrong, and what to do. Ends with 0, 1 or 2."""
    if step is not None:
        if report is not None:
            raise typer.BadParameter("--step is a check of its own: no --report with it")
        findings = step_inverter(site_of(config), step)
        _show(findings)
        typer.echo(_last_words(findings, None))
        raise typer.Exit(exit_code(findings))
    if report is not None and report.exists():
        typer.echo(f"{report} exists: name a new file", err=True)
        raise typer.Exit(2)
    typer.echo("looking, for a few seconds", err=True)
    done = examine(find(config, os.environ), LISTENS_FOR_S if report else SHORTEST_LOOK_S)
    _show(done.findings)
    if report is not None:
        _write(report, done)
    typer.echo(_last_words(done.findings, report))
    raise typer.Exit(exit_code(done.findings))


def _show(findings: Sequence[Finding]) -> None:
    for line in lines(findings):
        word = line.split(" ", 1)[0]
        colour = COLOURS[Verdict(word)] if word in set(Verdict) else None
        typer.secho(line, fg=colour)


def examine(path: Path, look_s: float) -> Examination:
    """Every check that can be done now."""
    done = Examination(path)
    try:
        done.site, doubts = load_with_warnings(path)
    except ConfigError as error:
        done.findings = local.unusable(error.problems) if path.exists() else [local.missing(path)]
        return done
    folder = folder_of(path, os.environ)
    done.findings += local.settings(path, doubts)
    done.findings += local.secrets(path, done.site, folder)
    done.findings += local.acl(done.site, folder)
    if done.site.csip is not None:
        done.findings += csip.files(done.site.csip, CLOCK.now())
    site = done.site = done.site.model_copy(update={"mqtt": as_user(done.site.mqtt, folder, OWNER)})
    done.findings.append(local.clock(CLOCK.now(), site.site.clock))
    try:
        with broker.session(site, CLOCK) as bus:
            where = f"the broker at {site.mqtt.host}:{site.mqtt.port} takes us in"
            done.findings.append(Finding(Verdict.OK, "broker", where))
            done.findings += broker.access(bus, CLOCK, done.heard)
            slowest_s = max(one.poll_s for one in (site.meter, *site.inverters))
            listen(bus, CLOCK, min(LONGEST_LOOK_S, max(look_s, POLLS * slowest_s)), done.heard)
            seen = evidence(done.heard, CLOCK.now(), CLOCK.mono())
    except NoBroker as error:
        done.findings.append(broker.unreachable(error))
        return done
    done.findings += _on_the_bus(site, seen, digest(path))
    return done


def _on_the_bus(site: Site, seen: Evidence, sha256: str) -> list[Finding]:
    return [
        *services.services(site, seen, sha256),
        *devices.meter(site, seen),
        *devices.inverters(site, seen),
        *devices.envelope(site, seen),
        *shared.shared(site, seen),
        *(csip.server(seen.csip) if site.csip is not None else ()),
    ]


def _write(file: Path, done: Examination) -> None:
    """Readable by its owner only, until its owner decides otherwise."""
    settings = _settings(done)
    redact = redactor(settings, done.path.parent, os.environ, _serials(done.heard))
    if done.site is not None:
        settings = done.site.model_dump(mode="json")
    text = report(CLOCK.now(), settings, done.findings, done.heard, CLOCK.mono(), redact)
    try:
        number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        typer.echo(f"{file} cannot be written: {error.strerror}", err=True)
        raise typer.Exit(2) from None


def _settings(done: Examination) -> Mapping[str, Any]:
    """What is known of the settings, secrets included: the redactor must know them."""
    raw: dict[str, Any] = {}
    with contextlib.suppress(ConfigError):  # then nothing of the file is in the report
        raw = read(done.path).data
    return {**raw, **({"as_used": done.site.model_dump()} if done.site else {})}


def _serials(heard: Heard) -> list[str]:
    messages = [one.message for one in heard.messages if isinstance(one, Received)]
    return [one.serial for one in messages if isinstance(one, InverterCapability) and one.serial]


def _last_words(findings: list[Finding], file: Path | None) -> str:
    count = {verdict: sum(finding.verdict is verdict for finding in findings) for verdict in Verdict}
    words = f"{count[Verdict.WRONG]} wrong, {count[Verdict.DOUBT]} in doubt, {count[Verdict.OK]} ok"
    if file is not None:
        return f"{words}. The report is {file}: read it before you send it"
    following = "`dynexport watch`" if not count[Verdict.WRONG] else "do what the arrows say, then ask again"
    return f"{words}. next: {following}; `dynexport doctor --report FILE` for a bug report"
