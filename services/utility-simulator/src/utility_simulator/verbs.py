"""`dynexport utility`: tell the simulated utility server what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from dynexport import topics
from dynexport.cli.connect import CLOCK, CONFIG, connected, site_of
from dynexport.messages import Request
from dynexport.ports import RawReceived
from dynexport.settings.models import Site
from utility_simulator.faults import ACTIONS, STATES

SAYS_WITHIN_S = 4.0


def utility(
    name: str = typer.Argument(
        help="control, cancel, default, a fault, or clear; `list` shows them all, `show` what came in."
    ),
    mode: str | None = typer.Option(
        None, "--id", help="Of a control: export, generation, connect and so on."
    ),
    value: float | None = typer.Option(None, help="Watts, a status, seconds: as it needs."),
    for_s: float | None = typer.Option(None, "--for", help="Seconds that a control or a fault lasts."),
    config: Path | None = CONFIG,
) -> None:
    """Ask the simulated utility server for a control or a fault, or what the site told it."""
    known = {**ACTIONS, **STATES}
    if name == "list":
        for word, meaning in sorted(known.items()):
            typer.echo(f"{word:12} {meaning}")
        typer.echo("next: for example `dynexport utility control --id export --value 1500 --for 60`")
        return
    if name == "show":
        _show(site_of(config))
        return
    if name not in known:
        typer.echo(f"no {name!r} here; next: `dynexport utility list`", err=True)
        raise typer.Exit(2)
    _ask(site_of(config), Request(issued_at=CLOCK.now(), fault=name, id=mode, value=value, for_s=for_s))
    typer.echo(f"asked for {name}: {known[name]}. Next: `dynexport utility show`")


def words(state: dict[str, Any]) -> str:
    """What the server says of itself, for people."""
    answers = [f"  {status} to control {mrid}" for mrid, status in state["answers"]] or ["  none yet"]
    return "\n".join(
        [
            f"requests: {state['requests']}; faults: {', '.join(state['faults']) or 'none'}",
            f"readings received: {state['readings']}",
            "the client's answers (1 received, 2 started, 3 completed, 6 cancelled, 7 superseded):",
            *answers,
        ]
    )


def _ask(site: Site, request: Request) -> None:
    with connected(site.mqtt) as bus:
        bus.publish(topics.REQUEST, request, "utility-simulator", "do")
        CLOCK.sleep(0.2)


def _show(site: Site) -> None:
    """Print the next of the states that the server tells every second."""
    path = f"{site.mqtt.root}/{topics.UTILITY_STATE}"
    with connected(site.mqtt) as bus:
        bus.subscribe_raw(path)
        end = CLOCK.mono() + SAYS_WITHIN_S
        while CLOCK.mono() < end:
            bus.wait(0.2)
            for received in bus.drain():
                if isinstance(received, RawReceived):
                    typer.echo(words(json.loads(received.payload)))
                    return
    typer.echo("the utility server says nothing; next: is `utility_simulator` in site.yaml?", err=True)
    raise typer.Exit(1)
