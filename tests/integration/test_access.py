"""Who may do what, against a real Mosquitto with our own configuration and generated files, in MQTT 5."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from dynexport import topics
from dynexport.access import PEOPLE, SERVICES, add_user, prepare, remove_user
from dynexport.broker import HOST, RunningBroker, free_port, mosquitto
from dynexport.bus import MqttBus
from dynexport.clock import SystemClock
from dynexport.settings.models import MqttSection, Site
from dynexport.testing.builders import SITE, limit
from dynexport.topics import EACH, TABLE, Topic

from .guarded import configuration

pytestmark = [pytest.mark.integration, pytest.mark.needs("mosquitto")]
CLOCK = SystemClock()
GRANTED = 0
NOT_AUTHORIZED = 0x87
ANSWERS_WITHIN_S = 10.0
IDS: dict[Topic, list[tuple[str, ...]]] = {
    topics.LIMIT: [(source,) for source in ("csip", "tariff", "price", "manual", "foo")],
    topics.REQUEST: [("limit-engine", "pause"), ("inverter-writer", "adopt"), ("site-simulator", "fault")],
}
PATHS: list[tuple[Topic, tuple[str, ...]]] = [
    (topic, ids)
    for topic in TABLE
    for ids in (
        IDS.get(topic)
        or ([(name,) for name in (*SERVICES, "foo")] if EACH in topic.writers else [("roof",) * topic.ids])
    )
]


def the_table_lets(user: str, topic: Topic, ids: tuple[str, ...]) -> bool:
    if EACH in topic.writers:
        return user in SERVICES and ids == (user,)
    return any(writer.user == user and writer.ids == ids[: len(writer.ids)] for writer in topic.writers)


class Place:
    """A running broker and the folder of its users."""

    def __init__(self, folder: Path, port: int) -> None:
        self.site = Site.model_validate({**SITE, "mqtt": {"host": HOST, "port": port}})
        self.folder = folder
        prepare(folder, self.site)
        program = mosquitto()
        assert program is not None
        command = [program, "-c", str(configuration(folder, port))]
        self.broker = RunningBroker("mosquitto", port, command, folder.parent / "log")

    def password(self, user: str) -> str:
        return (self.folder / "secrets" / user).read_text()

    def path(self, topic: Topic, ids: tuple[str, ...]) -> str:
        return topic.path(self.site.mqtt.root, *ids)

    def reload(self) -> None:
        self.broker.send_signal(signal.SIGHUP)
        CLOCK.sleep(0.5)


class Peer:
    """One client; `login` is the broker's answer to it."""

    def __init__(self, place: Place, user: str | None, password: str | None) -> None:
        self.heard: list[str] = []
        self.answers: dict[int, int] = {}
        self.login: int | None = None
        self.dropped = threading.Event()
        self._news = threading.Condition()
        self.client = Client(
            CallbackAPIVersion.VERSION2, f"test-{user}-{id(self)}", protocol=MQTTProtocolVersion.MQTTv5
        )
        if user is not None:
            self.client.username_pw_set(user, password)
        self.client.on_connect = lambda *given: self._note(login=given[3].value)
        self.client.on_publish = lambda *given: self._note(answer=(given[2], given[3].value))
        self.client.on_subscribe = lambda *given: self._note(answer=(given[2], GRANTED))
        self.client.on_message = lambda *given: self._note(heard=given[2].topic)
        self.client.on_disconnect = lambda *_: self.dropped.set()
        self.client.connect(HOST, place.site.mqtt.port)
        self.client.loop_start()
        self.until(lambda: self.login is not None)

    def _note(
        self, login: int | None = None, answer: tuple[int, int] | None = None, heard: str | None = None
    ) -> None:
        with self._news:
            self.login = login if login is not None else self.login
            if answer is not None:
                self.answers[answer[0]] = answer[1]
            if heard is not None:
                self.heard.append(heard)
            self._news.notify_all()

    def until(self, holds: object) -> None:
        assert callable(holds)
        with self._news:
            assert self._news.wait_for(holds, ANSWERS_WITHIN_S)

    def publish(self, path: str, *, retain: bool = False) -> int:
        """The broker's answer: 0, 16 (nobody listens) or 0x87."""
        number = self.client.publish(path, b"{}", qos=1, retain=retain).mid
        self.until(lambda: number in self.answers)
        return self.answers[number]

    def may_write(self, path: str) -> bool:
        answer = self.publish(path)
        assert answer in (0, 16, NOT_AUTHORIZED)
        return answer != NOT_AUTHORIZED

    def subscribe(self, path: str) -> None:
        _, number = self.client.subscribe(path, qos=1)
        self.until(lambda: number in self.answers)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    running = Place(tmp_path_factory.mktemp("broker") / "access", free_port())
    with running.broker:
        yield running


@contextmanager
def peer(place: Place, user: str | None, password: str | None = None) -> Iterator[Peer]:
    secret = place.password(user) if user is not None and password is None else password
    made = Peer(place, user, secret)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("user", [*SERVICES, *PEOPLE])
def test_a_user_may_publish_on_a_topic_if_and_only_if_the_table_says_so(place: Place, user: str) -> None:
    with peer(place, user) as one:
        found = {place.path(topic, ids): one.may_write(place.path(topic, ids)) for topic, ids in PATHS}
    assert found == {place.path(topic, ids): the_table_lets(user, topic, ids) for topic, ids in PATHS}


