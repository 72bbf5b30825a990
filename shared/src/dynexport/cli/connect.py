"""How a verb finds its site and its broker."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from dynexport.access import as_user, folder_of
from dynexport.bus import MqttBus
from dynexport.cli.hearing import NoBroker, on_the_bus
from dynexport.clock import SystemClock
from dynexport.settings.load import ConfigError, find, load
from dynexport.settings.models import MqttSection, Site
from dynexport.topics import Topic

CLOCK = SystemClock()
WHEN_SILENT = "is it running (`dynexport up`, `systemctl status mosquitto`)? are mqtt.host and mqtt.port right?"
WHEN_REFUSED = (
    "are `mqtt.username` and its password those that the broker knows? Did `dynexport init` make them, and may "
    "you read them (sudo)?"
)
OWNER = "owner"
CONFIG = typer.Option(None, "--config", "-c", help="site.yaml; default DYNEXPORT_CONFIG or ./site.yaml.")


def site_of(config: Path | None, *, user: str | None = OWNER) -> Site:
    """Load `site.yaml`; prints every mistake and ends with exit code 2.

    Where it names no user of the broker, we are `user` of the folder that `init` made, if there is one.
    """
    try:
        site = load(config)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        typer.echo("next: mend these lines, then `dynexport check`", err=True)
        raise typer.Exit(2) from None
    if user is None:
        return site
    folder = folder_of(find(config, os.environ), os.environ)
    return site.model_copy(update={"mqtt": as_user(site.mqtt, folder, user)})


@contextmanager
def connected(mqtt: MqttSection, subscribe: Sequence[Topic] = ()) -> Iterator[MqttBus]:
    """A bus that is connected; ends with exit code 1 and what to try when the broker cannot be used."""
    try:
        with on_the_bus(mqtt, CLOCK, subscribe) as bus:
            yield bus
    except NoBroker as error:
        typer.echo(str(error), err=True)
        typer.echo(f"next: {WHEN_REFUSED if error.refused else WHEN_SILENT}", err=True)
        raise typer.Exit(1) from None
