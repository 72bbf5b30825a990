"""The whole stack for a measurement: a broker of its own, the simulator, the services, all real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bench.record import Record
from dynexport import topics
from dynexport.broker import RunningBroker, free_port, random_root, start_broker
from dynexport.bus import MqttBus
from dynexport.clock import SystemClock
from dynexport.messages import Limit, Request
from dynexport.settings.models import MqttSection

CONTROL = ("meter_reader", "inverter_writer", "limit_engine", "tariff_limits")
SIMULATOR = "site_simulator"
CLOCK = SystemClock()


class Stack:
    """Processes by module name, the owner's side of the bus, and the simulator's record."""

    def __init__(
        self, directory: Path, mqtt: MqttSection, site: dict[str, Any], broker: RunningBroker
    ) -> None:
        self.broker = broker
        self.directory = directory
        self.config = directory / "site.yaml"
        self.record = Record(directory / "record.jsonl")
        site["simulator"]["record"] = str(self.record.path)
        YAML().dump(site, self.config)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.bus = MqttBus(mqtt, f"{mqtt.root}-bench", clock=CLOCK)
        self.bus.subscribe(topics.ACTIVE)

    def start(self, modules: Sequence[str]) -> float:
        """Start processes at once; returns the moment."""
        environment = {**os.environ, "DYNEXPORT_CONFIG": str(self.config), "DYNEXPORT_LOG_LEVEL": "INFO"}
        moment = CLOCK.mono()
        for module in modules:
            log = (self.directory / f"{module}.log").open("ab")
            self.processes[module] = subprocess.Popen(
                [sys.executable, "-m", module], env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        return moment

    def stop(self, modules: Sequence[str]) -> None:
        """Stop processes with SIGTERM, and with SIGKILL those that do not go in 12 s."""
        stopping = [self.processes.pop(module) for module in modules if module in self.processes]
        for process in stopping:
            process.send_signal(signal.SIGCONT)  # a frozen one could not obey
            process.terminate()
        for process in stopping:
            try:
                process.wait(12)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def simulate(self, fault: str, value: float | None = None, inverter: str | None = None) -> None:
        """Ask the simulator for something."""
        request = Request(issued_at=CLOCK.now(), fault=fault, value=value, id=inverter)
        if not self.bus.publish(topics.REQUEST, request, "site-simulator", "fault"):
            raise RuntimeError("the broker is gone")

    def limit(self, export_limit_w: float, for_s: float = 3600.0) -> float:
        """Publish `limit/manual`; returns the moment."""
        now = CLOCK.now().astimezone(UTC)
        limit = Limit(
            issued_at=now, export_limit_w=export_limit_w, ttl_s=for_s, until=now + timedelta(seconds=for_s)
        )
        moment = CLOCK.mono()
        if not self.bus.publish(topics.LIMIT, limit, "manual"):
            raise RuntimeError("the broker is gone")
        return moment

    def wait(self, seconds: float) -> None:
        """Let time pass; a process that ended fails the measurement."""
        end = CLOCK.mono() + seconds
        while (left := end - CLOCK.mono()) > 0:
            CLOCK.sleep(min(0.2, left))
            for module, process in self.processes.items():
                if process.poll() is not None:
                    log = (self.directory / f"{module}.log").read_text(errors="replace")
                    raise RuntimeError(f"{module} ended with {process.returncode}:\n{log[-2000:]}")
        self.record.update()


def site(
    mqtt: MqttSection,
    *,
    count: int = 1,
    export_limit_w: float = 1500.0,
    meter_behind: bool = False,
    serial: dict[str, Any] | None = None,
    feeds: Sequence[str] = (),
    phase_limit_w: float | None = None,
    batteries: Sequence[dict[str, Any]] = (),
    **simulator: Any,
) -> dict[str, Any]:
    """`site.yaml` of the plant of control.md: ratings that sum to 10 kW, polls of 0.2 s, script-driven sun.

    With `meter_behind` the meter shares the first inverter's endpoint; with `serial` all share that bus, and are
    polled as fast as a line of 9600 baud can. With `feeds`, the phase of each inverter, the site has three phases.
    """
    inverters: list[dict[str, Any]] = [
        {
            "id": f"i{index}",
            "driver": "sunspec",
            "tcp": {"host": "127.0.0.1", "port": free_port()},
            "unit": 1,
            "rated_w": 10_000 / count,
            "poll_s": 0.2,
            **({"phase": feeds[index]} if feeds else {}),
        }
        for index in range(count)
    ]
    meter: dict[str, Any] = {
        "driver": "sunspec",
        "tcp": dict(inverters[0]["tcp"]) if meter_behind else {"host": "127.0.0.1", "port": free_port()},
        "unit": 240,
        "poll_s": 0.2,
    }
    if serial is not None:
        for unit, device in enumerate(inverters, start=1):
            device["unit"] = unit
        for device in (*inverters, meter):
            del device["tcp"]
            device |= {"serial": dict(serial), "poll_s": 0.5}
    return {
        "site": {
            "name": "Bench",
            "time_zone": "Australia/Adelaide",
            "clock": "trusted",
            "phases": 3 if feeds else 1,
        },
        "mqtt": {"host": mqtt.host, "port": mqtt.port, "root": mqtt.root},
        "agreement": {
            "export_limit_w": export_limit_w,
            "failsafe_export_limit_w": min(1500.0, export_limit_w),
            "export_limit_per_phase_w": phase_limit_w,
        },
        "meter": meter,
        "inverters": inverters,
        "batteries": list(batteries),
        "sources": {"manual": {"kind": "preference"}, "tariff": {"kind": "preference"}},
        "control": {"enabled": True},
        "simulator": {"sun": "script", "load_w": 5000, **simulator},
    }


@contextmanager
def stack(**shape: Any) -> Iterator[Stack]:
    """A stack of this `site` whose broker and simulator run; the services are the caller's to start."""
    with tempfile.TemporaryDirectory(prefix="dynexport-bench-") as folder:
        directory = Path(folder)
        with start_broker(directory) as broker:
            mqtt = MqttSection(host=broker.host, port=broker.port, root=random_root())
            running = Stack(directory, mqtt, site(mqtt, **shape), broker)
            running.bus.start()
            try:
                running.start([SIMULATOR])
                running.wait(2.0)
                yield running
            finally:
                running.stop(list(running.processes))
                running.bus.stop()
