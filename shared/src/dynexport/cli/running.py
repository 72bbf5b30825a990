"""`up` and `demo`: a site's services under one roof."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from ruamel.yaml import YAML

from dynexport.access import environment, folder_of
from dynexport.broker import BrokerError, Preference, RunningBroker, random_root, start_broker
from dynexport.bus import MqttBus
from dynexport.cli.connect import CLOCK, CONFIG, site_of
from dynexport.cli.live import show
from dynexport.cli.play import demo_site, script
from dynexport.cli.snapshot import subscribe
from dynexport.cli.supervisor import Supervisor, services_of
from dynexport.settings.load import find, load
from dynexport.settings.models import Site
from dynexport.testing.pki import make_pki
from dynexport.watchdog import TickFile

COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "red")
WIDTH = 16
POLL_S = 0.2
SERVICES_LOG = "services.log"
WARNINGS = ("level=WARNING", "level=ERROR", "level=CRITICAL", "ended")


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """An event that SIGINT, SIGTERM and SIGHUP set."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    yield stop


def up(
    config: Path | None = CONFIG,
    without: list[str] = typer.Option([], help="Leave a service out: your own program takes its place."),  # noqa: B008
) -> None:
    """Start every service that site.yaml needs, until interrupted; with `init`'s folder each as its own user."""
    site = site_of(config, user=None)
    modules = _less(services_of(site), without)
    lock = threading.Lock()

    def log(name: str, text: str) -> None:
        colour = COLOURS[[*modules, name.replace("-", "_")].index(name.replace("-", "_")) % len(COLOURS)]
        prefix = typer.style(f"{name:{WIDTH}}", fg=colour) if sys.stdout.isatty() else f"{name:{WIDTH}}"
        with lock:
            typer.echo(f"{prefix} {text}")

    path = find(config, os.environ).resolve()
    folder = folder_of(path, os.environ)

    def own_env(name: str) -> Mapping[str, str]:
        return environment(folder, name) if site.mqtt.username is None else {}

    supervisor = Supervisor(path, modules, log, own_env=own_env)
    with interruptible() as stop:
        supervisor.start()
        typer.echo(f"{len(modules)} services started. See it live: `dynexport watch`. Stop with Ctrl-C.")
        while not stop.wait(POLL_S):
            supervisor.poll()
            if all(child.given_up for child in supervisor.children):
                break
        typer.echo("stopping")
        supervisor.stop()
    if any(child.given_up for child in supervisor.children):
        typer.echo("next: `dynexport check`", err=True)
        raise typer.Exit(2)
    typer.echo("all services stopped. Next: `dynexport up` starts them again.")


def _less(modules: list[str], without: list[str]) -> list[str]:
    """The modules without the named services; refuses a name that is none of them."""
    names = [module.replace("_", "-") for module in modules]
    if unknown := [name for name in without if name not in names]:
        raise typer.BadParameter(f"{unknown[0]} is none of this site's services: {', '.join(names)}")
    return [module for module, name in zip(modules, names, strict=True) if name not in without]


def demo(
    for_s: float = typer.Option(0.0, "--for", help="End after so many seconds; 0: when interrupted."),
    steps: bool = typer.Option(True, help="Change limit and load every 15 s."),
    kind: str = typer.Option("auto", "--broker", help="auto, mosquitto or iotcore (the embedded one)."),
    attached: bool = typer.Option(False, "--attached", help="Play on the simulated site that runs already."),
    config: Path | None = CONFIG,
) -> None:
    """A whole simulated site, live: every service, a broker of its own, a changing limit."""
    if attached:
        _play_on(config, for_s, steps)
        return
    with interruptible() as stop, tempfile.TemporaryDirectory(prefix="dynexport-demo-") as folder:
        directory = Path(folder)
        try:
            broker = start_broker(directory, prefer=_preference(kind))
        except BrokerError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
        with broker:
            _demo(broker, directory, stop, for_s, steps)
    typer.echo(
        "the demo has ended. Next: write your own site.yaml from docs/site.example.yaml, then `dynexport check`"
    )


def _play_on(config: Path | None, for_s: float, steps: bool) -> None:
    """The demo's steps on a site whose services others have started, as compose.yaml does."""
    site = site_of(config)
    if site.simulator is None:
        typer.echo(
            "this site.yaml is of no simulated site: the demo changes loads and limits at will", err=True
        )
        typer.echo("next: `dynexport demo` makes a site of its own", err=True)
        raise typer.Exit(2)
    ticks = TickFile(os.environ, lambda text: typer.echo(text, err=True))
    with interruptible() as stop:
        bus = MqttBus(site.mqtt, f"{site.mqtt.root}-demo", clock=CLOCK)
        subscribe(bus)
        bus.start()
        try:
            _show(site, bus, lambda: ticks.tick(CLOCK.mono()), stop, for_s, steps)
        finally:
            bus.stop()


def _preference(kind: str) -> Preference:
    for known in typing.get_args(Preference):
        if kind == known:
            return typing.cast("Preference", known)
    raise typer.BadParameter(f"{kind!r} is none of {', '.join(typing.get_args(Preference))}")


def _demo(broker: RunningBroker, directory: Path, stop: threading.Event, for_s: float, steps: bool) -> None:
    root = random_root()
    config = directory / "site.yaml"
    YAML().dump(demo_site(broker, root), config)
    make_pki(directory / "utility")
    site = load(config)
    typer.echo(f"broker: {broker.kind}. Watch it from another terminal:")
    typer.echo(f"  mosquitto_sub -h {broker.host} -p {broker.port} -t '{root}/#' -v")
    typer.echo(f"  dynexport watch --config {config}")
    typer.echo(f"logs of the services: {directory / SERVICES_LOG}")
    with (directory / SERVICES_LOG).open("a", encoding="utf-8") as file:
        supervisor = Supervisor(config, services_of(site), _logger(file))
        supervisor.start()
        bus = MqttBus(site.mqtt, f"{root}-demo", clock=CLOCK)
        subscribe(bus)
        bus.start()
        try:
            _show(site, bus, supervisor.poll, stop, for_s, steps)
        finally:
            bus.stop()
            supervisor.stop()


def _show(
    site: Site, bus: MqttBus, often: Callable[[], None], stop: threading.Event, for_s: float, steps: bool
) -> None:
    """Show and play until stopped; `often` is called a few times a second."""
    played = script(site, bus, steps=steps)
    end = CLOCK.mono() + for_s if for_s else None

    def go_on() -> bool:
        often()
        played.play()
        return not stop.is_set() and (end is None or CLOCK.mono() < end)

    show(bus, CLOCK, zone=site.site.zone, go_on=go_on, note=lambda _: played.note)


def _logger(file: Any) -> Any:
    lock = threading.Lock()

    def log(name: str, text: str) -> None:
        with lock:
            if not file.closed:
                file.write(f"{name:{WIDTH}} {text}\n")
                file.flush()
        if not sys.stdout.isatty() and any(word in text for word in WARNINGS):
            print(f"-- {name}: {text}", flush=True)

    return log
