"""`dynexport conform` and `dynexport up --without` as a user types them; the rules have their own tests."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dynexport import topics
from dynexport.broker import RunningBroker, mosquitto, start_broker
from dynexport.bus import MqttBus
from dynexport.clock import SystemClock
from dynexport.settings.models import MqttSection
from dynexport.testing.builders import SITE, meter_reading

CLOCK = SystemClock()


def dynexport(*words: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dynexport.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def test_a_limit_source_and_a_writer_need_their_name() -> None:
    for role, option in (("limit-source", "--source"), ("writer", "--inverter")):
        done = dynexport("conform", role, "--host", "127.0.0.1")
        assert done.returncode == 2
        assert option in done.stderr


def test_up_without_an_unknown_service_names_those_that_there_are(tmp_path: Path) -> None:
    config = tmp_path / "site.yaml"
    YAML().dump(SITE, config)
    done = dynexport("up", "--without", "metre-reader", "--config", str(config))
    assert done.returncode == 2
    assert "metre-reader" in done.stderr
    assert "limit-engine" in done.stderr


needs_mosquitto = pytest.mark.skipif(mosquitto() is None, reason="mosquitto is not installed")
LONG_AGO = (
    b'{"v": 1, "issued_at": "2026-01-01T00:00:00Z", "measured_at": "2026-01-01T00:00:00Z", "power_w": 1}'
)


def fresh() -> bytes:
    return meter_reading(-100.0, CLOCK.now()).to_payload()


@pytest.mark.integration
@needs_mosquitto
def test_a_reader_that_retains_one_old_reading_is_told_which_rules_it_breaks(tmp_path: Path) -> None:
    with start_broker(tmp_path, prefer="mosquitto") as broker:
        done = conform_beside(broker, lambda: LONG_AGO, retain=True)
    assert done.returncode == 1
    broken = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("broken")]
    assert broken == ["reader/issued-at", "reader/measured-once", "reader/fresh", "reader/not-stored"]
    assert "docs/safety.md" in done.stdout


@pytest.mark.integration
@needs_mosquitto
def test_what_was_not_named_is_not_judged_and_no_mistake(tmp_path: Path) -> None:
    with start_broker(tmp_path, prefer="mosquitto") as broker:
        done = conform_beside(broker, fresh, retain=False)
    assert done.returncode == 0, done.stdout
    assert "unseen  reader/online" in done.stdout
    assert "name the program with --service" in done.stdout


def conform_beside(
    broker: RunningBroker, payload: Callable[[], bytes], *, retain: bool
) -> subprocess.CompletedProcess[str]:
    """Judge a reader that speaks every 0.3 s."""
    bus = MqttBus(MqttSection(host=broker.host, port=broker.port), "reader", clock=CLOCK)
    bus.start()
    path, over = topics.METER_READING.path("dynexport"), threading.Event()

    def speak() -> None:
        while not over.wait(0.3):
            bus.publish_raw(path, payload(), retain=retain)

    speaker = threading.Thread(target=speak, daemon=True)
    speaker.start()
    where = ("--host", broker.host, "--port", str(broker.port))
    try:
        return dynexport("conform", "reader", *where, "--for", "4s")
    finally:
        over.set()
        speaker.join(5)
        bus.stop()
