"""What an owner asks for: `watch`, `limit`, `check`, `enable`."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import typer

from dynexport import topics
from dynexport.bus import MqttBus
from dynexport.cli.connect import CLOCK, CONFIG, connected, site_of
from dynexport.cli.fallback_words import of_capability
from dynexport.cli.hearing import NoBroker, stored
from dynexport.cli.live import show
from dynexport.cli.running import interruptible
from dynexport.cli.snapshot import SHOWN, Snapshot
from dynexport.cli.supervisor import services_of
from dynexport.cli.view import changed_since, line, watts
from dynexport.failsafe import failsafe_share_w, failsafe_w
from dynexport.messages import Active, InverterCapability, Limit
from dynexport.modbus.address import address_of
from dynexport.modbus.drivers import persists, scope
from dynexport.ports import Received
from dynexport.settings.changes import WatchedFile, digest
from dynexport.settings.load import find
from dynexport.settings.load import warnings as doubts
from dynexport.settings.models import Load, ModbusInverter, MqttInverter, MqttSection, Site
from dynexport.settings.source import read

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LARGEST_W = 1e7
TAKES_EFFECT_S = 3.0
ASKS_FOR_S = 1.5


def watch(
    config: Path | None = CONFIG,
    host: str | None = typer.Option(None, help="The broker, without a site.yaml."),
    port: int = typer.Option(1883, help="The broker's port."),
    root: str = typer.Option("dynexport", help="First part of every topic."),
    once: bool = typer.Option(False, "--once", help="One line, then end."),
) -> None:
    """The envelope in force, the inverters and the services, live."""
    site = None if host else site_of(config)
    mqtt = site.mqtt if site else MqttSection(host=host or "", port=port, root=root)
    zone = site.site.zone if site else None
    file = WatchedFile(find(config, os.environ)) if site else None

    def note(snapshot: Snapshot) -> str:
        if file is None:
            return ""
        file.changed(CLOCK.mono())
        return changed_since(snapshot.infos, file.seen)

    with connected(mqtt, list(SHOWN)) as bus:
        if once:
            snapshot = Snapshot()
            end = CLOCK.mono() + TAKES_EFFECT_S
            while CLOCK.mono() < end and not _whole(snapshot, site):
                bus.wait(0.2)
                snapshot.take(bus.drain())
            typer.echo(line(snapshot, CLOCK.now(), CLOCK.mono(), zone))
            if words := note(snapshot):
                typer.echo(f"-- {words}")
        else:
            with interruptible() as stop:
                show(bus, CLOCK, zone=zone, go_on=lambda: not stop.is_set(), note=note)
    typer.echo("next: `dynexport limit 0 --for 1h` sets a limit of your own")


def _whole(snapshot: Snapshot, site: Site | None) -> bool:
    """Whether all that the one line tells was heard; without a site.yaml one inverter is enough."""
    wanted = {inverter.id for inverter in site.inverters} if site else {*snapshot.readings, *snapshot.controls}
    inverters = bool(snapshot.readings) and wanted <= snapshot.readings.keys()
    return inverters and snapshot.meter is not None and snapshot.active is not None


def parse_duration(text: str) -> float:
    """`90s`, `15m`, `1h`, `1d` in seconds; raises typer.BadParameter."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if not found or float(found[1]) <= 0:
        raise typer.BadParameter(f"{text!r} is no time: write for example 90s, 15m, 1h or 1d")
    return float(found[1]) * UNITS_S[found[2]]


def limit(
    value: str = typer.Argument(help="Watts, or `clear`."),
    for_: str = typer.Option("1h", "--for", help="How long: 90s, 15m, 1h, 1d."),
    generation: bool = typer.Option(False, "--generation", help="Limit generation instead of export."),
    config: Path | None = CONFIG,
) -> None:
    """Publish a limit of your own (limit/manual), or take it back: `dynexport limit clear`."""
    site = site_of(config)
    if "manual" not in site.sources:
        typer.echo("`manual` is not listed in site.yaml, so this limit would have no effect", err=True)
        typer.echo("next: add `manual: {kind: preference}` under `sources`, restart, and try again", err=True)
        raise typer.Exit(2)
    asked = None if value == "clear" else _watts(value)
    seconds = parse_duration(for_)
    longest_s = site.sources["manual"].longest_ttl_s
    if asked is not None and seconds > longest_s:  # the engine would end it earlier than `until` says
        raise typer.BadParameter(f"{for_} is longer than {longest_s / 3600:g}h, `sources.manual.max_ttl_s`")
    with connected(site.mqtt, [topics.ACTIVE]) as bus:
        if asked is None:
            bus.publish(topics.LIMIT, None, "manual")
            typer.echo("your limit is taken back")
        else:
            _publish(bus, asked, seconds, generation)
            typer.echo(
                f"asked for {watts(asked)} of {'generation' if generation else 'export'} at most, for {for_}"
            )
        _tell_effect(bus)
    typer.echo("next: `dynexport watch` shows it, `dynexport limit clear` takes it back")


def _watts(text: str) -> float:
    try:
        asked = float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither watts nor `clear`") from None
    if not 0 <= asked <= LARGEST_W:
        raise typer.BadParameter(f"{text} W is no limit: 0 or more")
    return asked


def _publish(bus: MqttBus, asked: float, seconds: float, generation: bool) -> None:
    now = CLOCK.now()
    until = now + timedelta(seconds=seconds)
    fields: dict[str, Any] = {"issued_at": now, "ttl_s": seconds, "until": until}
    fields["generation_limit_w" if generation else "export_limit_w"] = asked
    bus.publish(topics.LIMIT, Limit(**fields), "manual")


