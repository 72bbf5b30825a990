"""The bus against real brokers, the usual one and the embedded one: contract.md's rules for a client."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dynexport import messages as m
from dynexport import topics
from dynexport.broker import RunningBroker, free_port, start_broker
from dynexport.bus import MqttBus
from dynexport.clock import SystemClock
from dynexport.ports import RawReceived, Received
from dynexport.settings.models import MqttSection
from dynexport.testing.builders import limit, meter_reading, setpoint

pytestmark = pytest.mark.integration
CLOCK = SystemClock()
ROOT = "test"


needs_mosquitto = pytest.mark.needs("mosquitto")


@pytest.fixture(params=[pytest.param("mosquitto", marks=needs_mosquitto), "iotcore"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningBroker]:
    with start_broker(tmp_path, prefer=request.param) as running:
        yield running


@pytest.fixture
def make(broker: RunningBroker) -> Iterator[Callable[..., MqttBus]]:
    made: list[MqttBus] = []

    def connect(name: str, *subscribed: topics.Topic, wait: bool = True, **options: Any) -> MqttBus:
        bus = MqttBus(
            MqttSection(host=broker.host, port=broker.port, root=ROOT), name, clock=CLOCK, **options
        )
        for topic in subscribed:
            bus.subscribe(topic)
        bus.start()
        made.append(bus)
        if wait:
            until(lambda: bus.connected)
            CLOCK.sleep(0.2)
        return bus

    yield connect
    for bus in made:
        bus.stop()


def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    end = CLOCK.mono() + seconds
    while not holds() and CLOCK.mono() < end:
        CLOCK.sleep(0.02)
    assert holds()


def received(bus: MqttBus, seconds: float = 1.0) -> list[Received | RawReceived]:
    """Everything that comes within `seconds`, or at once when something is there."""
    end, found = CLOCK.mono() + seconds, bus.drain()
    while not found and CLOCK.mono() < end:
        bus.wait(0.05)
        found = bus.drain()
    return found


def values(bus: MqttBus, seconds: float = 1.0) -> list[float | None]:
    found = [one.message for one in received(bus, seconds) if isinstance(one, Received)]
    return [message.export_limit_w for message in found if isinstance(message, m.Limit)]


def test_what_is_published_arrives_checked(make: Callable[..., MqttBus]) -> None:
    sender, receiver = make("a"), make("b", topics.METER_READING)
    assert sender.publish(topics.METER_READING, meter_reading(-1500.0, CLOCK.now()))
    (got,) = received(receiver)
    assert isinstance(got, Received)
    assert isinstance(got.message, m.MeterReading)
    assert got.message.power_w == -1500.0


def test_a_live_limit_does_not_look_stored_and_a_stored_one_does(make: Callable[..., MqttBus]) -> None:
    sender, receiver = make("a"), make("b", topics.LIMIT)
    sender.publish(topics.LIMIT, limit(CLOCK.now(), export_limit_w=1.0), "manual")
    (live,) = received(receiver)
    (stored,) = received(make("late", topics.LIMIT))
    assert not live.retained
    assert stored.retained


def test_a_stored_reading_is_dropped_and_counted(make: Callable[..., MqttBus]) -> None:
    sender = make("a")
    path = topics.METER_READING.path(ROOT)
    sender.publish_raw(path, meter_reading(1.0, CLOCK.now()).to_payload(), retain=True)
    CLOCK.sleep(0.2)
    receiver = make("b", topics.METER_READING)
    assert received(receiver, 0.5) == []


def test_a_setpoint_published_while_offline_is_never_sent(
    make: Callable[..., MqttBus], broker: RunningBroker
) -> None:
    sender = make("a")
    broker.send_signal(signal.SIGKILL)
    until(lambda: not sender.connected)
    assert not sender.publish(topics.SETPOINT, setpoint(9000.0, CLOCK.now(), 1), "roof")
    assert not sender.publish(topics.LIMIT, limit(CLOCK.now(), export_limit_w=9000.0), "manual")
    broker.revive()
    receiver = make("b", topics.SETPOINT, topics.LIMIT)
    until(lambda: sender.connected, 40.0)
    assert received(receiver, 1.0) == []


def test_events_made_while_offline_are_sent_on_return(
    make: Callable[..., MqttBus], broker: RunningBroker
) -> None:
    sender = make("a")
    broker.send_signal(signal.SIGKILL)
    until(lambda: not sender.connected)
    event = m.Event(issued_at=CLOCK.now(), level=m.Level.INFO, code="offline", message="while you were out")
    sender.publish(topics.EVENT, event, "me")
    broker.revive()
    receiver = make("b", topics.EVENT)
    (got,) = received(receiver, 40.0)
    assert isinstance(got, Received)
    assert isinstance(got.message, m.Event)
    assert got.message.message == "while you were out"


def test_after_a_restart_of_the_broker_everything_is_subscribed_again(
    make: Callable[..., MqttBus], broker: RunningBroker
) -> None:
    receiver = make("b", topics.LIMIT)
    broker.send_signal(signal.SIGKILL)
    until(lambda: not receiver.connected)
    broker.revive()
    until(lambda: receiver.connected, 40.0)
    assert receiver.connection == 2
    CLOCK.sleep(0.3)
    make("a").publish(topics.LIMIT, limit(CLOCK.now(), export_limit_w=5.0), "manual")
    assert values(receiver, 3.0) == [5.0]


@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        b"[]",
        b"null",
        b'"word"',
        b"\xff\xfe",
        b'{"export_limit_w": -1}',
        b'{"export_limit_w": "5"}',
        b'{"export_limit_w": NaN}',
        b'{"export_limit_w": Infinity}',
        b'{"export_limit_w": 1e999}',
        b'{"export_limit_w": true}',
        b'{"v": 2, "export_limit_w": 1}',
        b'{"export_limit_w": 1, "issued_at": "yesterday"}',
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b"x" * 70_000,
    ],
    ids=lambda payload: payload[:24],
)
def test_rubbish_is_counted_and_the_next_good_message_counts(
    make: Callable[..., MqttBus], payload: bytes
) -> None:
    sender, receiver = make("a"), make("b", topics.LIMIT)
    sender.publish_raw(topics.LIMIT.path(ROOT, "manual"), payload)
    until(lambda: receiver.drain() == [] and receiver.counters.rejected == 1, 3.0)
    sender.publish(topics.LIMIT, limit(CLOCK.now(), export_limit_w=7.0), "manual")
    assert values(receiver) == [7.0]


def test_a_flood_on_unknown_topics_starves_nobody(make: Callable[..., MqttBus]) -> None:
    sender, receiver = make("a"), make("b", topics.LIMIT)
    receiver.subscribe_raw(f"{ROOT}/nonsense/#")
    CLOCK.sleep(0.2)
    for number in range(3000):
        sender.publish_raw(f"{ROOT}/nonsense/{number}", b"x")
    sender.publish(topics.LIMIT, limit(CLOCK.now(), export_limit_w=7.0), "manual")
    assert values(receiver, 5.0) == [7.0]
    assert receiver.counters.unknown_topics > 0


def test_a_reading_whose_clock_is_off_by_more_than_5_s_is_refused(make: Callable[..., MqttBus]) -> None:
    sender, receiver = make("a"), make("b", topics.METER_READING)
    sender.publish(topics.METER_READING, meter_reading(1.0, CLOCK.now() - timedelta(seconds=6)))
    assert received(receiver, 0.5) == []
    assert receiver.counters.reasons == {"clock_skew": 1}
    assert receiver.counters.clock_offset_s == pytest.approx(6.0, abs=0.5)


def test_only_the_newest_of_a_topic_waits(make: Callable[..., MqttBus]) -> None:
    sender, receiver = make("a"), make("b", topics.LIMIT)
    for watts in range(50):
        sender.publish(topics.LIMIT, limit(CLOCK.now(), export_limit_w=float(watts)), "manual")
    CLOCK.sleep(0.5)
    assert values(receiver) == [49.0]


def test_an_exception_in_a_callback_does_not_make_it_deaf(
    make: Callable[..., MqttBus], monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, receiver = make("a"), make("b", topics.LIMIT)
    put = receiver._put
    monkeypatch.setattr(receiver, "_put", lambda *_: 1 / 0)
    sender.publish(topics.LIMIT, limit(CLOCK.now(), export_limit_w=1.0), "manual")
    until(lambda: receiver.counters.callback_errors == 1, 3.0)
    monkeypatch.setattr(receiver, "_put", put)
    sender.publish(topics.LIMIT, limit(CLOCK.now(), export_limit_w=2.0), "manual")
    assert values(receiver) == [2.0]


DIES = """
import os, sys
from dynexport.bus import MqttBus
from dynexport.clock import SystemClock
from dynexport.settings.models import MqttSection
bus = MqttBus(MqttSection(host="127.0.0.1", port=int(sys.argv[1]), root="test"), "dies", clock=SystemClock(),
              will=("test/service/dies/availability", "offline"))
