"""Starts the services of a site as processes, restarts those that end, stops them all. No Typer, no Rich."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from dynexport.clock import Clock, SystemClock
from dynexport.settings.models import MqttMeter, Site
from dynexport.watchdog import PARENT_PIPE

BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)
STEADY_S = 60.0
STOP_WITHIN_S = 10.0
BAD_CONFIGURATION = 2

Log = Callable[[str, str], None]


def services_of(site: Site) -> list[str]:
    """The modules that this site needs, in the order in which they are started."""
    modules = []
    if site.simulator is not None:
        modules.append("site_simulator")
    if site.utility_simulator is not None:
        modules.append("utility_simulator")
    if isinstance(site.meter, MqttMeter) or not site.meter_behind_inverter:
        modules.append("meter_reader")
    modules += ["inverter_writer", "limit_engine"]
    if site.tariff is not None:
        modules.append("tariff_limits")
    if site.csip is not None:
        modules.append("csip_client")
    return modules


@dataclass(slots=True)
class Child:
    """One service: its process, and when it may be started again."""

    module: str
    process: subprocess.Popen[str] | None = None
    started: float = 0.0
    failures: int = 0
    restart_at: float | None = None
    given_up: bool = False

    @property
    def name(self) -> str:
        """The service's name."""
        return self.module.replace("_", "-")


@dataclass(slots=True)
class Supervisor:
    """The processes of one site. `log` receives (service, line); `restart` False leaves the dead alone.

    `env` is for all of them, `own_env` tells what one of them is given on top, by its name.
    """

    config: Path
    modules: Sequence[str]
    log: Log
    env: Mapping[str, str] = field(default_factory=dict)
    own_env: Callable[[str], Mapping[str, str]] = lambda _: {}
    restart: bool = True
    clock: Clock = field(default_factory=SystemClock)
    children: list[Child] = field(init=False)
    _life: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self.children = [Child(module) for module in self.modules]

    def start(self) -> None:
        """Start every service."""
        self._life = os.pipe()
        for child in self.children:
            self._start(child)

    def poll(self) -> None:
        """Look after the children: one that ended is started again after its back-off."""
        now = self.clock.mono()
        for child in self.children:
            if child.process is not None and child.process.poll() is not None:
                self._ended(child, child.process.returncode, now)
            elif child.process is None and child.restart_at is not None and now >= child.restart_at:
                self._start(child)

    def pids(self) -> dict[str, int]:
        """The processes that run now, by service."""
        running = {child.name: child.process for child in self.children if child.process is not None}
        return {name: process.pid for name, process in running.items() if process.poll() is None}

    def stop(self, timeout_s: float = STOP_WITHIN_S) -> None:
        """SIGTERM to all, then SIGKILL to those that are still there."""
        running = [child.process for child in self.children if child.process is not None]
        for process in running:
            process.terminate()
        end = self.clock.mono() + timeout_s
        for process in running:
            try:
                process.wait(max(0.1, end - self.clock.mono()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for number in self._life:
            os.close(number)

    def _start(self, child: Child) -> None:
        """A session of its own, so that a terminal's Ctrl-C reaches only us; a pipe whose end tells it we died."""
        reader = self._life[0]
        environment = {
            **os.environ,
            **self.env,
            **self.own_env(child.name),
            "DYNEXPORT_CONFIG": str(self.config),
            PARENT_PIPE: str(reader),
        }
        child.process = subprocess.Popen(
            [sys.executable, "-m", child.module],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=(reader,),
            start_new_session=True,
        )
        child.started, child.restart_at = self.clock.mono(), None
        assert child.process.stdout is not None
        threading.Thread(target=self._forward, args=(child.name, child.process.stdout), daemon=True).start()

    def _forward(self, name: str, lines: IO[str]) -> None:
        for line in lines:
            self.log(name, line.rstrip("\n"))

    def _ended(self, child: Child, code: int, now: float) -> None:
        child.process = None
        if code == BAD_CONFIGURATION:
            child.given_up = True
            self.log(
                child.name,
                "ended: its configuration cannot be used; mend site.yaml and start again",
            )
            return
        if not self.restart:
            self.log(child.name, f"ended with {code}")
            return
        child.failures = 1 if now - child.started > STEADY_S else child.failures + 1
        wait_s = BACK_OFF_S[min(child.failures, len(BACK_OFF_S)) - 1]
        child.restart_at = now + wait_s
        self.log(child.name, f"ended with {code}: started again in {wait_s:g} s")
