"""A shared endpoint under greedy clients, on a real stack: inverter and meter behind it take 50 ms for an answer."""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from bench.stack import CLOCK, CONTROL, Stack, stack
from ruamel.yaml import YAML

from dynexport import topics
from dynexport.broker import free_port
from dynexport.ports import Received

pytestmark = pytest.mark.integration

EXPORT_LIMIT_W, LOAD_W, MARGIN_W = 5000.0, 3000.0, 60.0
ANSWER_S, POLL_S, MEASURED_S = 0.05, 0.5, 15.0
CLIENTS = 8
WRITE_SINGLE, WRITE_SEVERAL = 6, 16
OURS = (topics.METER_READING, topics.INVERTER_READING)


class Client:
    """Asks as fast as it is answered, each time something else; every fifth time it tries to write."""

    def __init__(self, port: int, number: int) -> None:
        self.answers: list[bytes] = []
        self._port = port
        self._number = number
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(5.0)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), 5.0) as connection:
            connection.settimeout(5.0)
            for turn in itertools.count():
                if self._over.is_set():
                    return
                connection.sendall(self._request(turn))
                head = connection.recv(7, socket.MSG_WAITALL)
                self.answers.append(connection.recv(head[5] - 1, socket.MSG_WAITALL))

    def _request(self, turn: int) -> bytes:
        address = 40000 + (turn * CLIENTS + self._number) % 60
        if turn % 10 == 4:
            body = struct.pack(">BHH", WRITE_SINGLE, address, 0)
        elif turn % 10 == 9:
            body = struct.pack(">BHHBH", WRITE_SEVERAL, address, 1, 2, 0)
        else:
            body = struct.pack(">BHH", 3, address, 10)
        return struct.pack(">HHHB", turn % 65536, 0, len(body) + 1, 1) + body


@contextmanager
def shared_site() -> Iterator[tuple[Stack, int]]:
    """A running site whose one endpoint is shared, and the port on which it is."""
    with stack(export_limit_w=EXPORT_LIMIT_W, load_w=LOAD_W, meter_behind=True) as site:
        port = free_port()
        for device in (site.shape["meter"], site.shape["inverters"][0]):
            device["poll_s"] = POLL_S
        site.shape["inverters"][0]["tcp"]["share"] = {"port": port}
        YAML().dump(site.shape, site.config)
        for topic in OURS:
            site.bus.subscribe(topic)
        site.bus.subscribe(topics.EVENT)
        site.simulate("delay", ANSWER_S)
        site.start(CONTROL)
        site.wait(25.0)
        yield site, port


def ours(site: Stack) -> dict[str, int]:
    """How many readings of each kind of ours come in a while."""
    before = len(site.heard)
    site.wait(MEASURED_S)
    return {topic.name: sum(said.topic is topic for said in site.heard[before:]) for topic in OURS}


def obeys_in(site: Stack, export_w: float) -> float:
    """Seconds from a tighter limit to an export within it."""
    began = site.limit(export_w)
    site.wait(15.0)
    over = [sample.mono for sample in site.record.since(began) if sample.export_w > export_w + MARGIN_W]
    return max(over, default=began) - began


def events(heard: list[Received]) -> list[str]:
    return [getattr(said.message, "code", "") for said in heard if said.topic is topics.EVENT]


def test_eight_greedy_clients_write_nothing_and_slow_nothing_down() -> None:
    with shared_site() as (site, port):
        alone = ours(site)
        alone_s = obeys_in(site, 3500.0)
        clients = [Client(port, number) for number in range(CLIENTS)]
        crowded = ours(site)
        crowded_s = obeys_in(site, 2000.0)
        site.wait(5.0)
        tail = [sample.export_w for sample in site.record.since(CLOCK.mono() - 3.0)]
        for client in clients:
            client.stop()
        answers = [answer for client in clients for answer in client.answers]
        read = [answer for answer in answers if answer[0] == 3]
        print(
            f"alone {alone}, {alone_s:.1f} s; crowded {crowded}, {crowded_s:.1f} s; {len(read)} of {len(answers)} read"
        )
        assert all(crowded[name] >= 0.9 * count for name, count in alone.items()), (alone, crowded)
        assert crowded_s < 10.0
        assert max(tail) < 2000.0 + MARGIN_W
        assert len(read) > 50
        assert {answer for answer in answers if answer[0] in (0x86, 0x90)} == {b"\x86\x01", b"\x90\x01"}
        assert {answer[0] for answer in answers} <= {3, 0x83, 0x86, 0x90}
        assert events(site.heard).count("share_write_refused") == 1
