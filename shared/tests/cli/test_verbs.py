"""The verbs as a user types them, against a real broker where one is needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dynexport import topics
from dynexport.broker import RunningBroker, start_broker
from dynexport.bus import MqttBus
from dynexport.clock import SystemClock
from dynexport.messages import Active, Limit, Mode
from dynexport.ports import Received
from dynexport.settings.load import load
from dynexport.settings.models import MqttSection
from dynexport.testing.builders import SITE

CLOCK = SystemClock()


def dynexport(*words: str, stdin: str = "", timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dynexport.cli", *words]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    text = "# my roof\n"
    with path.open("w") as file:
        file.write(text)
        YAML().dump({**SITE, "mqtt": {"host": "127.0.0.1", "port": 1}, "control": {"enabled": False}}, file)
    return path


def test_help_names_every_verb() -> None:
    said = dynexport("--help").stdout
    for verb in ("demo", "up", "watch", "limit", "check", "enable", "conform", "fault", "adopt", "release"):
        assert verb in said


def test_check_says_what_the_site_will_do_and_what_to_type_next(config: Path) -> None:
    done = dynexport("check", "--config", str(config))
    assert done.returncode == 0
    assert "5000 W by the connection agreement" in done.stdout
    assert "next: `dynexport up`" in done.stdout


def test_check_names_every_mistake_with_its_line(config: Path) -> None:
    config.write_text(
        config.read_text().replace("export_limit_w: 5000", "export_limt_w: 5000").replace("240", "999")
    )
    done = dynexport("check", "--config", str(config))
    assert done.returncode == 2
    assert "did you mean export_limit_w?" in done.stderr
    assert "meter.unit" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("lasts", ["25h", "99999999d"])
def test_a_limit_for_longer_than_it_would_count_is_refused(config: Path, lasts: str) -> None:
    done = dynexport("limit", "5", "--for", lasts, "--config", str(config))
    assert done.returncode == 2
    assert "is longer than 24h" in done.stderr


@pytest.mark.parametrize("words", [("limit", "-5"), ("limit", "abc"), ("limit", "5", "--for", "never")])
def test_a_limit_that_makes_no_sense_is_refused(config: Path, words: tuple[str, ...]) -> None:
    done = dynexport(*words, "--config", str(config))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_without_a_broker_it_says_where_it_looked_and_what_to_try(config: Path) -> None:
    done = dynexport("watch", "--once", "--config", str(config))
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_enable_asks_and_a_no_changes_nothing(config: Path) -> None:
    before = config.read_text()
    done = dynexport("enable", "--config", str(config), stdin="n\n")
    assert done.returncode == 1
    assert config.read_text() == before


def test_enable_sets_one_value_and_keeps_the_comments(config: Path) -> None:
    done = dynexport("enable", "--yes", "--config", str(config))
    assert done.returncode == 0
    assert "# my roof" in config.read_text()
    assert "enabled: true" in config.read_text()
    assert dynexport("enable", "--off", "--config", str(config)).returncode == 0
    assert "enabled: false" in config.read_text()


@pytest.mark.parametrize(
    "control",
    [
        "control: {enabled: false, headroom_pct: 20}  # mine",
        "control:\n  headroom_pct: 20 # mine\n  enabled: false # not yet",
        "control: {headroom_pct: 20}  # mine",
        "control:\n  headroom_pct: 20  # mine",
        "# mine",
    ],
)
def test_enable_touches_nothing_but_its_own_value(tmp_path: Path, control: str) -> None:
    path = tmp_path / "site.yaml"
    with path.open("w") as file:
        YAML().dump(
            {**{key: value for key, value in SITE.items() if key != "control"}, "mqtt": {"port": 1}}, file
        )
        file.write(control + "\n")
    before = path.read_text().splitlines()
    assert dynexport("enable", "--yes", "--config", str(path)).returncode == 0
    site = load(path, {})
    assert site.control.enabled
    assert site.control.headroom_pct == (20 if "headroom" in control else 10)
    changed = [line for line in before if line not in path.read_text().splitlines()]
    assert len(changed) <= 1
    assert "mine" in path.read_text()


def test_an_unknown_fault_is_refused_and_list_names_them(config: Path) -> None:
    assert dynexport("fault", "earthquake", "--config", str(config)).returncode == 2
    assert "frozen" in dynexport("fault", "list").stdout


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    with start_broker(tmp_path) as running:
        yield running


@pytest.mark.integration
def test_limit_publishes_a_stored_preference_and_tells_what_the_engine_made_of_it(
    config: Path, broker: RunningBroker
) -> None:
    config.write_text(config.read_text().replace("port: 1\n", f"port: {broker.port}\n"))
    bus = MqttBus(MqttSection(host=broker.host, port=broker.port), "watcher", clock=CLOCK)
    bus.subscribe(topics.LIMIT)
    bus.start()
    process = subprocess.Popen(
        [sys.executable, "-m", "dynexport.cli", "limit", "750", "--for", "2h", "--config", str(config)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        limit = _wait_for_limit(bus)
        assert (limit.export_limit_w, limit.ttl_s) == (750.0, 7200.0)
        said = "Export is limited to 750 W by you."
        bus.publish(topics.ACTIVE, Active(issued_at=CLOCK.now(), mode=Mode.NORMAL, reason=said))
        assert said in (process.communicate(timeout=20)[0] or "")
        assert process.returncode == 0
    finally:
        process.kill()
        bus.stop()


def _wait_for_limit(bus: MqttBus) -> Limit:
    for _ in range(200):
        bus.wait(0.1)
        for received in bus.drain():
            if isinstance(received, Received) and isinstance(received.message, Limit):
                return received.message
    raise AssertionError("no limit was published")


@pytest.mark.integration
def test_the_demo_prints_plain_lines_and_takes_everything_with_it_when_interrupted(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "dynexport.cli", "demo"], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    lines = [line for line, _ in zip(process.stdout, range(25), strict=False)]
    assert sum(" export " in line for line in lines) >= 15
    assert any("mosquitto_sub" in line for line in lines)
    children = _descendants(process.pid)
    assert len(children) >= 6
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=15)
    assert process.returncode == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)


@pytest.mark.integration
def test_a_demo_that_is_killed_leaves_no_service_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "dynexport.cli", "demo"], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "mode normal" in line:
            break
    children = _descendants(process.pid)
    process.kill()
    process.wait(5)
    CLOCK.sleep(12.0)
    left = [_command(pid) for pid in children]
    assert not [command for command in left if command]


def _descendants(pid: int) -> set[int]:
    from bench.processes import tree

    return tree([pid]) - {pid}


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except FileNotFoundError:
        return ""
