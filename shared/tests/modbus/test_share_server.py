"""The shared port on real sockets: what is answered, what is refused, and who is turned away."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymodbus.client import ModbusTcpClient

from dynexport.broker import free_port
from dynexport.clock import SystemClock
from dynexport.modbus.endpoint import Endpoint, ModbusError
from dynexport.modbus.proxy import server as module
from dynexport.modbus.proxy.guests import Guests
from dynexport.modbus.proxy.server import Server
from dynexport.modbus.worker import EndpointWorker
from dynexport.settings.base import Share

CLOCK = SystemClock()
READ = bytes.fromhex("000100000006 01 03 0064 0002")
ANSWER = bytes.fromhex("000100000007 01 03 04 0007 0008")


class Poll:
    """Our own read of unit 1 every 0.2 s, so that the endpoint is known to answer."""

    unit, urgent = 1, False

    def __init__(self) -> None:
        self.next = float("-inf")

    def due(self, mono: float) -> float:
        return self.next - mono

    def run(self, endpoint: Endpoint, mono: float) -> None:
        self.next = mono + 0.2
        endpoint.read_holding(1, 100, 1)

    def failed(self, error: ModbusError, mono: float) -> None:
        """Nothing more."""


def until(met: Callable[[], bool], seconds: float = 5.0) -> None:
    end = CLOCK.mono() + seconds
    while not met():
        assert CLOCK.mono() < end, "it did not happen in time"
        CLOCK.sleep(0.01)


def connect(shared: Server) -> socket.socket:
    """A client whose connection has been taken in or turned away."""
    made = socket.create_connection((shared.share.host, shared.share.port), 3.0)
    made.settimeout(5.0)
    return made


def closed(client: socket.socket) -> bool:
    """Whether the other end closes it without another answer; raises TimeoutError when it does not."""
    try:
        return not client.recv(1)
    except ConnectionResetError:
        return True


def told(shared: Server) -> list[str]:
    return [notice.code for notice in shared.notices.take()]


@pytest.fixture
def shared(server: Any, endpoint: Endpoint) -> Iterator[Server]:
    """A running share of a device whose unit 1 has two registers at 100."""
    server.put(1, 100, 7, 8)
    worker = EndpointWorker(endpoint, [Poll()], CLOCK, lambda: None)
    guests = Guests({1}, CLOCK, worker.wake)
    worker.guest = guests
    running = Server(Share(port=free_port()), guests, CLOCK)
    worker.start()
    running.start()
    until(lambda: "share_open" in told(running))
    until(lambda: bool(server.requests))
    yield running
    running.stop(2.0)
    assert not running.is_alive()
    assert worker.stop(2.0)
    assert worker.crashed is None


def test_a_usual_client_reads_what_the_device_says(shared: Server) -> None:
    client = ModbusTcpClient(shared.share.host, port=shared.share.port, timeout=3, retries=0)
    assert client.connect()
    assert client.read_holding_registers(100, count=2, device_id=1).registers == [7, 8]
    assert client.read_holding_registers(500, count=2, device_id=1).exception_code == 2
    client.close()


def test_two_requests_sent_at_once_are_answered_in_turn(shared: Server) -> None:
    with connect(shared) as client:
        client.sendall(READ + b"\x00\x02" + READ[2:])
        assert client.recv(13, socket.MSG_WAITALL) == ANSWER
        assert client.recv(13, socket.MSG_WAITALL) == b"\x00\x02" + ANSWER[2:]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("05 0064 ff00", 1),
        ("06 0064 0009", 1),
        ("0f 0064 0001 01 01", 1),
        ("10 0064 0001 02 0009", 1),
        ("16 0064 0000 0009", 1),
        ("17 0064 0001 0064 0001 02 0009", 1),
        ("01 0064 0001", 1),
        ("2b 0e 01 00", 1),
        ("08 0000 0000", 1),
        ("63", 1),
        ("03 0064", 3),
        ("03 0064 0000", 3),
        ("03 0064 007e", 3),
        ("04 ffff 0002", 2),
    ],
)
def test_every_write_and_whatever_is_no_read_is_refused_and_never_reaches_the_device(
    shared: Server, server: Any, body: str, code: int
) -> None:
    request = bytes.fromhex(body)
    with connect(shared) as client:
        client.sendall(struct.pack(">HHHB", 5, 0, len(request) + 1, 1) + request)
        expected = struct.pack(">HHHBBB", 5, 0, 3, 1, request[0] | 0x80, code)
        assert client.recv(9, socket.MSG_WAITALL) == expected
    assert server.writes == []
    assert {function for _, function, _, _ in server.requests} == {3}
    assert {address for _, _, address, _ in server.requests} == {100}


def test_a_refused_write_is_told_once_with_its_client_and_counted(shared: Server) -> None:
    write = bytes.fromhex("000100000006 01 06 0064 0009")
    with connect(shared) as client:
        for _ in range(3):
            client.sendall(write)
            assert client.recv(9, socket.MSG_WAITALL)[-1] == 1
    refused = [notice for notice in shared.notices.take() if notice.code == "share_write_refused"]
    assert [(notice.host, notice.times) for notice in refused] == [("127.0.0.1", 1)]
    assert shared.notices.counts["share_write_refused"] == 3


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        bytes.fromhex("0001 0001 0006 01 03 0064 0002"),
        bytes.fromhex("0001 0000 0001 01"),
        bytes.fromhex("0001 0000 ffff 01 03"),
        b"\x00" * 5000,
    ],
)
def test_garbage_closes_the_connection_and_nothing_else(shared: Server, garbage: bytes) -> None:
    with connect(shared) as other, connect(shared) as client:
        client.sendall(garbage)
        assert closed(client)
        other.sendall(READ)
        assert other.recv(13, socket.MSG_WAITALL) == ANSWER
    assert "share_garbage" in told(shared)


def test_a_request_that_has_begun_and_does_not_end_is_cut_off(
    shared: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRAME_S", 0.3)
    with connect(shared) as client:
        client.sendall(READ[:9])
        began = CLOCK.mono()
        assert closed(client)
        assert CLOCK.mono() - began < 2.0
    until(lambda: shared.clients == 0)


def test_a_client_that_says_nothing_loses_its_place(shared: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.3)
    with connect(shared):
        until(lambda: shared.clients == 1)
        until(lambda: shared.clients == 0)


def test_the_ninth_client_is_turned_away_and_a_place_that_is_free_is_given_again(shared: Server) -> None:
    clients = [connect(shared) for _ in range(8)]
    until(lambda: shared.clients == 8)
    with connect(shared) as ninth:
        assert closed(ninth)
    assert "share_full" in told(shared)
    clients.pop().close()
    until(lambda: shared.clients == 7)
    with connect(shared) as again:
        again.sendall(READ)
        assert again.recv(13, socket.MSG_WAITALL) == ANSWER
    for client in clients:
        client.close()


def test_a_client_that_floods_and_never_reads_is_held_to_20_requests_a_second(shared: Server) -> None:
    write = bytes.fromhex("000100000006 01 06 0064 0009")
    with connect(shared) as client:
        client.settimeout(0.2)
        end = CLOCK.mono() + 2.0
        while CLOCK.mono() < end:
            try:
                client.send(write * 100)
            except TimeoutError:
                continue
    assert 10 < shared.notices.counts["share_write_refused"] <= 45


def test_a_read_that_cannot_be_had_in_time_is_answered_with_busy(
    shared: Server, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.2)
    monkeypatch.setattr(shared.guests, "serve", lambda endpoint, mono, gap: float("inf"))
    with connect(shared) as client:
        client.sendall(READ)
        assert client.recv(9, socket.MSG_WAITALL) == bytes.fromhex("000100000003 01 83 06")
    assert "share_busy" in told(shared)


def test_a_stop_closes_the_port_and_every_connection_at_once(shared: Server) -> None:
    with connect(shared) as client:
        until(lambda: shared.clients == 1)
        began = CLOCK.mono()
        shared.stop(2.0)
        assert CLOCK.mono() - began < 1.0
        assert closed(client)
    with pytest.raises(ConnectionRefusedError):
        connect(shared)


def test_a_port_in_use_is_told_and_opened_once_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPEN_AGAIN_S", 0.1)
    taken = socket.create_server(("127.0.0.1", 0))
    waiting = Server(Share(port=taken.getsockname()[1]), Guests({1}, CLOCK, lambda: None), CLOCK)
    waiting.start()
    until(lambda: "share_failed" in told(waiting))
    CLOCK.sleep(0.5)
    assert told(waiting) == [], "it is said once"
    taken.close()
    until(lambda: told(waiting) == ["share_open"])
    waiting.stop(2.0)
    assert not waiting.is_alive()


def test_a_stop_before_or_right_at_the_start_ends_it() -> None:
    never = Server(Share(port=free_port()), Guests({1}, CLOCK, lambda: None), CLOCK)
    never.stop(1.0)
    never.start()
    never.join(2.0)
    assert not never.is_alive()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_mistake_of_ours_in_serving_ends_the_sharing_and_is_told(
    shared: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(question: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(shared.guests, "ask", broken)
    with connect(shared) as client:
        client.sendall(READ)
        until(lambda: not shared.is_alive())
    assert "share_ended" in told(shared)
    assert any(thread.name.startswith("modbus-") for thread in threading.enumerate()), "ours goes on"
