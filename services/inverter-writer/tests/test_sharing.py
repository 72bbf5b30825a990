"""The writer lets others read its shared endpoints, says what they do, and turns them out first when it stops."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from dynexport import topics
from dynexport.broker import free_port
from dynexport.clock import SystemClock
from dynexport.messages import Event
from dynexport.testing.builders import site
from dynexport.testing.context import codes, fake_context
from inverter_writer.app import Writer

CLOCK = SystemClock()
WRITE = bytes.fromhex("000100000006 01 06 0064 0009")


def until(met: Callable[[], bool]) -> None:
    end = CLOCK.mono() + 5.0
    while not met():
        assert CLOCK.mono() < end, "it did not happen in time"
        CLOCK.sleep(0.01)


def writer(place: dict[str, Any], meter: dict[str, Any]) -> tuple[Writer, Any]:
    inverter = {"id": "roof", "driver": "sunspec", "unit": 1, "rated_w": 5000, **place}
    shape = site(meter={"driver": "sunspec", "unit": 240, **meter}, inverters=[inverter])
    context, bus = fake_context("inverter-writer", shape, CLOCK)
    return Writer(context), bus


@pytest.mark.parametrize("at", ["inverter", "meter"])
def test_a_write_through_a_shared_endpoint_is_refused_told_and_counted(at: str) -> None:
    device, shared = {"host": "127.0.0.1", "port": free_port()}, {"port": free_port()}
    plain, sharing = {"tcp": device}, {"tcp": {**device, "share": shared}}
    service, bus = writer(*((sharing, plain) if at == "inverter" else (plain, sharing)))
    service.start()
    now = service.context.moment()
    until(lambda: service.step([], now) > 0 and "share_open" in codes(bus, "inverter-writer"))
    with socket.create_connection(("127.0.0.1", shared["port"]), 3.0) as client:
        client.settimeout(3.0)
        client.sendall(WRITE)
        assert client.recv(9, socket.MSG_WAITALL)[-2:] == bytes([0x86, 1])
        until(lambda: service.step([], now) > 0 and "share_write_refused" in codes(bus, "inverter-writer"))
        endpoint = f"127.0.0.1:{device['port']}"
        assert service.health().learned["shared"][endpoint]["refused_writes"] == 1
        assert service.health().learned["shared"][endpoint]["clients"] == 1
        service.stop(service.context.moment())
        assert client.recv(1) == b""
    (event,) = [
        event
        for event in bus.all(topics.EVENT, "inverter-writer")
        if isinstance(event, Event) and event.code == "share_write_refused"
    ]
    assert event.message == (
        f"127.0.0.1 tried to write to {endpoint} through 127.0.0.1:{shared['port']}: refused, it is for reading only"
    )
    assert event.data == {"endpoint": endpoint, "client": "127.0.0.1", "times": 1}


def test_the_units_of_the_file_and_those_listed_may_be_read() -> None:
    tcp = {"host": "192.0.2.1"}
    service, _ = writer({"tcp": {**tcp, "share": {"port": 1502, "units": [3]}}}, {"tcp": tcp})
    (worker,) = service.workers
    assert worker.guest.units == {1, 3, 240}  # type: ignore[union-attr]


def test_without_a_word_nothing_is_shared() -> None:
    service, _ = writer({"tcp": {"host": "192.0.2.1"}}, {"tcp": {"host": "192.0.2.2"}})
    assert [worker.guest for worker in service.workers] == [None]
    assert service.health().learned == {}
