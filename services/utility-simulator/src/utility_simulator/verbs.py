"""`dynexport utility`: tell the simulated utility server what to do."""

from __future__ import annotations

from pathlib import Path

import typer

from dynexport import topics
from dynexport.cli.connect import CLOCK, CONFIG, connected, site_of
from dynexport.messages import Request
from utility_simulator.faults import ACTIONS, STATES


def utility(
    name: str = typer.Argument(help="control, cancel, default, a fault, or clear; `list` shows them all."),
    mode: str | None = typer.Option(
        None, "--id", help="Of a control: export, generation, connect and so on."
    ),
    value: float | None = typer.Option(None, help="Watts, a status, seconds: as it needs."),
    for_s: float | None = typer.Option(None, "--for", help="Seconds that a control or a fault lasts."),
    config: Path | None = CONFIG,
) -> None:
    """Ask the simulated utility server for a control or a fault."""
    known = {**ACTIONS, **STATES}
    if name == "list":
        for word, meaning in sorted(known.items()):
            typer.echo(f"{word:12} {meaning}")
        typer.echo("next: for example `dynexport utility control --id export --value 1500 --for 60`")
        return
    if name not in known:
        typer.echo(f"no {name!r} here; next: `dynexport utility list`", err=True)
        raise typer.Exit(2)
    site = site_of(config)
    with connected(site.mqtt) as bus:
        request = Request(issued_at=CLOCK.now(), fault=name, id=mode, value=value, for_s=for_s)
        bus.publish(topics.REQUEST, request, "utility-simulator", "do")
        CLOCK.sleep(0.2)
    typer.echo(f"asked for {name}: {known[name]}. Next: `dynexport watch`")
