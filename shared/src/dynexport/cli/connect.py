"""How a verb finds its site and its broker."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from dynexport.access import as_user, folder_of
from dynexport.bus import MqttBus
from dynexport.clock import SystemClock
from dynexport.settings.load import ConfigError, find, load
from dynexport.settings.models import MqttSection, Site

CLOCK = SystemClock()
OWNER = "owner"
CONNECTS_WITHIN_S = 5.0
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
def connected(mqtt: MqttSection, subscribe: list[object] | None = None) -> Iterator[MqttBus]:
    """A bus that is connected; ends with exit code 1 and what to try when the broker cannot be reached."""
    from dynexport.topics import Topic

    bus = MqttBus(mqtt, f"{mqtt.root}-cli-{os.getpid()}", clock=CLOCK)
    for topic in subscribe or []:
        if isinstance(topic, Topic):
            bus.subscribe(topic)
    bus.start()
    end = CLOCK.mono() + CONNECTS_WITHIN_S
    while not bus.connected and CLOCK.mono() < end:
        bus.wait(0.1)
        bus.drain()
    if not bus.connected:
        bus.stop()
        why = bus.problems[-1].detail if bus.problems else "no answer"
        typer.echo(f"no broker at {mqtt.host}:{mqtt.port} ({why})", err=True)
        typer.echo(
            "next: is it running (`dynexport up`, `systemctl status mosquitto`)? is mqtt.host right?",
            err=True,
        )
        raise typer.Exit(1)
    try:
        yield bus
    finally:
        bus.stop()
