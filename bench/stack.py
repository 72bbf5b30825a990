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
from bench.shape import site
from dynexport import topics
from dynexport.broker import RunningBroker, random_root, start_broker
from dynexport.bus import MqttBus
from dynexport.clock import SystemClock
from dynexport.messages import Limit, Request
from dynexport.ports import Received
from dynexport.settings.models import MqttSection

CONTROL = ("meter_reader", "inverter_writer", "limit_engine", "tariff_limits")
SIMULATOR = "site_simulator"
CLOCK = SystemClock()
PLANT_WITHIN_S = 30.0
ROOT = Path(__file__).resolve().parent.parent


class Stack:
    """Processes by module name, the owner's side of the bus, and the simulator's record."""

    def __init__(
        self, directory: Path, mqtt: MqttSection, site: dict[str, Any], broker: RunningBroker
    ) -> None:
        self.broker = broker
        self.directory = directory
        self.config = directory / "site.yaml"
        self.shape = site
        self.record = Record(directory / "record.jsonl")
        site["simulator"]["record"] = str(self.record.path)
        YAML().dump(site, self.config)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.bus = MqttBus(mqtt, f"{mqtt.root}-bench", clock=CLOCK)
        self.bus.subscribe(topics.ACTIVE)
        self.heard: list[Received] = []

    def start(self, modules: Sequence[str]) -> float:
        """Start processes at once; returns the moment."""
        moment = CLOCK.mono()
        for module in modules:
            self.spawn(module, [module])
        return moment

    def spawn(self, name: str, module: Sequence[str]) -> None:
        """Start one more process, a module with its arguments, under a name of its own."""
        environment = {**os.environ, "DYNEXPORT_CONFIG": str(self.config), "DYNEXPORT_LOG_LEVEL": "INFO"}
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *module],
                env=environment,
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def port(self, inverter: str) -> int:
        """The Modbus port of a simulated inverter."""
        return int(next(entry["tcp"]["port"] for entry in self.shape["inverters"] if entry["id"] == inverter))

    def logs(self) -> str:
        """The end of what each process wrote."""
        tails = [path.read_text(errors="replace")[-1000:] for path in sorted(self.directory.glob("*.log"))]
        return "\n".join(tails)

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

    def await_plant(self) -> None:
        """Wait until the simulator serves its devices and can be told what to do."""
        end = CLOCK.mono() + PLANT_WITHIN_S
        while not (self.record.samples and self.bus.connected):
            if CLOCK.mono() > end:
                raise RuntimeError(f"the simulator is not there after {PLANT_WITHIN_S:.0f} s:\n{self.logs()}")
            self.wait(0.2)
        self.wait(1.0)

    def wait(self, seconds: float) -> None:
        """Let time pass; a process that ended fails the measurement."""
        end = CLOCK.mono() + seconds
        while (left := end - CLOCK.mono()) > 0:
            CLOCK.sleep(min(0.1, left))
            self.heard += [said for said in self.bus.drain() if isinstance(said, Received)]
            for module, process in self.processes.items():
                if process.poll() is not None:
                    log = (self.directory / f"{module}.log").read_text(errors="replace")
                    raise RuntimeError(f"{module} ended with {process.returncode}:\n{log[-2000:]}")
        self.record.update()


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
                running.await_plant()
                yield running
            finally:
                running.stop(list(running.processes))
                running.bus.stop()
