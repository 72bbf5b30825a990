"""deploy/compose.yaml brought up for real: a project of its own, gone without a trace afterwards."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.record import Record
from bench.stack import CLOCK

from dynexport.broker import free_port

ROOT = Path(__file__).resolve().parents[2]
VERSION = "test"  # a tag of its own: an installed stack's image stays as it is
IMAGE = f"localhost/dynexport:{VERSION}"
ONE_SHOT = {"init", "demo-site"}


def run(*command: str, env: dict[str, str] | None = None, seconds: float = 120.0) -> str:
    """A command's output; raises AssertionError with what it said when it fails."""
    done = subprocess.run(
        command,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Composed:
    """A compose project of a profile; `record` holds the simulator's truth every 20 ms."""

    def __init__(self, directory: Path) -> None:
        self.project = f"dynexport-test-{secrets.token_hex(3)}"
        self.port = free_port()
        self.record = Record(directory / "record.jsonl")
        self._passwords: dict[str, str] = {}
        directory.chmod(0o777)  # for the simulator's own user
        self._env = {
            "DYNEXPORT_VERSION": VERSION,
            "DYNEXPORT_MQTT_PORT": str(self.port),
            "DYNEXPORT_TEST_RECORD": str(directory),
        }

    def compose(self, *words: str, seconds: float = 120.0) -> str:
        """`docker compose` on this project."""
        files = [
            "--file",
            str(ROOT / "deploy/compose.yaml"),
            "--file",
            str(ROOT / "tests/integration/record.yaml"),
        ]
        command = ["docker", "compose", "--project-name", self.project, *files, "--profile", "demo", *words]
        return run(*command, env=self._env, seconds=seconds)

    def inspect(self, service: str) -> dict[str, Any]:
        """All that Docker knows of a service's container."""
        name = f"{self.project}-{service}-1"
        found: list[dict[str, Any]] = json.loads(run("docker", "inspect", name))
        return found[0]

    @property
    def services(self) -> list[str]:
        """Those that are meant to run on."""
        return sorted(set(self.compose("config", "--services").split()) - ONE_SHOT)

    def healthy(self, service: str) -> bool:
        """Whether its health check says so."""
        state = self.inspect(service)["State"]
        return bool(state["Running"] and state["Health"]["Status"] == "healthy")

    def kill_main_process(self, service: str) -> None:
        """SIGKILL from outside: `docker kill` would count as a wish, and nothing would come back."""
        os.kill(self.inspect(service)["State"]["Pid"], signal.SIGKILL)

    def pause(self, service: str, seconds: float) -> None:
        """Freeze every process of a container for so long."""
        self.compose("pause", service)
        self.wait(seconds)
        self.compose("unpause", service)

    def wait(self, seconds: float) -> None:
        """Let time pass, then read on in the record."""
        CLOCK.sleep(seconds)
        self.record.update()

    def password(self, user: str) -> str:
        """What `init` made for a user; asked for once, because a paused container would not tell."""
        if user not in self._passwords:
            words = ["cat", f"/var/lib/dynexport/access/secrets/{user}"]
            self._passwords[user] = self.compose("exec", "-T", "tariff-limits", *words).strip()
        return self._passwords[user]

    def add_user(self, name: str, may_write: Sequence[str]) -> None:
        """By `dynexport user add` in a container of its own: the broker takes the user in by itself."""
        words = ["run", "--rm", "--no-deps", "--no-TTY", "--user", "1883:1883", "cli", "user", "add", name]
        grants = [word for topic in may_write for word in ("--may-write", topic)]
        said = self.compose(*words, "--config", "/etc/dynexport/demo.yaml", *grants)
        self._passwords[name] = said.partition("password: ")[2].split()[0]

    def publish(self, user: str, topic: str, payload: str) -> None:
        """As this user, by `mosquitto_pub` in the broker's container."""
        words = ["-u", user, "-P", self.password(user), "-V", "5", "-t", topic, "-m", payload]
        self.compose("exec", "-T", "mosquitto", "mosquitto_pub", *words)

    def topics_seen(self, user: str, seconds: int, meanwhile: Callable[[], None]) -> set[str]:
        """The topics that `mosquitto_sub` shows to this user while something else happens."""
        listen = f"mosquitto_sub -u {user} -P {self.password(user)} -t '#' -W {seconds} -F %t || true"
        with ThreadPoolExecutor(1) as pool:
            heard = pool.submit(self.compose, "exec", "-T", "mosquitto", "sh", "-c", listen)
            CLOCK.sleep(2.0)  # until it listens
            meanwhile()
            return set(heard.result().split())

    def utility(self) -> dict[str, Any]:
        """What the utility server says that it was told."""
        words = ["-u", "observer", "-P", self.password("observer"), "-t", "dynexport/simulator/utility"]
        said = self.compose("exec", "-T", "mosquitto", "mosquitto_sub", *words, "-C", "1", "-W", "10")
        found: dict[str, Any] = json.loads(said)
        return found

    def over_limit_s(self, limit_w: float, since: float) -> float:
        """The longest unbroken time over a limit since then, seconds."""
        longest, began = 0.0, None
        for sample in self.record.since(since):
            if sample.export_w <= limit_w:
                began = None
            else:
                began = sample.mono if began is None else began
                longest = max(longest, sample.mono - began)
        return longest


def wait_until(true: Callable[[str], bool], services: Sequence[str], within_s: float) -> list[str]:
    """Those for which it is not true in time."""
    end = CLOCK.mono() + within_s
    missing = list(services)
    while missing and CLOCK.mono() < end:
        missing = [service for service in missing if not true(service)]
        CLOCK.sleep(0.5 if missing else 0.0)
    return missing