def _tell_effect(bus: MqttBus) -> None:
    """Wait for the engine's answer: a live `active` after ours."""
    end = CLOCK.mono() + TAKES_EFFECT_S
    said: Active | None = None
    while CLOCK.mono() < end:
        bus.wait(0.1)
        for received in bus.drain():
            if (
                isinstance(received, Received)
                and isinstance(received.message, Active)
                and not received.retained
            ):
                said = received.message
        if said is not None:
            typer.echo(f"in force now: {said.reason}")
            return
    typer.echo(
        "limit-engine does not answer: is it running? It will take the stored limit when it starts", err=True
    )


def check(config: Path | None = CONFIG) -> None:
    """Read site.yaml and say what the site will do, or every mistake with its line."""
    site = site_of(config)
    for doubt in doubts(config):
        typer.echo(f"doubt: {doubt}")
    for sentence in summary(site):
        typer.echo(sentence)
    if changed := _changed(site, find(config, os.environ)):
        typer.echo(f"doubt: {changed}")
    typer.echo(
        "next: `dynexport up`"
        if site.control.enabled
        else "next: `dynexport up`, and when it looks right `dynexport enable`"
    )


def _changed(site: Site, path: Path) -> str:
    """Whether services run with other settings than the file's; without a broker nothing runs, and nothing is said."""
    try:
        heard = stored(site.mqtt, CLOCK, topics.INFO, topics.AVAILABILITY, within_s=ASKS_FOR_S)
    except NoBroker:
        return ""
    snapshot = Snapshot()
    snapshot.take(heard)
    running = {name: info for name, info in snapshot.infos.items() if snapshot.online.get(name)}
    return changed_since(running, digest(path))


def summary(site: Site) -> list[str]:
    """What this site.yaml means, in sentences."""
    agreement = site.agreement
    sentences = [
        f"{site.site.name}: export is limited to {watts(agreement.export_limit_w)} by the connection agreement.",
        f"When something has failed, all inverters together make at most {watts(failsafe_w(site))}: "
        + ", ".join(f"{i.id} {watts(failsafe_share_w(site, i.id))}" for i in site.inverters)
        + ".",
    ]
    for name, source in sorted(site.sources.items()):
        silence = (
            "its fallback counts when it is silent" if source.fallback else "it is ignored when it is silent"
        )
        sentences.append(f"limit/{name} is {'an' if source.fallback else 'a'} {source.kind}: {silence}.")
    sentences.append(f"Services: {', '.join(module.replace('_', '-') for module in services_of(site))}.")
    if not site.control.enabled:
        sentences.append("control.enabled is false: nothing is written to an inverter.")
    return sentences


def enable(
    config: Path | None = CONFIG,
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
    off: bool = typer.Option(False, "--off", help="Disable writing again."),
) -> None:
    """Let Dynexport write to the inverters: says what will be written and what happens if we die, and asks."""
    site = site_of(config)
    path = find(config, os.environ)
    if not off:
        for inverter in site.modbus_inverters:
            typer.echo(_will_be_written(inverter))
        behind_mqtt: list[MqttInverter | Load] = [*site.mqtt_inverters, *site.loads]
        for one in behind_mqtt:
            if one.command is not None:
                typer.echo(f"{one.id}: its limit will be published on {one.command.topic}.")
        for found in site.modbus_batteries:
            if found.battery.control == "charge_rate":
                typer.echo(f"{found.battery.id}: its rate will be written by Modbus at {address_of(found)}.")
        for sentence in _when_we_die(site):
            typer.echo(sentence)
        if not yes and not typer.confirm("Write to these inverters?", default=False):
            typer.echo("nothing was changed. Next: `dynexport watch` shows what would be written")
            raise typer.Exit(1)
    _set_enabled(path, not off)
    typer.echo(
        f"{path}: control.enabled is {'false' if off else 'true'}. Next: restart the services (`dynexport up`)"
    )


def _will_be_written(inverter: ModbusInverter) -> str:
    """What, where, and what an owner must know of it before the first write."""
    what = scope(inverter).value
    sentence = f"{inverter.id}: its {what} limit will be written by Modbus at {address_of(inverter)}"
    if persists(inverter):
        sentence += "; it outlives a power cut, and `dynexport release` takes it out again"
    return f"{sentence}."


def _when_we_die(site: Site) -> list[str]:
    """From the capabilities that the writer has published; without them, said so."""
    try:
        heard = stored(site.mqtt, CLOCK, topics.INVERTER_CAPABILITY)
    except NoBroker as error:
        typer.echo(str(error), err=True)
        heard = []
    known = {
        received.id: received.message
        for received in heard
        if isinstance(received.message, InverterCapability)
    }
    return [f"{of_capability(inverter.id, known.get(inverter.id))}." for inverter in site.inverters]


def _set_enabled(path: Path, enabled: bool) -> None:
    """Edit one value on its own line; everything else in the file stays as its owner wrote it."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    places = read(path).lines
    word = "true" if enabled else "false"
    if ("control", "enabled") in places:
        number = places[("control", "enabled")] - 1
        lines[number] = re.sub(r"(\benabled:\s*)[^\s,}#]+", rf"\g<1>{word}", lines[number], count=1)
    elif ("control",) in places:
        number = places[("control",)] - 1
        lines[number] = re.sub(
            r"control:\s*(\{)?", lambda found: _opened(found, word), lines[number], count=1
        )
    else:
        lines.append(f"\ncontrol:\n  enabled: {word}\n")
    path.write_text("".join(lines), encoding="utf-8")


def _opened(found: re.Match[str], word: str) -> str:
    """A control section that says nothing of `enabled` yet: in braces, or on lines of its own."""
    return f"control: {{enabled: {word}, " if found[1] else f"control:\n  enabled: {word}\n"
