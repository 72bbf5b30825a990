"""A typed command, a broker, and simulated sites as processes of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dynexport.access import as_user, environment, prepare
from dynexport.broker import RunningBroker, free_port, mosquitto, start_broker
from dynexport.bus import MqttBus
from dynexport.clock import SystemClock
from dynexport.ports import RawReceived
from dynexport.settings.models import MqttSection
from dynexport.testing.builders import SITE, site

CLOCK = SystemClock()


class Stack:
    """A broker and services of one site; `site` may be changed before `write`."""

    def __init__(self, directory: Path, broker: RunningBroker) -> None:
        self.directory = directory
        self.broker = broker
        self.config = directory / "site.yaml"
        self.meter_port, self.inverter_port = free_port(), free_port()
        self.site: dict[str, Any] = {
            **SITE,
            "mqtt": {"host": broker.host, "port": broker.port},
            "meter": {
                "driver": "sunspec",
                "tcp": {"host": "127.0.0.1", "port": self.meter_port},
                "unit": 240,
            },
            "inverters": [
                {
                    "id": "roof",
                    "driver": "sunspec",
                    "tcp": {"host": "127.0.0.2", "port": self.inverter_port},
                    "unit": 1,
                    "rated_w": 10000,
                }
            ],
            "control": {"enabled": True},
            "simulator": {"sun": "script", "load_w": 2000},
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def write(self) -> None:
        YAML().dump(self.site, self.config)

    def start(self, *modules: str, **env: str) -> None:
        for module in modules:
            login = environment(self.directory / "access", module.replace("_", "-"))
            log = (self.directory / f"{module}.log").open("ab")
            self.processes[module] = subprocess.Popen(
                [sys.executable, "-m", module],
                env={**os.environ, "DYNEXPORT_CONFIG": str(self.config), **login, **env},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def stop(self, *modules: str) -> None:
        for module in modules or list(self.processes):
            process = self.processes.pop(module)
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(12)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def wait_for_port(self, host: str, port: int, within_s: float = 20.0) -> None:
        end = CLOCK.mono() + within_s
        while CLOCK.mono() < end:
            with socket.socket() as probe:
                if probe.connect_ex((host, port)) == 0:
                    return
            CLOCK.sleep(0.1)
        raise AssertionError(f"nobody listens at {host}:{port}")

    def wait_for(self, topic: str, within_s: float = 30.0) -> bytes:
        """The first message on a topic below the root."""
        section = MqttSection(host=self.broker.host, port=self.broker.port)
        bus = MqttBus(as_user(section, self.directory / "access", "observer"), "waiting", clock=CLOCK)
        bus.subscribe_raw(f"dynexport/{topic}")
        bus.start()
        try:
            end = CLOCK.mono() + within_s
            while CLOCK.mono() < end:
                bus.wait(0.2)
                for received in bus.drain():
                    if isinstance(received, RawReceived):
                        return received.payload
        finally:
            bus.stop()
        raise AssertionError(f"nothing on {topic}")

    def run(
        self, *words: str, stdin: str = "", within_s: float = 120.0, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Type `dynexport ...` for this site."""
        command = [sys.executable, "-m", "dynexport.cli", *words, "--config", str(self.config)]
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
            env={**os.environ, **env},
        )


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with start_broker(tmp_path) as broker:
        made = Stack(tmp_path, broker)
        made.write()
        try:
            yield made
        finally:
            made.stop()


SECURED = """\
listener {port} 127.0.0.1
allow_anonymous false
password_file {folder}/passwd
acl_file {folder}/acl
persistence false
log_dest stderr
user {user}
"""


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Stack]:
    """As `stack`, on a broker with our users and our access list."""
    program = mosquitto()
    if program is None:
        pytest.skip("mosquitto is not installed: `sudo apt install mosquitto`")
    port, config = free_port(), tmp_path / "mosquitto.conf"
    prepare(tmp_path / "access", site(mqtt={"host": "127.0.0.1", "port": port}))
    user = "root" if os.geteuid() == 0 else "mosquitto"
    folder = tmp_path / "access" / "mosquitto"
    config.write_text(SECURED.format(port=port, folder=folder, user=user))
    with RunningBroker("mosquitto", port, [program, "-c", str(config)], tmp_path / "broker.log") as broker:
        made = Stack(tmp_path, broker)
        made.write()
        try:
            yield made
        finally:
            made.stop()