bus.start()
while not bus.connected:
    bus.wait(0.05)
os.kill(os.getpid(), 9)
"""


def test_who_is_killed_is_said_to_be_offline(make: Callable[..., MqttBus], broker: RunningBroker) -> None:
    receiver = make("b", topics.AVAILABILITY)
    subprocess.run([sys.executable, "-c", DIES, str(broker.port)], check=False, timeout=20)
    (got,) = received(receiver, 20.0)
    assert isinstance(got, Received)
    assert (got.id, got.message) == ("dies", "offline")


def test_it_waits_for_a_broker_that_is_not_there_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    bus = MqttBus(MqttSection(host="127.0.0.1", port=port, root=ROOT), "early", clock=CLOCK)
    bus.start()
    CLOCK.sleep(0.5)
    assert not bus.connected
    monkeypatch.setattr("dynexport.broker.free_port", lambda: port)
    try:
        with start_broker(tmp_path):
            until(lambda: bus.connected, 20.0)
    finally:
        bus.stop()


@needs_mosquitto
def test_five_take_overs_within_a_minute_are_noticed(tmp_path: Path) -> None:
    with start_broker(tmp_path, prefer="mosquitto") as broker:
        section = MqttSection(host=broker.host, port=broker.port, root=ROOT)
        first, second = MqttBus(section, "same", clock=CLOCK), MqttBus(section, "same", clock=CLOCK)
        first.start()
        until(lambda: first.connected)
        second.start()
        try:
            until(lambda: first.taken_over or second.taken_over, 60.0)
        finally:
            first.stop()
            second.stop()


@needs_mosquitto
def test_what_is_overheard_keeps_its_qos_and_stored_copies_come_again_when_asked(tmp_path: Path) -> None:
    with start_broker(tmp_path, prefer="mosquitto") as broker:
        mqtt = MqttSection(host=broker.host, port=broker.port, root=ROOT)
        bus, heard = MqttBus(mqtt, "ear", clock=CLOCK), []
        bus.overhear(f"{ROOT}/#", heard.append)
        bus.start()
        until(lambda: bus.connected)
        CLOCK.sleep(0.2)
        bus.publish_raw(f"{ROOT}/a", b"live", qos=1, retain=True)
        bus.publish_raw(f"{ROOT}/b", b"the first of a topic goes with QoS 1")
        bus.publish_raw(f"{ROOT}/b", b"bare")
        until(lambda: len(heard) == 3)
        bus.overhear(f"{ROOT}/#", heard.append)
        until(lambda: len(heard) == 4)
        bus.stop()
    assert [(one.path, one.qos, one.stored) for one in heard] == [
        (f"{ROOT}/a", 1, False), (f"{ROOT}/b", 1, False), (f"{ROOT}/b", 0, False), (f"{ROOT}/a", 1, True),
    ]  # fmt: skip
