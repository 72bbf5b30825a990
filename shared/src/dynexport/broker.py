"""A broker of one's own on a free loopback port, for demo, bench and tests: `mosquitto`, else `iotcore`."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from dynexport.clock import SystemClock

Kind = Literal["mosquitto", "iotcore"]
Preference = Literal["auto", "mosquitto", "iotcore"]
HOST = "127.0.0.1"
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
FIRST_PORT, PORTS = 12_000, 20_000
STARTS_WITHIN_S = 10.0
# `user`: a change of user, which mosquitto makes as root, would undo _die_with_parent
MOSQUITTO = """\
listener {port} {host}
allow_anonymous true
persistence false
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
user {user}
"""
# rumqttd speaks MQTT 5 only on a listener under [v5.1]
IOTCORE = """\
id = 0
[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
[v5.1]
name = "v5-1"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = 262144
max_inflight_count = 100
dynamic_filters = true
"""
SERVE = """\
import sys
from iotcore import IotCoreBroker
IotCoreBroker(config_path=sys.argv[1]).run_forever()
"""


class BrokerError(Exception):
    """No broker could be started; the text says why and what to install."""


class RunningBroker:
    """A broker process; leave the `with` block to stop it."""

    def __init__(self, kind: Kind, port: int, command: list[str], log: Path) -> None:
        self.kind = kind
        self.host = HOST
        self.port = port
        self._command = command
        self._log = log
        self._process = self._start()

    @property
    def pid(self) -> int:
        """The process that serves."""
        return self._process.pid

    def send_signal(self, number: signal.Signals) -> None:
        """Kill or freeze it: for tests of what happens then."""
        self._process.send_signal(number)

    def revive(self) -> None:
        """Let a frozen one go on, or start a killed one again on the same port."""
        if self._process.poll() is None and not _stopped(self.pid):
            self._process.wait(STARTS_WITHIN_S)
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
        else:
            self._process = self._start()

    def stop(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> subprocess.Popen[bytes]:
        clock = SystemClock()
        with self._log.open("ab") as log:
            # a session of its own: a terminal's Ctrl-C must not take the broker before those who use it
            process = subprocess.Popen(
                self._command, stdout=log, stderr=log, start_new_session=True, preexec_fn=_die_with_parent
            )
        end = clock.mono() + STARTS_WITHIN_S
        while clock.mono() < end and process.poll() is None:
            if _answers(self.port):
                return process
            clock.sleep(0.02)
        process.kill()
        process.wait()
        raise BrokerError(f"{self.kind} did not start on port {self.port}:\n{self._log.read_text()[-1000:]}")


def mosquitto() -> str | None:
    """The installed `mosquitto`, which Debian keeps where a user's PATH does not look."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def start_broker(directory: Path, *, prefer: Preference = "auto") -> RunningBroker:
    """Start a broker whose files are in `directory`; raises BrokerError."""
    program = mosquitto()
    port = free_port()
    log = directory / "broker.log"
    if prefer != "iotcore" and program is not None:
        config = directory / "mosquitto.conf"
        config.write_text(
            MOSQUITTO.format(host=HOST, port=port, user="root" if os.geteuid() == 0 else "mosquitto")
        )
        return RunningBroker("mosquitto", port, [program, "-c", str(config)], log)
    if prefer == "mosquitto":
        raise BrokerError("mosquitto is not installed: `sudo apt install mosquitto`")
    if find_spec("iotcore") is None:
        raise BrokerError(
            "neither mosquitto nor the embedded broker is installed here; in a container the demo is "
            "`docker compose -f deploy/compose.yaml --profile demo up`"
        )
    config = directory / "iotcore.toml"
    config.write_text(IOTCORE.format(host=HOST, port=port))
    return RunningBroker("iotcore", port, [sys.executable, "-c", SERVE, str(config)], log)


def random_root() -> str:
    """A root that nobody else uses."""
    return f"dynexport-{secrets.token_hex(3)}"


def free_port() -> int:
    """A loopback port that nobody uses now, below those that the kernel takes for outgoing connections."""
    while True:
        port = FIRST_PORT + secrets.randbelow(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port


def _die_with_parent() -> None:
    """In the child: be ended by the kernel when the thread that started it is gone, also by SIGKILL."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((HOST, port)) == 0


def _stopped(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return state in "Tt"
