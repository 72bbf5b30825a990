"""How a verb finds its site and its broker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from dynexport.bus import MqttBus
from dynexport.cli.hearing import NoBroker, on_the_bus
from dynexport.clock import SystemClock
from dynexport.settings.load import ConfigError, load
from dynexport.settings.models import MqttSection, Site
from dynexport.topics import Topic

CLOCK = SystemClock()
WHEN_SILENT = "is it running (`dynexport up`, `systemctl status mosquitto`)? is mqtt.host right?"
WHEN_REFUSED = (
    "are `mqtt.username` and the password those that the broker knows? `dynexport user add` makes new ones"
)
CONFIG = typer.Option(None, "--config", "-c", help="site.yaml; default DYNEXPORT_CONFIG or ./site.yaml.")


def site_of(config: Path | None) -> Site:
    """Load `site.yaml`; prints every mistake and ends with exit code 2."""
    try:
        return load(config)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        typer.echo("next: mend these lines, then `dynexport check`", err=True)
        raise typer.Exit(2) from None


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
