"""`dynexport adopt` and `dynexport release`: the owner's word on what stands in an inverter."""

from __future__ import annotations

from pathlib import Path

import typer

from dynexport import topics
from dynexport.bus import MqttBus
from dynexport.cli.connect import CLOCK, CONFIG, connected, site_of
from dynexport.cli.view import watts
from dynexport.messages import InverterCapability, Request
from dynexport.modbus.address import address_of
from dynexport.modbus.drivers import inverter_device, persists
from dynexport.modbus.endpoint import Endpoint, ModbusError
from dynexport.ports import Received
from dynexport.service import ONLINE
from dynexport.settings.models import InverterCommand, MqttInverter, MqttSection, Site
from dynexport.settings.models import ModbusInverter as InverterSettings
from dynexport.template import filled, short, switch, whole
from inverter_writer.handover import Handover
from inverter_writer.store import Store
from inverter_writer.takeout import NeverWritten, Takeout

WRITER = "inverter-writer"
HEARS_WITHIN_S = 2.0
ANSWERS_WITHIN_S = 6.0
IDS = typer.Argument(None, help="Their ids; without any: all of them.")
YES = typer.Option(False, "--yes", "-y", help="Do not ask.")


def adopt(
    inverter: str = typer.Argument(help="The inverter's id."),
    yes: bool = YES,
    config: Path | None = CONFIG,
) -> None:
    """Let the limit that was found in an inverter be loosened: from then on it counts as ours."""
    site = site_of(config)
    _known(site, [inverter])
    with connected(site.mqtt, [topics.INVERTER_CAPABILITY]) as bus:
        capability = _capability(bus, inverter, HEARS_WITHIN_S)
        if capability is None:
            raise _ended(
                f"{WRITER} has not said yet what {inverter} is", "is it running? `dynexport watch` shows it"
            )
        if capability.found_limit_w is None or capability.adopted:
            what = (
                "its limit is adopted already" if capability.adopted else "no limit of others was found in it"
            )
            typer.echo(f"{inverter}: {what}, nothing to do. Next: `dynexport watch`")
            return
        limit = watts(capability.found_limit_w)
        typer.echo(
            f"{inverter}: a limit of {limit} was found in it. It may be your installer's, or the distributor's."
        )
        typer.echo(f"If you adopt it, Dynexport may open {inverter} as far as your agreement allows.")
        if not _agreed(yes, "May it be loosened?"):
            typer.echo("nothing was changed: the limit stays")
            raise typer.Exit(1)
        bus.publish(topics.REQUEST, Request(issued_at=CLOCK.now(), id=inverter), WRITER, "adopt")
        answer = _capability(bus, inverter, ANSWERS_WITHIN_S, adopted=True)
    if answer is None:
        raise _ended(
            f"{WRITER} did not answer: nothing is adopted",
            f"is it running? then `dynexport adopt {inverter}`",
        )
    typer.echo(f"{inverter}: the limit of {limit} is adopted, and remembered. Next: `dynexport watch`")


def release(
    inverters: list[str] | None = IDS,
    yes: bool = YES,
    stopped: bool = typer.Option(
        False, "--the-writer-is-stopped", help="For when the broker cannot tell whether inverter-writer runs."
    ),
    config: Path | None = CONFIG,
) -> None:
    """Take our limit out of the inverters, for uninstalling; a limit found there before ours is put back."""
    site = site_of(config)
    names = inverters or [inverter.id for inverter in site.inverters]
    _known(site, names)
    _refuse_while_writing(site, stopped)
    for settings in site.mqtt_inverters:
        if settings.id in names and settings.command is not None:
            typer.echo(f"{settings.id}: {_told_by_hand(settings, settings.command)}")
    wanted = [inverter for inverter in site.modbus_inverters if inverter.id in names]
    done = [_release(site, inverter, yes) for inverter in wanted]
    if not all(done):
        typer.echo("next: see to what is told above, then `dynexport release` again", err=True)
        raise typer.Exit(1)
    typer.echo("next: remove Dynexport; the installer's own limit in each inverter is what counts now")


