"""The endpoint against answers that break the protocol: they are told as odd, and never asked again in hiding."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from dynexport.modbus.endpoint import BadAnswer, Endpoint, Refused, Unreachable

SEVEN = struct.pack(">BBH", 3, 2, 7)


def frame(transaction: int, unit: int, body: bytes) -> bytes:
    return struct.pack(">HHHB", transaction, 0, len(body) + 1, unit) + body


def prime(server: Any, endpoint: Endpoint) -> None:
    """One good answer, so that the next request goes over a connection that stands."""
    server.answer = lambda transaction, unit: frame(transaction, unit, SEVEN)
    assert endpoint.read_holding(1, 100, 1) == (7,)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (struct.pack(">BBH", 3, 40, 7), "a byte count beyond the frame"),
        (b"\x03", "nothing but a function code"),
        (b"\x63\x01\x02", "a function that does not exist"),
        (b"\x83", "an exception without a code"),
        (struct.pack(">BHH", 16, 100, 1), "an answer to a write"),
        (b"\x90\x02", "an exception to a write"),
        (struct.pack(">BB", 3, 1) + b"a", "half a register"),
        (struct.pack(">BB3H", 3, 6, 7, 8, 9), "too many registers"),
    ],
    ids=lambda value: value.replace(" ", "_") if isinstance(value, str) else "",
)
def test_a_broken_answer_is_a_bad_answer_asked_for_once_and_closes_the_socket(
    bytes_server: Any, odd: Endpoint, body: bytes, what: str
) -> None:
    prime(bytes_server, odd)
    bytes_server.answer = lambda transaction, unit: frame(transaction, unit, body)
    with pytest.raises(BadAnswer, match="unit 1: read of 1 registers at 100"):
        odd.read_holding(1, 100, 1)
    assert bytes_server.requests == 2
    prime(bytes_server, odd)
    assert bytes_server.connections == 2


def test_a_late_answer_to_an_older_request_is_never_taken_for_this_ones(
    bytes_server: Any, odd: Endpoint
) -> None:
    prime(bytes_server, odd)
    late = struct.pack(">BBH", 3, 2, 111)
    bytes_server.answer = lambda transaction, unit: (
        frame(transaction - 1, unit, late) + frame(transaction, unit, SEVEN)
    )
    assert odd.read_holding(1, 100, 1) == (7,)


def test_the_answer_of_another_unit_is_not_taken(bytes_server: Any, odd: Endpoint) -> None:
    bytes_server.answer = lambda transaction, unit: frame(transaction, unit + 1, SEVEN)
    with pytest.raises(Unreachable, match="no answer"):
        odd.read_holding(1, 100, 1)


def test_a_device_that_closes_after_each_answer_is_read_every_time(bytes_server: Any, odd: Endpoint) -> None:
    bytes_server.close_after = True
    for _ in range(4):
        prime(bytes_server, odd)


def test_a_device_that_closes_instead_of_answering_is_asked_twice_at_most(
    bytes_server: Any, odd: Endpoint
) -> None:
    prime(bytes_server, odd)
    bytes_server.answer = lambda transaction, unit: b""
    with pytest.raises(Unreachable):
        odd.read_holding(1, 100, 1)
    assert bytes_server.requests == 3


def test_a_write_that_is_answered_for_another_address_is_a_bad_answer(
    bytes_server: Any, odd: Endpoint
) -> None:
    bytes_server.answer = lambda transaction, unit: frame(transaction, unit, struct.pack(">BHH", 16, 101, 1))
    with pytest.raises(BadAnswer, match="write of 1 registers at 100"):
        odd.write_registers(1, 100, [5])


def test_a_write_that_is_refused_is_told_with_its_code(bytes_server: Any, odd: Endpoint) -> None:
    bytes_server.answer = lambda transaction, unit: frame(transaction, unit, b"\x90\x03")
    with pytest.raises(Refused) as refused:
        odd.write_registers(1, 100, [5])
    assert refused.value.code == 3
