"""Programs under test on a broker of their own, and `dynexport conform` beside them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bench.stack import CLOCK

from dynexport.broker import RunningBroker, mosquitto, start_broker

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
STOP_WORDS = "stop the program now"
JUDGED_WITHIN_S = 120.0
INVERTER_W = 5000


@dataclass(slots=True)
class Judge:
    """One `dynexport conform` at work: its lines so far, and whether it asked for the end."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)

    def follow(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if STOP_WORDS in line:
                self.asked.set()
        self.asked.set()

    def broken(self) -> list[str]:
        return [line.strip() for line in self.lines if line.startswith(("broken", "unseen"))]


def conform(broker: RunningBroker, *words: str) -> Judge:
    command = [sys.executable, "-m", "dynexport.cli", "conform", *words]
    where = ["--host", broker.host, "--port", str(broker.port), "--and-stop"]
    judge = Judge(
        subprocess.Popen([*command, *where], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    )
    threading.Thread(target=judge.follow, daemon=True).start()
    return judge


def verdicts(judges: Sequence[Judge], stop: Callable[[], None]) -> list[tuple[int, list[str]]]:
    """Stop the programs when every judge has asked for it; each exit code, and what was broken or not seen."""
    end = CLOCK.mono() + JUDGED_WITHIN_S
    for judge in judges:
        judge.asked.wait(max(0.0, end - CLOCK.mono()))
    stop()
    return [(judge.process.wait(30), judge.broken() or judge.lines[-1:]) for judge in judges]


@dataclass(slots=True)
class Bench:
    """A broker, a folder, and the processes started; what is not stopped is killed at the end."""

    broker: RunningBroker
    folder: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(
        self, *command: str | Path, feeds: bool = False, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program; `feeds` opens its input for `feed`."""
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE if feeds else subprocess.DEVNULL,
            env={**os.environ, **self.environment(), **(env or {})},
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def environment(self) -> dict[str, str]:
        return {"MQTT_HOST": self.broker.host, "MQTT_PORT": str(self.broker.port)}

    def stop(self) -> None:
        """SIGTERM to all, as an owner's service manager does."""
        for process in self.started:
            process.terminate()
        for process in self.started:
            process.wait(10)


@contextmanager
def bench() -> Iterator[Bench]:
    """A broker of one's own: mosquitto, because `conform` needs its QoS and its stored copies."""
    if mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    with tempfile.TemporaryDirectory(prefix="dynexport-examples-") as name:
        folder = Path(name)
        with start_broker(folder, prefer="mosquitto") as broker:
            running = Bench(broker, folder)
            try:
                yield running
            finally:
                for process in running.started:
                    if process.poll() is None:
                        os.killpg(process.pid, signal.SIGKILL)
                        process.wait()


def feed(process: subprocess.Popen[bytes], line: bytes, every_s: float) -> None:
    """Write a line into a program's input again and again, until it is gone."""

    def write() -> None:
        assert process.stdin is not None
        while process.poll() is None:
            try:
                process.stdin.write(line)
                process.stdin.flush()
            except OSError:
                return
            CLOCK.sleep(every_s)

    threading.Thread(target=write, daemon=True).start()


def device(folder: Path) -> dict[str, str]:
    """An inverter that two commands control, in full sun: it makes what its limit allows."""
    state, read, limit = folder / "state", folder / "read", folder / "limit"
    state.write_text(str(INVERTER_W))
    read.write_text(f"#!/bin/sh\nlimit=$(cat {state})\necho $limit $limit\n")
    limit.write_text(f'#!/bin/sh\necho "$1" >{state}.new && mv {state}.new {state}\n')
    for script in (read, limit):
        script.chmod(0o755)
    return {
        "INVERTER": "roof", "RATED_W": str(INVERTER_W), "FAILSAFE_W": "1500", "READ": str(read), "LIMIT": str(limit),
    }  # fmt: skip
