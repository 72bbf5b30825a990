"""The live table on a terminal, or one plain line a second without one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import tzinfo

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dynexport.cli.snapshot import Snapshot
from dynexport.cli.view import beside_rows, envelope_rows, grid, inverter_rows, line, service_words, watts
from dynexport.clock import Clock
from dynexport.ports import Bus

REDRAW_S = 0.25
TOLD = ("utility-simulator",)  # whose events are lines of their own where there is no table to hold them


def table(snapshot: Snapshot, mono: float, zone: tzinfo | None, note: str) -> Group:
    """Everything at a glance."""
    active = snapshot.active[0] if snapshot.active else None
    head = Text(f"{grid(snapshot, mono)}", style="bold")
    head.append(f"   generation {watts(snapshot.generation_w)}")
    if active is not None:
        curtailed = "amount unknown" if active.curtailed_w is None else watts(active.curtailed_w)
        head.append(f"   curtailed {curtailed}   mode {active.mode.value}")
    envelope = Table("limit", "value", "source", "until", title="Envelope in force", title_justify="left")
    for limits in envelope_rows(snapshot, zone):
        envelope.add_row(*limits)
    inverters = Table(
        "inverter", "makes", "state", "target", "applied", "control", title="Inverters", title_justify="left"
    )
    for cells in inverter_rows(snapshot, mono):
        inverters.add_row(*cells)
    beside = Table("load, battery", "does", "may", title="Loads and batteries", title_justify="left")
    beside_them = beside_rows(snapshot, mono)
    for row in beside_them:
        beside.add_row(*row)
    last = [Text(f"{name}: {event.message}", style="dim") for name, event in snapshot.events]
    reason = Text(active.reason if active else "")
    services = Text(service_words(snapshot, mono), style="dim")
    tables = [envelope, inverters, *([beside] if beside_them else [])]
    return Group(head, reason, *tables, services, *last, Text(note, style="cyan"))


def show(
    bus: Bus,
    clock: Clock,
    *,
    zone: tzinfo | None,
    go_on: Callable[[], bool],
    note: Callable[[Snapshot], str] = lambda _: "",
) -> None:
    """Show until `go_on` says no; `note` is a line below the table, printed when it changes without a terminal."""
    if sys.stdout.isatty():
        _draw(bus, clock, zone, go_on, note)
    else:
        _print(bus, clock, zone, go_on, note)


def _draw(
    bus: Bus, clock: Clock, zone: tzinfo | None, go_on: Callable[[], bool], note: Callable[[Snapshot], str]
) -> None:
    snapshot = Snapshot()
    with Live(console=Console(), auto_refresh=False, transient=False) as live:
        while go_on():
            clock.sleep(REDRAW_S)
            snapshot.take(bus.drain())
            live.update(table(snapshot, clock.mono(), zone, note(snapshot)), refresh=True)


def _print(
    bus: Bus, clock: Clock, zone: tzinfo | None, go_on: Callable[[], bool], note: Callable[[Snapshot], str]
) -> None:
    snapshot, noted, next_line = Snapshot(), "", clock.mono()
    while go_on():
        clock.sleep(min(REDRAW_S, max(0.0, next_line - clock.mono())))
        known = snapshot.events
        snapshot.take(bus.drain())
        for name, event in snapshot.events:
            if name in TOLD and (name, event) not in known:
                print(f"-- {name}: {event.message}", flush=True)
        if note(snapshot) != noted:
            noted = note(snapshot)
            print(f"-- {noted}", flush=True)
        if clock.mono() >= next_line:
            next_line += 1.0
            print(line(snapshot, clock.now(), clock.mono(), zone), flush=True)
