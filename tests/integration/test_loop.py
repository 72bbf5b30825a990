"""The main job, end to end: separate processes, a real broker, real Modbus sockets."""

from __future__ import annotations

import subprocess
import sys

import pytest
from bench.stack import CLOCK, CONTROL, Stack, stack
from bench.trouble.case import LIMIT_W, Case

pytestmark = pytest.mark.integration

# A meter-reader of ten lines, in nothing but paho: it takes the power from anywhere (here the simulator's own
# account of the truth) and says it as the contract wants it.
TEN_LINES = """
import json, sys
from datetime import datetime, timezone
import paho.mqtt.client as mqtt
port, root = int(sys.argv[1]), sys.argv[2]
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
def say(client, user, message):
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    reading = {"v": 1, "issued_at": now, "measured_at": now, "power_w": json.loads(message.payload)["site_w"]}
    client.publish(f"{root}/meter/site/reading", json.dumps(reading))
client.on_message = say
client.connect("127.0.0.1", port)
client.subscribe(f"{root}/simulator/truth")
client.loop_forever()
"""


def exports(site: Stack, seconds: float) -> list[float]:
    """The true export of the next seconds, watts."""
    start = CLOCK.mono()
    site.wait(seconds)
    return [sample.export_w for sample in site.record.since(start)]


def test_export_is_kept_at_the_limit_and_falls_below_a_lower_one_within_seconds(site: Stack) -> None:
    settled = exports(site, 3.0)
    assert 4900 < sum(settled) / len(settled) < 5030
    site.limit(1500.0)
    site.wait(7.0)
    assert max(exports(site, 3.0)) < 1550


def test_a_load_that_drops_does_not_raise_export_for_long(site: Stack) -> None:
    site.simulate("load_w", 500.0)
    site.wait(8.0)
    assert max(exports(site, 3.0)) < 5050


def test_a_limit_taken_back_lets_export_rise_again(site: Stack) -> None:
    site.limit(0.0, for_s=3.0)
    site.wait(3.0)
    assert min(exports(site, 2.0)) < 1000
    site.wait(10.0)
    assert min(exports(site, 2.0)) > 4800


def test_a_ten_line_publisher_stands_in_for_meter_reader() -> None:
    with stack(export_limit_w=LIMIT_W, load_w=3000.0) as site:
        site.start(["inverter_writer", "limit_engine"])
        mqtt = site.bus.mqtt
        stand_in = subprocess.Popen([sys.executable, "-c", TEN_LINES, str(mqtt.port), mqtt.root])
        try:
            Case(site, LIMIT_W, brief=True).settle()
            settled = exports(site, 3.0)
            assert 4850 < sum(settled) / len(settled) < 5030
            site.limit(1500.0)
            site.wait(8.0)
            assert max(exports(site, 3.0)) < 1550
        finally:
            stand_in.terminate()
            stand_in.wait(5)


def test_a_meter_behind_the_inverters_endpoint_is_read_by_the_writer() -> None:
    with stack(export_limit_w=LIMIT_W, load_w=3000.0, meter_behind=True) as site:
        site.start(CONTROL)
        Case(site, LIMIT_W, brief=True).settle()
        settled = exports(site, 3.0)
        assert 4900 < sum(settled) / len(settled) < 5030
        site.limit(1500.0)
        site.wait(7.0)
        assert max(exports(site, 3.0)) < 1550
