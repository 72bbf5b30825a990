"""`dynexport fault`: ask the simulator to misbehave."""

from __future__ import annotations

from pathlib import Path

import typer

from dynexport import topics
from dynexport.cli.connect import CLOCK, CONFIG, connected, site_of
from dynexport.messages import Request
from site_simulator.faults import ACTIONS, STATES


def fault(
    name: str = typer.Argument(help="Its name; `list` shows them all."),
    device: str | None = typer.Option(None, "--id", help="An inverter's id or `meter`; without it all."),
    value: float | None = typer.Option(None, help="Watts, percent, seconds: as the fault needs."),
    for_s: float | None = typer.Option(
        None, "--for", help="Seconds; without it until `dynexport fault clear`."
    ),
    config: Path | None = CONFIG,
) -> None:
    """Ask the simulated site for a fault, a load or a sun."""
    known = {**ACTIONS, **STATES}
    if name == "list":
        for word, meaning in sorted(known.items()):
            typer.echo(f"{word:16} {meaning}")
        typer.echo("next: for example `dynexport fault load_w --value 4000`")
        return
    if name not in known:
        typer.echo(f"no fault {name!r}; next: `dynexport fault list`", err=True)
        raise typer.Exit(2)
    site = site_of(config)
    with connected(site.mqtt) as bus:
        request = Request(issued_at=CLOCK.now(), fault=name, id=device, value=value, for_s=for_s)
        bus.publish(topics.REQUEST, request, "site-simulator", "fault")
        CLOCK.sleep(0.2)
    typer.echo(f"asked for {name}: {known[name]}. Next: `dynexport watch`; `dynexport fault clear` ends it")
