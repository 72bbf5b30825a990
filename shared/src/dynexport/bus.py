"""The broker, for one service: the only module that imports paho."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from dynexport import topics
from dynexport.clock import Clock
from dynexport.inbox import LARGEST_PAYLOAD, Rejected, check, count, find
from dynexport.messages import Message
from dynexport.ports import BusCounters, Overheard, RawReceived, Received
from dynexport.settings.models import MqttSection
from dynexport.topics import Stored, Topic

KEEPALIVE_S = 10
RECONNECT_S = (1, 30)
LONGEST_QUEUE = 10_000
MOST_PROBLEMS = 1000
MOST_NUMBERS = 1000
TAKE_OVERS, TAKE_OVERS_IN_S = 5, 60.0
DO_NOT_SEND_STORED = 2

Arrival = tuple[int, Topic | None, tuple[str, ...], str, bytes, bool, float]


class MqttBus:
    """MQTT 5, clean session, reconnecting from the start; callbacks only fill a mailbox."""

    def __init__(
        self, mqtt: MqttSection, client_id: str, *, clock: Clock, will: tuple[str, str] | None = None
    ) -> None:
        self.counters = BusCounters()
        self.problems: deque[Rejected] = deque(maxlen=MOST_PROBLEMS)
        self.mqtt = mqtt
        self.root = mqtt.root
        self._client_id = client_id.replace("/", "-")
        self._clock = clock
        self._will = will
        self._topics: list[Topic] = []
        self._raw: list[str] = []
        self._ears: dict[str, Callable[[Overheard], None]] = {}
        self._known: dict[str, tuple[Topic, tuple[str, ...]] | None] = {}
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._newest: dict[str, Arrival] = {}
        self._queue: deque[Arrival] = deque()
        self._events: deque[tuple[str, bytes, int]] = deque(maxlen=LONGEST_QUEUE)
        self._numbers = itertools.count()
        self._connections = 0
        self._connected = False
        self._take_overs: deque[float] = deque(maxlen=TAKE_OVERS)
        self._sent: dict[int, str] = {}
        self._refused: dict[int, str] = {}
        self._asked: dict[int, list[str]] = {}
        self._tried: set[str] = set()
        self._client = self._new_client()

    @property
    def connected(self) -> bool:
        """Whether the broker took us in and nothing has told otherwise since."""
        return self._connected

    @property
    def connection(self) -> int:
        """How many times we have connected."""
        return self._connections

    @property
    def taken_over(self) -> bool:
        """Whether we were dropped five times within a minute: another client has our id."""
        times = self._take_overs
        return len(times) == TAKE_OVERS and times[-1] - times[0] <= TAKE_OVERS_IN_S

    def start(self) -> None:
        """Begin to connect; returns at once, also when the broker is down."""
        self._client.connect_async(self.mqtt.host, self.mqtt.port, keepalive=KEEPALIVE_S, clean_start=True)
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect in good order (no will is sent) and end the network thread."""
        self._client.disconnect()
        self._client.loop_stop()
        self._connected = False

    def set_will(self, will: tuple[str, str] | None) -> None:
        """Reconnect with a last will (topic path, payload; retained), or without one."""
        self.stop()
        self._will = will
        self._client = self._new_client()
        self.start()

    def publish(self, topic: Topic, message: Message | str | None, *ids: str) -> bool:
        """Send now; False when offline, where all but events is dropped."""
        payload = _bytes(message)
        path = topic.path(self.root, *ids)
        if not self._connected:
            if topic is topics.EVENT:
                self._events.append((path, payload, topic.qos))
            return False
        return self._send(path, payload, topic.qos, topic.retain)

    def publish_raw(self, path: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bool:
        """Send bytes on a foreign topic; False when offline."""
        return self._connected and self._send(path, payload, qos, retain)

    def subscribe(self, topic: Topic) -> None:
        """Receive a row of the table, now and after every reconnect."""
        self._topics.append(topic)
        if self._connected:
            self._ask([self._subscription(topic)])

    def subscribe_raw(self, path: str) -> None:
        """Receive a foreign topic, now and after every reconnect."""
        self._raw.append(path)
        if self._connected:
            self._ask([(path, SubscribeOptions(qos=0))])

    def overhear(self, path: str, hear: Callable[[Overheard], None]) -> None:
        """Hand all that comes on a filter to `hear`, unchecked, on the network's thread; stored copies first.

        Asked for again, the broker sends the stored copies again.
        """
        self._ears[path] = hear
        self._client.message_callback_add(path, self._ear(hear))
        if self._connected:
            self._client.subscribe([_everything(path)])

    def drain(self) -> list[Received | RawReceived]:
        """Everything received since the last call, in order of arrival, checked; never blocks or raises."""
        with self._lock:
            arrivals = sorted([*self._newest.values(), *self._queue])
            self._newest.clear()
            self._queue.clear()
            self._news.clear()
        return [checked for arrival in arrivals if (checked := self._check(arrival)) is not None]

    def wait(self, timeout_s: float) -> None:
        """Return when something is there to drain, when woken, or after `timeout_s`."""
        self._news.wait(max(0.0, timeout_s))

    def wake(self) -> None:
        """End a `wait` from any thread."""
        self._news.set()

    def _new_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2, client_id=self._client_id, protocol=MQTTProtocolVersion.MQTTv5
        )
        if self.mqtt.username is not None:
            password = self.mqtt.password
            client.username_pw_set(self.mqtt.username, password.get_secret_value() if password else None)
        if self._will is not None:
            client.will_set(self._will[0], self._will[1], qos=1, retain=True)
        client.reconnect_delay_set(*RECONNECT_S)
        client.on_connect = self._guarded(self._on_connect)
        client.on_disconnect = self._guarded(self._on_disconnect)
        client.on_message = self._guarded(self._on_message)
        client.on_publish = self._guarded(self._on_publish)
        client.on_subscribe = self._guarded(self._on_subscribe)
        client.on_socket_open = self._guarded(_no_delay)
        for path, hear in self._ears.items():
            client.message_callback_add(path, self._ear(hear))
        return client

    def _ear(self, hear: Callable[[Overheard], None]) -> Callable[..., None]:
        def take(_client: Client, _user: Any, message: MQTTMessage) -> None:
            mono, wall = self._clock.mono(), self._clock.now()
            hear(Overheard(message.topic, bytes(message.payload), message.qos, message.retain, mono, wall))

        return self._guarded(take)

    def _guarded(self, callback: Callable[..., None]) -> Callable[..., None]:
        """An exception in a callback would end the network thread and leave the process deaf."""

        def guarded(*arguments: Any) -> None:
            try:
                callback(*arguments)
            except Exception:  # noqa: BLE001
                self.counters.callback_errors += 1

        return guarded

    def _on_connect(
        self,
        client: Client,
        _user: Any,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            who = f"as {self.mqtt.username}" if self.mqtt.username else "without a user"
            self.problems.append(Rejected("", "login_refused", f"{reason} ({who})"))
            self.wake()
            return
        client.drop_out_messages()
        wanted = [self._subscription(topic) for topic in self._topics]
        wanted += [(path, SubscribeOptions(qos=0)) for path in self._raw]
        self._tried.clear()
        wanted += [_everything(path) for path in self._ears]
        if wanted:
            self._ask(wanted)
        self._connections += 1
        self.counters.reconnects = self._connections - 1
        self._connected = True
        while self._events:
            path, payload, qos = self._events.popleft()
            self._send(path, payload, qos, False)
        self.wake()

    def _on_disconnect(
        self,
        client: Client,
        _user: Any,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        was_connected, self._connected = self._connected, False
        client.drop_out_messages()
        # Mosquitto 2.0 closes the socket without saying "session taken over": a connection that was taken in and
        # then dropped, again and again, is what is left to see of it.
        if was_connected and reason.is_failure:
            self._take_overs.append(self._clock.mono())
        self.wake()

    def _on_publish(
        self, _client: Client, _user: Any, number: int, reason: ReasonCode, _properties: Properties
    ) -> None:
        """The broker's answer to a QoS 1 message, which may be here before `_send` knows its number."""
        if not reason.is_failure:
            return
        with self._lock:
            path = self._sent.get(number)
            if path is None:
                _keep(self._refused, number, str(reason))
                return
        self._write_refused(path, str(reason))

    def _on_subscribe(
        self, _client: Client, _user: Any, number: int, reasons: list[ReasonCode], _properties: Properties
    ) -> None:
        with self._lock:
            paths = self._asked.pop(number)
        for path, reason in zip(paths, reasons, strict=True):
            if reason.is_failure:
                self.problems.append(Rejected(path, "read_refused", str(reason)))
                self.wake()

    def _on_message(self, _client: Client, _user: Any, message: MQTTMessage) -> None:
        path, mono = message.topic, self._clock.mono()
        number = next(self._numbers)
        payload = bytes(message.payload[: LARGEST_PAYLOAD + 1])
        if path in self._raw:
            self._put(path, (number, None, (), path, payload, message.retain, mono))
            return
        if path not in self._known:
            self._known[path] = find(self.root, path) if len(self._known) < LONGEST_QUEUE else None
        known = self._known[path]
        if known is None:
            self.counters.unknown_topics += 1
            return
        topic, ids = known
        arrival = (number, topic, ids, path, payload, message.retain, mono)
        if topic.queue:
            self._enqueue(arrival)
        else:
            self._put(path, arrival)

    def _put(self, path: str, arrival: Arrival) -> None:
        with self._lock:
            self._newest[path] = arrival
        self._news.set()

    def _enqueue(self, arrival: Arrival) -> None:
        with self._lock:
            if len(self._queue) >= LONGEST_QUEUE:
                self._queue.popleft()
                self.counters.dropped_events += 1
            self._queue.append(arrival)
        self._news.set()

    def _check(self, arrival: Arrival) -> Received | RawReceived | None:
        _, topic, ids, path, payload, retained, mono = arrival
        if topic is None:
            return RawReceived(path, payload, retained, mono)
        checked = check(topic, ids, path, payload, retained, self._clock.now(), mono)
        if isinstance(checked, Rejected):
            count(self.counters, checked)
            self.problems.append(checked)
            return None
        return checked

    def _subscription(self, topic: Topic) -> tuple[str, SubscribeOptions]:
        live_only = topic.stored is Stored.IGNORED
        options = SubscribeOptions(
            qos=topic.qos,
            retainAsPublished=topic is topics.SETPOINT,
            retainHandling=DO_NOT_SEND_STORED if live_only else SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE,
        )
        return topic.path(self.root), options

    def _ask(self, wanted: list[tuple[str, SubscribeOptions]]) -> None:
        with self._lock:  # the answer waits in `_on_subscribe` until its number is known
            _, number = self._client.subscribe(wanted)
            if number is not None:
                self._asked[number] = [path for path, _ in wanted]

    def _send(self, path: str, payload: bytes, qos: int, retain: bool) -> bool:
        """The first message on a topic goes with QoS 1: nothing is ever answered to QoS 0, not even a refusal."""
        first = path not in self._tried
        self._tried.add(path)
        sent = self._client.publish(path, payload, qos=max(qos, int(first)), retain=retain)
        with self._lock:
            refused = self._refused.pop(sent.mid, None)
            _keep(self._sent, sent.mid, path)
        if refused is not None:
            self._write_refused(path, refused)
        return sent.rc == 0

    def _write_refused(self, path: str, reason: str) -> None:
        self.problems.append(Rejected(path, "write_refused", reason))
        self.wake()


def _keep(known: dict[int, str], number: int, text: str) -> None:
    """Remember the newest message numbers only."""
    known.pop(number, None)
    known[number] = text
    if len(known) > MOST_NUMBERS:
        del known[next(iter(known))]


def _bytes(message: Message | str | None) -> bytes:
    if message is None:
        return b""
    return message.encode() if isinstance(message, str) else message.to_payload()


def _everything(path: str) -> tuple[str, SubscribeOptions]:
    """At QoS 2 a message keeps the QoS that it was sent with."""
    return path, SubscribeOptions(qos=2)


def _no_delay(_client: Client, _user: Any, opened: Any) -> None:
    with contextlib.suppress(OSError):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
