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
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import typer
from ruamel.yaml import YAML

from dynexport import topics
from dynexport.access import environment, folder_of
from dynexport.broker import BrokerError, Preference, RunningBroker, free_port, random_root, start_broker
from dynexport.bus import MqttBus
from dynexport.cli.connect import CLOCK, CONFIG, site_of
from dynexport.cli.live import show
from dynexport.cli.snapshot import subscribe
from dynexport.cli.supervisor import Supervisor, services_of
from dynexport.messages import Limit, Request
from dynexport.settings.load import find, load
from dynexport.settings.models import Site
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


def demo_site(broker: RunningBroker, root: str) -> dict[str, Any]:
    """A simulated roof of 10 kW under a 5 kW agreement, at noon."""
    return {
        "site": {"name": "Demo", "time_zone": "Australia/Adelaide", "clock": "trusted"},
        "mqtt": {"host": broker.host, "port": broker.port, "root": root},
        "agreement": {"export_limit_w": 5000, "failsafe_export_limit_w": 1500},
        "meter": {
            "driver": "sunspec",
            "tcp": {"host": "127.0.0.1", "port": free_port()},
            "unit": 240,
            "poll_s": 0.2,
        },
        "inverters": [
            {
                "id": "roof",
                "driver": "sunspec",
                "tcp": {"host": "127.0.0.1", "port": free_port()},
                "unit": 1,
                "rated_w": 10000,
                "poll_s": 0.2,
            }
        ],
        "sources": {"manual": {"kind": "preference"}, "tariff": {"kind": "preference"}},
        "control": {"enabled": True},
        # The simulated evening's tariff never limits: it shows that the service is there.
        "tariff": {
            "windows": [{"name": "Two-way tariff", "start": "00:00", "end": "00:00", "export_limit_w": 10000}]
        },
        "simulator": {"sun": "script", "available_pct": 95, "load_w": 800},
    }


@dataclass(slots=True)
class Script:
    """What the demo does, step by step; `note` says it in words."""

    bus: MqttBus
    steps: bool
    note: str = "the services start; nothing limits but the agreement: 5000 W"
    _number: int = 0
    _next: float = field(default_factory=lambda: CLOCK.mono() + 12.0)

    def play(self) -> None:
        """Do the next step when its time has come."""
        if not self.steps or CLOCK.mono() < self._next:
            return
        words, limit_w, lasts_s, load_w = STEPS[self._number % len(STEPS)]
        self._number += 1
        self._next = CLOCK.mono() + STEP_S
        self.note = words
        now = CLOCK.now()
        if load_w is not None:
            self.bus.publish(
                topics.REQUEST,
                Request(issued_at=now, fault="load_w", value=load_w),
                "site-simulator",
                "fault",
            )
        if limit_w is not None:
            until = now + timedelta(seconds=lasts_s)
            limit = Limit(issued_at=now, export_limit_w=limit_w, ttl_s=lasts_s, until=until)
            self.bus.publish(topics.LIMIT, limit, "manual")


STEP_S = 15.0
Step = tuple[str, float | None, float, float | None]  # words, limit and how long it lasts, load
STEPS: tuple[Step, ...] = (
    ("the owner limits export to 1500 W (limit/manual)", 1500.0, 60.0, None),
    ("the house uses 4 kW more: the inverter may make more", None, 0.0, 4800.0),
    ("the kettle and the oven go off: the inverter has to come down within seconds", None, 0.0, 800.0),
    ("no export at all: say that the price is negative", 0.0, STEP_S, None),
    ("the limit has run out: back to the agreement's 5000 W, by the ramp", None, 0.0, None),
)


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
    script = Script(bus, steps)
    end = CLOCK.mono() + for_s if for_s else None

    def go_on() -> bool:
        often()
        script.play()
        return not stop.is_set() and (end is None or CLOCK.mono() < end)

    show(bus, CLOCK, zone=site.site.zone, go_on=go_on, note=lambda _: script.note)


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
