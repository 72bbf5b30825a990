"""`dynexport conform ROLE`: watches a program on a broker and names each rule of the contract that it breaks."""

from __future__ import annotations

import os
from pathlib import Path

import typer
from pydantic import SecretStr

from dynexport.bus import MqttBus
from dynexport.cli.acting import act, engine_heard, rated_w, warn
from dynexport.cli.connect import CLOCK, CONFIG, connected, site_of
from dynexport.cli.ear import Ear
from dynexport.cli.owner import parse_duration
from dynexport.conform.common import STOPS_WITHIN_S
from dynexport.conform.rule import Finding, Outcome
from dynexport.conform.table import NOT_JUDGED, TOPICS, judge
from dynexport.conform.transcript import Asked, Role, Subject, Transcript
from dynexport.settings.models import MqttMeter, MqttSection, Site

ROLE = typer.Argument(help="Whose place the program takes.")
PASSWORD = "DYNEXPORT__MQTT__PASSWORD"
QUIET_S = 2.0
LOOK_S = 0.2
NAMED_BY = {Role.LIMIT_SOURCE: "--source", Role.WRITER: "--inverter"}
COLOUR = {Outcome.KEPT: "green", Outcome.BROKEN: "red", Outcome.UNSEEN: "yellow"}


def conform(
    role: Role = ROLE,
    source: str = typer.Option("", help="limit-source: NAME of limit/NAME."),
    inverter: str = typer.Option("", help="writer: ID of inverter/ID."),
    service: str | None = typer.Option(None, help="Whose service/NAME/availability it keeps."),
    for_: str = typer.Option("30s", "--for", help="How long to listen; a writer's script may take longer."),
    period: str | None = typer.Option(None, help="reader: its period; default that of site.yaml, else 1s."),
    preference: bool = typer.Option(False, help="limit-source: judge it as a preference, not an obligation."),
    passive: bool = typer.Option(False, help="writer: only listen, do not act as the engine."),
    ttl: str = typer.Option("15s", help="writer: the setpoints' ttl_s, and so the length of the silence."),
    rated: float | None = typer.Option(None, help="writer: rated watts; default its capability's max_w."),
    and_stop: bool = typer.Option(
        False, "--and-stop", help="Ask at the end to stop the program, judge that."
    ),
    yes: bool = typer.Option(False, "--yes", "-y", help="writer: do not ask before acting as the engine."),
    config: Path | None = CONFIG,
    host: str | None = typer.Option(None, help="The broker, without a site.yaml."),
    port: int = typer.Option(1883, help="The broker's port."),
    root: str = typer.Option("dynexport", help="First part of every topic."),
    user: str | None = typer.Option(None, help=f"The broker's user; its password in {PASSWORD}."),
) -> None:
    """Watch any program on a broker and name each rule of the contract that it breaks (exit code 1)."""
    site = None if host else site_of(config)
    mqtt = site.mqtt if site else _mqtt(host or "", port, root, user)
    subject = Subject(
        role, _name(role, source, inverter), service, _period_s(period, site), not preference, _location(site)
    )
    with connected(mqtt) as bus:
        ear = Ear(bus, _names(subject))
        began = CLOCK.mono()
        asked: tuple[Asked, ...] = ()
        if role is Role.WRITER and not passive:
            asked = _act(bus, ear, subject, parse_duration(ttl), rated, yes)
        CLOCK.sleep(began + parse_duration(for_) - CLOCK.mono())
        kept = ear.stored()
        stop_asked = _stop(ear, subject) if and_stop else None
        left = ear.stored() if and_stop else kept
        ended = CLOCK.mono()
        if bus.connection != 1:
            typer.echo("the connection to the broker was lost meanwhile: nothing can be judged", err=True)
            raise typer.Exit(2)
    transcript = Transcript(subject, began, ended, tuple(ear.heard), kept, left, asked, stop_asked)
    _tell(subject, judge(transcript))


def _act(
    bus: MqttBus, ear: Ear, subject: Subject, ttl_s: float, rated: float | None, yes: bool
) -> tuple[Asked, ...]:
    why = engine_heard(ear, subject.name)
    if why is not None:
        typer.echo(f"{why}: conform must not speak beside it. Stop it, or only listen: --passive", err=True)
        raise typer.Exit(2)
    watts = rated_w(ear, subject, rated)
    warn(subject.name, watts, yes)
    return act(bus, ear, subject, watts, ttl_s)


def _stop(ear: Ear, subject: Subject) -> float:
    """Ask for the end, and listen until it has come and some time more; returns when it was asked."""
    typer.echo("stop the program now (Ctrl-C where it runs, or `kill`)")
    asked = CLOCK.mono()
    end = asked + STOPS_WITHIN_S + QUIET_S
    path = f"service/{subject.service}/availability"
    while CLOCK.mono() < end:
        CLOCK.sleep(LOOK_S)
        if any(
            heard.topic == path and heard.payload == b"offline" and heard.mono > asked for heard in ear.heard
        ):
            CLOCK.sleep(QUIET_S)
            break
    return asked


def _tell(subject: Subject, findings: list[Finding]) -> None:
    for finding in findings:
        outcome, words = finding.verdict.outcome, finding.verdict.words
        word = typer.style(f"{outcome.value:7}", fg=COLOUR[outcome], bold=outcome is Outcome.BROKEN)
        shown = f": {words}" if words else ""
        typer.echo(f"{word} {finding.rule.id:28} {finding.rule.sentence}{shown}")
        if outcome is Outcome.BROKEN:
            typer.echo(f"        see {finding.rule.where}")
    for sentence in NOT_JUDGED[subject.role]:
        typer.echo(f"not judged: {sentence}")
    counts = {outcome: sum(f.verdict.outcome is outcome for f in findings) for outcome in Outcome}
    typer.echo(", ".join(f"{count} {outcome.value}" for outcome, count in counts.items()))
    if counts[Outcome.BROKEN]:
        typer.echo("next: mend the rules that are broken, then conform again; docs/conform.md explains each")
        raise typer.Exit(1)
    typer.echo(
        "next: let it take the original's place: `dynexport up --without NAME`, see examples/README.md"
    )


def _mqtt(host: str, port: int, root: str, user: str | None) -> MqttSection:
    password = os.environ.get(PASSWORD)
    return MqttSection(
        host=host, port=port, root=root, username=user, password=SecretStr(password) if password else None
    )


def _name(role: Role, source: str, inverter: str) -> str:
    name = source if role is Role.LIMIT_SOURCE else inverter if role is Role.WRITER else ""
    if role in NAMED_BY and not name:
        raise typer.BadParameter(f"a {role.value} needs its name: {NAMED_BY[role]} NAME")
    return name or "+"


def _period_s(given: str | None, site: Site | None) -> float:
    if given is not None:
        return parse_duration(given)
    if site is None:
        return 1.0
    return site.meter.period_s if isinstance(site.meter, MqttMeter) else site.meter.poll_s


def _location(site: Site | None) -> str | None:
    return None if site is None else str(site.meter.location)


def _names(subject: Subject) -> list[str]:
    own = [subject.path(topic) for topic in TOPICS[subject.role]]
    setpoints = [f"setpoint/{subject.name}"] if subject.role is Role.WRITER else []
    return [*own, *setpoints, "service/+/availability"]