def _release(site: Site, settings: InverterSettings, yes: bool) -> bool:
    """One inverter; False when it did not answer."""
    name = settings.id
    store = Store(Path(site.site.state_dir), name) if persists(settings) else None
    found = Handover(store)
    endpoint = Endpoint(address_of(settings))
    takeout = Takeout(settings, inverter_device(settings, endpoint), found)
    try:
        standing = takeout.look()
        for trouble in found.troubles:
            typer.echo(f"{name}: {trouble}")
        typer.echo(f"{name}: {standing.limit} is in force now")
        if standing.control.connected is False:
            typer.echo(f"{name}: it is disconnected, and stays so: connect it at the inverter if you may")
        plan = takeout.plan(standing)
        if plan is None:
            typer.echo(f"{name}: nothing of ours is in force there, so nothing is written")
            return True
        typer.echo(f"{name}: {plan}")
        if not _agreed(yes, f"Write this to {name}?"):
            typer.echo(f"{name}: it is left as it is")
            return True
        typer.echo(f"{name}: done, now {takeout.write(standing, CLOCK.mono())} is in force")
    except NeverWritten as why:
        typer.echo(f"{name}: nothing is written: {why}", err=True)
        typer.echo(
            f"{name}: if a limit of ours was ever written to it, take it out at the inverter", err=True
        )
        return False
    except ModbusError as error:
        typer.echo(f"{name}: {error}", err=True)
        return False
    finally:
        endpoint.close()
    return True


def _told_by_hand(settings: MqttInverter, command: InverterCommand) -> str:
    """What is behind MQTT obeys whoever publishes: its owner tells it, once nobody contradicts him."""
    values = {
        "limit_w": whole(settings.rated_w),
        "limit_kw": short(settings.rated_w / 1000.0, 3),
        "limit_pct": "100",
        "connect": switch(True),
    }
    return f"to let it free, publish on {command.topic}: {filled(command.payload, values)}"


def _refuse_while_writing(site: Site, stopped: bool) -> None:
    """Two masters spoil a bus, and what the writer may write it would write again."""
    if site.control.enabled:
        message = "control.enabled is true: inverter-writer would write its limit again"
        raise _ended(message, "`dynexport enable --off`, stop the services, then `dynexport release`")
    word = _word_of_the_writer(site.mqtt)
    if word == ONLINE:
        message = f"{WRITER} is online, and it alone may speak to the inverters"
        raise _ended(
            message, "stop the services (Ctrl-C in `dynexport up`, or `docker compose stop`), then again"
        )
    if word is None and not stopped:
        message = f"the broker does not tell whether {WRITER} is stopped"
        raise _ended(message, "stop every service, then `dynexport release --the-writer-is-stopped`")


def _word_of_the_writer(mqtt: MqttSection) -> str | None:
    """`online` or `offline`; None without a broker, or when it has heard nothing of it."""
    word: str | None = None
    try:
        with connected(mqtt, [topics.AVAILABILITY]) as bus:
            end = CLOCK.mono() + HEARS_WITHIN_S  # all of it: its parent may just be restarting it
            while CLOCK.mono() < end:
                bus.wait(0.1)
                for received in _messages(bus):
                    if received.id == WRITER and isinstance(received.message, str):
                        word = received.message
    except typer.Exit:  # `connected` has said why
        return None
    return word


def _capability(
    bus: MqttBus, inverter: str, within_s: float, *, adopted: bool | None = None
) -> InverterCapability | None:
    """The capability of an inverter as soon as it is heard; with `adopted`, one that says so."""
    end = CLOCK.mono() + within_s
    while CLOCK.mono() < end:
        bus.wait(0.1)
        for received in _messages(bus):
            message = received.message
            if received.id != inverter or not isinstance(message, InverterCapability):
                continue
            if adopted in (None, message.adopted):
                return message
    return None


def _messages(bus: MqttBus) -> list[Received]:
    return [received for received in bus.drain() if isinstance(received, Received)]


def _known(site: Site, names: list[str]) -> None:
    known = [inverter.id for inverter in site.inverters]
    for name in names:
        if name not in known:
            typer.echo(f"no inverter {name!r} in site.yaml; there are: {', '.join(known)}", err=True)
            raise typer.Exit(2)


def _agreed(yes: bool, question: str) -> bool:
    return yes or typer.confirm(question, default=False)


def _ended(message: str, then: str) -> typer.Exit:
    typer.echo(message, err=True)
    typer.echo(f"next: {then}", err=True)
    return typer.Exit(1)
