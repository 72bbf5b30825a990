"""Looking for SunSpec devices: at real sockets that answer in odd ways, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from dynexport.broker import free_port
from dynexport.messages import HardwareFallback
from dynexport.modbus.definitions import model
from dynexport.modbus.endpoint import TcpAddress
from dynexport.modbus.scan import Kind, hosts, look, search

SUNS, END = (0x5375, 0x6E53), (0xFFFF,)


def text(words: str, size: int) -> list[int]:
    data = words.encode().ljust(2 * size, b"\0")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, 2 * size, 2)]


def named(model_id: int, **strings: str) -> list[int]:
    """A model's registers: these strings, else zeros."""
    definition = model(model_id)
    registers = [0] * definition.length
    registers[0], registers[1] = model_id, definition.length - 2
    for name, words in strings.items():
        point = definition.points[name]
        registers[point.offset : point.offset + point.size] = text(words, point.size)
    return registers


def rated(watts: int) -> list[int]:
    registers = named(121)
    registers[model(121).points["WMax"].offset] = watts
    return registers


def serve(server: Any, unit: int, *blocks: list[int]) -> None:
    server.put(unit, 40000, *SUNS, *(register for block in blocks for register in block), *END)


def common(serial: str, **strings: str) -> list[int]:
    return named(1, **{"Mn": "Maker", "Md": "Thing", "SN": serial, **strings})


def test_an_inverter_is_named_with_its_rating_and_what_it_does_when_we_die(server: Any) -> None:
    serve(server, 1, common("X1"), named(103), rated(8000), named(123))
    (found,) = look(server.address, (1,), 0.3)
    assert (found.kind, found.manufacturer, found.serial, found.rated_w) == (
        Kind.INVERTER,
        "Maker",
        "X1",
        8000,
    )
    assert (found.control_model, found.fallback) == (123, HardwareFallback.HOLDS_LAST)


def test_an_inverter_without_a_control_model_has_an_unknown_fallback(server: Any) -> None:
    serve(server, 1, common("X1"), named(103), rated(8000))
    (found,) = look(server.address, (1,), 0.3)
    assert (found.control_model, found.fallback) == (None, HardwareFallback.UNKNOWN)


def test_a_device_without_a_rating_is_found_and_its_trouble_said(server: Any) -> None:
    serve(server, 1, common("X1"), named(103))
    (found,) = look(server.address, (1,), 0.3)
    assert found.rated_w is None
    assert "neither WMax nor a rating" in found.trouble


def test_one_connection_asks_every_unit_of_an_endpoint(server: Any) -> None:
    serve(server, 1, common("X1"), named(103), rated(8000), named(123))
    serve(server, 240, common("M1", Md="Meter"), named(203))
    found = look(server.address, (1, 2, 240), 0.3)
    assert [(device.unit, device.kind) for device in found] == [(1, Kind.INVERTER), (240, Kind.METER)]
    assert server.connections == 1
    assert not server.writes


def test_a_device_that_ignores_the_unit_id_is_found_once(server: Any) -> None:
    for unit in (1, 2, 3):
        serve(server, unit, common("X1"), named(103), rated(8000), named(123))
    assert [found.unit for found in look(server.address, (1, 2, 3), 0.3)] == [1]


def test_two_devices_without_a_serial_number_stay_two(server: Any) -> None:
    for unit in (1, 2):
        serve(server, unit, common(""), named(103), rated(8000), named(123))
    assert [found.unit for found in look(server.address, (1, 2), 0.3)] == [1, 2]


@pytest.mark.parametrize("mood", ["silent", "refuse", "short", "wrong_function"])
def test_an_endpoint_that_answers_oddly_has_no_devices_and_ends_nothing(server: Any, mood: str) -> None:
    serve(server, 1, common("X1"), named(103), rated(8000))
    server.mood = mood
    assert look(server.address, (1, 2), 0.2) == []


def test_nobody_listening_is_no_device(server: Any) -> None:
    assert look(TcpAddress("127.0.0.1", free_port()), (1, 2, 3), 0.2) == []


def test_a_search_goes_over_hosts_and_ports_and_leaves_alone_what_it_is_told_to(server: Any) -> None:
    serve(server, 1, common("X1"), named(103), rated(8000), named(123))
    ports = [server.address.port, free_port()]
    found = search(hosts(["127.0.0.1", "127.0.0.3"], ports), (1,), timeout_s=0.3)
    assert [device.address for device in found] == [server.address]
    asked = len(server.requests)
    assert search(hosts(["127.0.0.1"], ports), (1,), skip=lambda place: True) == []
    assert len(server.requests) == asked