@pytest.mark.parametrize("user", [*SERVICES, *PEOPLE])
def test_only_the_simulator_tells_what_the_simulated_site_really_does(place: Place, user: str) -> None:
    with peer(place, user) as one:
        allowed = one.may_write(f"{place.site.mqtt.root}/{topics.SIMULATOR_TRUTH}")
        assert allowed == (user == "site-simulator")
        assert not one.may_write("elsewhere/entirely")
        assert not one.may_write(f"{place.site.mqtt.root}/nonsense")


def everything(place: Place) -> dict[str, str]:
    """Each path of the table that one of our own users may write, with that user."""
    return {
        place.path(topic, ids): user
        for topic, ids in PATHS
        for user in (*SERVICES, *PEOPLE)
        if the_table_lets(user, topic, ids)
    }


def heard_by(place: Place, user: str, password: str | None = None) -> set[str]:
    """What of everything comes to a user who subscribed to all."""
    with peer(place, user, password) as listener:
        listener.subscribe("#")
        for writer in (*SERVICES, *PEOPLE):
            with peer(place, writer) as one:
                for path, who in everything(place).items():
                    if who == writer:
                        one.publish(path)
        CLOCK.sleep(0.3)
        return set(listener.heard)


@pytest.mark.parametrize("user", ["observer", "owner", "limit-engine"])
def test_who_reads_everything_hears_every_topic(place: Place, user: str) -> None:
    assert heard_by(place, user) == set(everything(place))


def test_inverter_writer_hears_its_setpoints_and_requests_and_nothing_else(place: Place) -> None:
    root = place.site.mqtt.root
    told = ("setpoint/roof", "battery/roof/setpoint", "load/roof/setpoint", "request/inverter-writer/adopt")
    expected = {f"{root}/{topic}" for topic in told}
    assert heard_by(place, "inverter-writer") == expected


@pytest.mark.parametrize("user", ["meter-reader", "tariff-limits"])
def test_who_only_speaks_hears_nothing(place: Place, user: str) -> None:
    assert heard_by(place, user) == set()


@pytest.mark.parametrize(
    ("user", "password"), [(None, None), ("owner", "wrong"), ("owner", ""), ("nobody", "wrong")]
)
def test_nobody_comes_in_without_a_name_and_its_password(
    place: Place, user: str | None, password: str | None
) -> None:
    with peer(place, user, password) as one:
        assert one.login == NOT_AUTHORIZED


def test_a_user_that_was_added_comes_in_after_sighup_and_may_write_its_limit_only(place: Place) -> None:
    password = add_user(place.folder, place.site, "shed", may_write=["limit/foo"], may_read=["active"])
    place.reload()
    mine = place.path(topics.LIMIT, ("foo",))
    with peer(place, "shed", password) as one:
        assert [path for topic, ids in PATHS if one.may_write(path := place.path(topic, ids))] == [mine]
    assert heard_by(place, "shed", password) == {place.path(topics.ACTIVE, ())}
    remove_user(place.folder, place.site, "shed")


def test_a_user_that_was_removed_is_dropped_at_sighup_and_does_not_come_in_again(place: Place) -> None:
    password = add_user(place.folder, place.site, "garage", may_write=["limit/garage"])
    place.reload()
    with peer(place, "garage", password) as one:
        assert one.login == 0
        one.dropped.clear()
        remove_user(place.folder, place.site, "garage")
        place.reload()
        assert one.dropped.wait(ANSWERS_WITHIN_S)
    with peer(place, "garage", password) as again:
        assert again.login == NOT_AUTHORIZED


def test_our_bus_says_which_of_its_messages_the_broker_refused_whatever_the_qos(place: Place) -> None:
    password = place.password("meter-reader")
    section = MqttSection(host=HOST, port=place.site.mqtt.port, username="meter-reader", password=password)
    bus = MqttBus(section, "refused", clock=CLOCK)
    bus.start()
    end = CLOCK.mono() + ANSWERS_WITHIN_S
    while not bus.connected and CLOCK.mono() < end:
        bus.wait(0.1)
        bus.drain()
    now = CLOCK.now()
    for _ in range(3):
        bus.publish(topics.LIMIT, limit(now, export_limit_w=1.0), "manual")
        bus.publish_raw(f"{bus.root}/setpoint/roof", b"{}", qos=0)
    while len(bus.problems) < 4 and CLOCK.mono() < end:
        CLOCK.sleep(0.05)
    bus.stop()
    assert {(one.kind, one.path) for one in bus.problems} == {
        ("write_refused", f"{bus.root}/limit/manual"),
        ("write_refused", f"{bus.root}/setpoint/roof"),
    }
    assert "its ACL does not allow it" in bus.problems[0].sentence


def test_our_bus_says_that_its_login_was_refused_and_as_whom(place: Place) -> None:
    section = MqttSection(host=HOST, port=place.site.mqtt.port, username="meter-reader", password="wrong")
    bus = MqttBus(section, "refused", clock=CLOCK)
    bus.start()
    end = CLOCK.mono() + ANSWERS_WITHIN_S
    while not bus.problems and CLOCK.mono() < end:
        bus.wait(0.1)
        bus.drain()
    bus.stop()
    assert bus.problems[0].sentence == "the broker refused our login: Not authorized (as meter-reader)"
