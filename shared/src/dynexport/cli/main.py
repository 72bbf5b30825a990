"""The `dynexport` command: our own verbs, and those that services add by entry points."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint, entry_points

import typer

from dynexport import __version__
from dynexport.cli import access, conform, dump, owner, running, scanning
from dynexport.cli.cert import cert
from dynexport.cli.commission.verb import commission
from dynexport.cli.devices import devices
from dynexport.cli.doctor.verb import doctor
from dynexport.cli.setup.verb import setup

GROUP = "dynexport.verbs"


def root() -> None:
    """Keeps a solar site inside its export limit. Start with `dynexport demo`."""


def version() -> None:
    """The version."""
    typer.echo(__version__)


OWN = (
    version,
    setup,
    access.init,
    running.demo,
    running.up,
    owner.watch,
    owner.limit,
    owner.check,
    owner.enable,
    scanning.scan,
    dump.dump,
    devices,
    doctor,
    commission,
    conform.conform,
)


def add(app: typer.Typer, entry: EntryPoint) -> None:
    """Add a service's verb, or its group of verbs; one that cannot be loaded is said, not fatal."""
    try:
        verb = entry.load()
        if isinstance(verb, typer.Typer):
            app.add_typer(verb, name=entry.name)
        else:
            app.command(name=entry.name)(verb)
    except (ImportError, AttributeError) as error:
        typer.echo(f"the verb `{entry.name}` of {entry.value} cannot be loaded: {error}", err=True)


def application() -> typer.Typer:
    """The whole command: our own verbs, then those of the services that are installed."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(root)
    for verb in OWN:
        app.command()(verb)
    app.add_typer(access.user, name="user")
    app.add_typer(cert, name="cert")
    for entry in sorted(entry_points(group=GROUP), key=lambda found: found.name):
        add(app, entry)
    return app


def run() -> None:
    """The entry point."""
    logging.basicConfig(level=logging.WARNING)
    application()()
