"""The broker's users: `init`, `user add`, `user list`, `user remove`."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import typer

from dynexport.access import (
    PEOPLE,
    SERVICES,
    AccessError,
    Owners,
    Prepared,
    add_user,
    folder_of,
    prepare,
    remove_user,
    users,
)
from dynexport.bus import MqttBus
from dynexport.cli.connect import CLOCK, CONFIG, site_of
from dynexport.settings.load import find
from dynexport.settings.models import MqttSection, Site

TAKEN_IN_WITHIN_S = 8.0
RELOAD = """\
next: let the broker read its files again, whichever it is:
  sudo systemctl reload mosquitto                                        (Debian's)
  docker compose -f deploy/compose.yaml kill -s HUP mosquitto            (the compose file's)"""
FOLDER = typer.Option(
    None,
    "--access",
    help="The folder that `init` made; default DYNEXPORT_ACCESS or `access` beside site.yaml.",
)
WHERE_TO = typer.Argument(None, help="Where to; default DYNEXPORT_ACCESS or `access` beside site.yaml.")
MAY_WRITE = typer.Option([], help="A topic that it may write, for example limit/foo.")
MAY_READ = typer.Option([], help="A topic or filter that it may read; # is everything of ours.")

user = typer.Typer(no_args_is_help=True, help="The broker's users: add, list, remove.")


def init(
    folder: Path | None = WHERE_TO,
    config: Path | None = CONFIG,
    broker_owner: str | None = typer.Option(
        None, help="USER:GROUP that the broker runs as, names or numbers; needs root."
    ),
    secrets_owner: str | None = typer.Option(
        None, help="USER:GROUP that the services run as, names or numbers; needs root."
    ),
) -> None:
    """Make the broker's users, passwords and ACL where there are none; what is there stays."""
    site, place = site_of(config), _place(folder, config)
    owners = Owners(_owner(broker_owner), _owner(secrets_owner))
    try:
        done = prepare(place, site, owners)
    except AccessError as error:
        raise _failed(error) from None
    typer.echo(_made(place, done))
    for name in done.taken_away:
        typer.echo(f"{name}: its password is not kept in {place / 'secrets'}; it stays as it is")
    typer.echo(
        f"next: give the broker {place / 'mosquitto'} (mosquitto/README.md says how), then `dynexport up`"
    )


def _made(place: Path, done: Prepared) -> str:
    if not done.changed:
        return f"{place}: nothing to do, all users have a password and the ACL is that of the topic table"
    passwords = f"passwords for {', '.join(done.made)}" if done.made else "no new password"
    written = [name for name in done.changed if not name.startswith("secrets/")]
    return f"{place}: {passwords}; written: {', '.join(written) or 'nothing else'}"


@user.command("add")
def add(
    name: str = typer.Argument(help="Small letters, digits and -."),
    may_write: list[str] = MAY_WRITE,
    may_read: list[str] = MAY_READ,
    folder: Path | None = FOLDER,
    config: Path | None = CONFIG,
) -> None:
    """Add a user of your own: prints the password, once, and looks whether the broker takes it in."""
    site, place = site_of(config), _place(folder, config)
    if not (may_write or may_read):
        raise typer.BadParameter("say what it may do: --may-write limit/foo, --may-read active")
    try:
        password = add_user(place, site, name, may_write=may_write, may_read=may_read)
        allowed = users(place, site)[name]
    except AccessError as error:
        raise _failed(error) from None
    typer.echo(f"user:     {name}\npassword: {password}\nThe password is kept nowhere: write it down now.")
    typer.echo(f"may write: {', '.join(allowed.writes) or 'nothing'}")
    typer.echo(f"may read:  {', '.join(allowed.reads) or 'nothing'}")
    for topic in _unlisted(site, allowed.writes):
        typer.echo(f"{topic}: site.yaml does not list it under `sources`, so it has no effect yet", err=True)
    section = site.mqtt.model_copy(update={"username": name, "password": None, "password_file": None})
    _tell_whether_taken_in(MqttSection.model_validate({**section.model_dump(), "password": password}))


def _unlisted(site: Site, writes: tuple[str, ...]) -> list[str]:
    limits = [path for path in writes if path.startswith(f"{site.mqtt.root}/limit/")]
    return [path for path in limits if path.rpartition("/")[2] not in site.sources]


@user.command("list")
def list_(folder: Path | None = FOLDER, config: Path | None = CONFIG) -> None:
    """Every user, and what it may write and read."""
    site, place = site_of(config), _place(folder, config)
    try:
        found = users(place, site)
    except AccessError as error:
        raise _failed(error) from None
    for name, allowed in found.items():
        kind = "service" if name in SERVICES else "ours" if name in PEOPLE else "yours"
        typer.echo(f"{name} ({kind})")
        typer.echo(f"  writes {', '.join(allowed.writes) or 'nothing'}")
        typer.echo(f"  reads  {', '.join(allowed.reads) or 'nothing'}")
    typer.echo("next: `dynexport user add NAME --may-write limit/foo` adds one of your own")


@user.command("remove")
def remove(name: str, folder: Path | None = FOLDER, config: Path | None = CONFIG) -> None:
    """Take a user away that you added; the broker then drops it."""
    try:
        remove_user(_place(folder, config), site_of(config), name)
    except AccessError as error:
        raise _failed(error) from None
    typer.echo(f"{name} is removed. A broker started by mosquitto/run drops it within 5 s; any other:")
    typer.echo(RELOAD)


def _tell_whether_taken_in(mqtt: MqttSection) -> None:
    """Sign in as the new user: a broker that mosquitto/run started reads its files by itself."""
    bus = MqttBus(mqtt, f"{mqtt.root}-cli-{os.getpid()}", clock=CLOCK)
    bus.start()
    end = CLOCK.mono() + TAKEN_IN_WITHIN_S
    while not bus.connected and CLOCK.mono() < end:
        bus.wait(0.1)
        bus.drain()
    taken_in, refused = bus.connected, bool(bus.problems)
    bus.stop()
    if taken_in:
        typer.echo(f"the broker at {mqtt.host}:{mqtt.port} lets {mqtt.username} in")
        return
    why = "does not know it yet" if refused else "cannot be reached from here"
    typer.echo(f"the broker at {mqtt.host}:{mqtt.port} {why}", err=True)
    typer.echo(RELOAD, err=True)


def _place(folder: Path | None, config: Path | None) -> Path:
    return folder or folder_of(find(config, os.environ), os.environ)


def _failed(error: AccessError) -> typer.Exit:
    typer.echo(str(error), err=True)
    return typer.Exit(2)


def _owner(text: str | None) -> tuple[int, int] | None:
    """`user:group`, names or numbers; raises typer.BadParameter."""
    if text is None:
        return None
    user_, _, group = text.partition(":")
    try:
        uid = int(user_) if user_.isdecimal() else pwd.getpwnam(user_).pw_uid
        gid = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise typer.BadParameter(
            f"{text!r}: no such user or group here; write for example 1883:1883"
        ) from None
    return uid, gid
