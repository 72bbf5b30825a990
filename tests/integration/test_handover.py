"""A limit found in an inverter: adopted and released with the verbs, on a real broker and real sockets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from bench.stack import CLOCK, Stack, stack
from ruamel.yaml import YAML

from dynexport import topics
from dynexport.bus import MqttBus
from dynexport.messages import InverterCapability
from dynexport.modbus.endpoint import Endpoint, TcpAddress
from dynexport.modbus.sunspec_inverter import ControlValues, SunSpecInverter
from dynexport.ports import Received

pytestmark = pytest.mark.integration

FOUND_PCT, FOUND_W = 40.0, 4000.0


def change(site: Stack, *, enabled: bool, persists: bool) -> None:
    settings = YAML().load(site.config)
    settings["control"]["enabled"] = enabled
    settings["inverters"][0]["limit_persists"] = persists
    YAML().dump(settings, site.config)


def inverter_of(site: Stack) -> SunSpecInverter:
    tcp = YAML().load(site.config)["inverters"][0]["tcp"]
    return SunSpecInverter(Endpoint(TcpAddress(tcp["host"], tcp["port"])), 1)


def standing(site: Stack) -> ControlValues:
    return inverter_of(site).read_control()


def dynexport(site: Stack, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dynexport.cli", *words, "--config", str(site.config)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def capability(site: Stack, within_s: float = 20.0) -> InverterCapability:
    """The stored one."""
    bus = MqttBus(site.bus.mqtt, "test-handover", clock=CLOCK)
    bus.subscribe(topics.INVERTER_CAPABILITY)
    bus.start()
    end = CLOCK.mono() + within_s
    try:
        while CLOCK.mono() < end:
            bus.wait(0.1)
            for received in bus.drain():
                if isinstance(received, Received) and isinstance(received.message, InverterCapability):
                    return received.message
    finally:
        bus.stop()
    raise AssertionError("no capability was published")


@pytest.fixture
def found() -> Iterator[Stack]:
    """A site whose inverter holds an installer's limit of 4 kW in registers that persist; nothing runs yet."""
    with stack(export_limit_w=5000.0, load_w=5000.0) as site:
        inverter_of(site).write_limit(FOUND_PCT, 0)
        change(site, enabled=True, persists=True)
        yield site


def test_a_found_limit_is_kept_shown_adopted_and_remembered(found: Stack) -> None:
    found.start(["inverter_writer", "meter_reader", "limit_engine"])
    found.wait(12.0)
    said = capability(found)
    assert (said.found_limit_w, said.adopted) == (FOUND_W, False)
    assert standing(found).effective_pct <= FOUND_PCT

    refused = dynexport(found, "adopt", "i0", stdin="n\n")
    assert refused.returncode == 1
    assert capability(found).adopted is False
    done = dynexport(found, "adopt", "i0", "--yes")
    assert done.returncode == 0, done.stderr
    assert "4000 W is adopted" in done.stdout
    assert "adopted already" in dynexport(found, "adopt", "i0").stdout

    found.stop(["inverter_writer"])
    found.start(["inverter_writer"])
    found.wait(6.0)
    said = capability(found)
    assert (said.found_limit_w, said.adopted) == (FOUND_W, True)


def test_adopt_says_what_is_missing(found: Stack) -> None:
    unknown = dynexport(found, "adopt", "barn")
    assert unknown.returncode == 2
    assert "there are: i0" in unknown.stderr
    silent = dynexport(found, "adopt", "i0")
    assert silent.returncode == 1
    assert "next:" in silent.stderr


def test_release_refuses_while_the_writer_may_write_and_then_puts_the_found_limit_back(found: Stack) -> None:
    found.start(["inverter_writer"])
    found.wait(4.0)
    assert standing(found).effective_pct == pytest.approx(15.0), "the failsafe share"
    enabled = dynexport(found, "release", "--yes")
    assert enabled.returncode == 1
    assert "control.enabled is true" in enabled.stderr

    change(found, enabled=False, persists=True)
    online = dynexport(found, "release", "--yes", "--the-writer-is-stopped")
    assert online.returncode == 1
    assert "is online" in online.stderr

    found.stop(["inverter_writer"])
    no = dynexport(found, "release", stdin="n\n")
    assert "left as it is" in no.stdout
    assert standing(found).effective_pct == pytest.approx(15.0)
    done = dynexport(found, "release", "--yes")
    assert done.returncode == 0, done.stderr
    assert standing(found).effective_pct == pytest.approx(FOUND_PCT)
    assert "nothing of ours" in dynexport(found, "release", "--yes").stdout


def test_release_without_a_broker_wants_to_be_told_that_the_writer_is_stopped(found: Stack) -> None:
    change(found, enabled=False, persists=False)
    found.broker.stop()
    doubtful = dynexport(found, "release", "--yes")
    assert doubtful.returncode == 1
    assert "--the-writer-is-stopped" in doubtful.stderr
    assert standing(found).enabled
    done = dynexport(found, "release", "i0", "--yes", "--the-writer-is-stopped")
    assert done.returncode == 0, done.stderr
    assert not standing(found).enabled


def test_release_of_an_inverter_that_does_not_answer_says_so(found: Stack) -> None:
    change(found, enabled=False, persists=False)
    found.stop(["site_simulator"])
    done = dynexport(found, "release", "--yes", "--the-writer-is-stopped")
    assert done.returncode == 1
    assert "no connection" in done.stderr
    assert "Traceback" not in done.stderr
