"""The services and the command line on a broker that takes in nobody without a name and a password."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from ruamel.yaml import YAML

from dynexport.broker import HOST, RunningBroker, free_port
from dynexport.clock import SystemClock
from dynexport.testing.builders import SITE

from .guarded import MOSQUITTO, guarded_broker

pytestmark = [pytest.mark.integration, pytest.mark.needs("mosquitto")]
CLOCK = SystemClock()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    YAML().dump({**SITE, "mqtt": {"host": HOST, "port": free_port()}}, path)
    return path


def dynexport(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dynexport.cli", *words, "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def broker(config: Path) -> Iterator[RunningBroker]:
    dynexport(config, "init")
    with guarded_broker(config.parent / "access", YAML().load(config)["mqtt"]["port"]) as running:
        yield running


def test_a_broker_that_our_script_started_takes_a_new_user_in_by_itself(
    config: Path, broker: RunningBroker
) -> None:
    done = dynexport(config, "user", "add", "shed", "--may-write", "limit/shed")
    assert f"the broker at {HOST}:{broker.port} lets shed in" in done.stdout


def test_up_gives_each_service_its_own_user_and_our_verbs_are_the_owner(
    config: Path, broker: RunningBroker
) -> None:
    command = [sys.executable, "-m", "dynexport.cli", "up", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as up:
        log = config.parent / "log"
        want = [f"u'{name}'" for name in ("meter-reader", "inverter-writer", "limit-engine")]
        end = CLOCK.mono() + 40.0
        while not all(one in log.read_text() for one in want) and CLOCK.mono() < end:
            CLOCK.sleep(0.2)
        done = dynexport(config, "limit", "0", "--for", "1m")
        up.send_signal(signal.SIGTERM)
        said = up.communicate(timeout=30)[0]
    assert [one for one in want if one not in log.read_text()] == []
    assert "u'owner'" in log.read_text()
    assert "in force now" in done.stdout
    assert "refused" not in said


@pytest.mark.needs("openssl")
def test_the_tls_listener_of_the_example_serves_who_knows_our_authority(config: Path) -> None:
    access, port = config.parent / "access", free_port()
    dynexport(config, "init")
    example = (MOSQUITTO / "conf.d" / "tls.conf.example").read_text()
    example = example.replace("/etc/dynexport", str(access)).replace("8883", f"{port} {HOST}")
    (access / "mosquitto" / "conf.d" / "tls.conf").write_text(example)
    certificates = [str(MOSQUITTO / "certificates"), str(access / "mosquitto" / "certs"), "localhost", HOST]
    subprocess.run(certificates, check=True, capture_output=True)
    client = Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set("observer", (access / "secrets" / "observer").read_text())
    client.tls_set(str(access / "mosquitto" / "certs" / "ca.crt"))
    with guarded_broker(access, YAML().load(config)["mqtt"]["port"]):
        client.connect(HOST, port)
        client.loop_start()
        end = CLOCK.mono() + 10.0
        while not client.is_connected() and CLOCK.mono() < end:
            CLOCK.sleep(0.05)
        assert client.is_connected()
        client.disconnect()
        client.loop_stop()


def test_the_lan_listener_of_the_example_takes_in_nobody_without_a_password(config: Path) -> None:
    access, port = config.parent / "access", free_port()
    dynexport(config, "init")
    example = (MOSQUITTO / "conf.d" / "lan.conf.example").read_text().replace("1884", f"{port} {HOST}")
    (access / "mosquitto" / "conf.d" / "lan.conf").write_text(example)
    answers: list[bool] = []
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda *given: answers.append(given[3].is_failure)
    with guarded_broker(access, YAML().load(config)["mqtt"]["port"]):
        client.connect(HOST, port)
        client.loop_start()
        end = CLOCK.mono() + 10.0
        while not answers and CLOCK.mono() < end:
            CLOCK.sleep(0.05)
        client.loop_stop()
    assert answers[0]
