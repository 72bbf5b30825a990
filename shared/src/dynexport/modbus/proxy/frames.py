"""Modbus TCP as a server sees it: what may be asked of a shared endpoint, and how it is answered. Pure.

Source: Modbus Application Protocol 1.1b3 (sections 6.3, 6.4 and 7), Modbus Messaging on TCP/IP 1.0b (3.1.3).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

HEAD = struct.Struct(">HHHB")
_READ = struct.Struct(">BHH")
READ_HOLDING, READ_INPUT = 3, 4
WRITES = frozenset({5, 6, 15, 16, 21, 22, 23})
LARGEST_BODY, MOST_REGISTERS, REGISTERS = 253, 125, 0x10000
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, BUSY, NO_PATH, NO_ANSWER = 1, 2, 3, 6, 10, 11


class NotModbus(Exception):
    """These bytes are no Modbus TCP: where the next request would begin is not known."""


@dataclass(frozen=True, slots=True)
class Question:
    """A read of `count` registers."""

    unit: int
    function: int
    address: int
    count: int


class Refusal(Exception):
    """Not asked of any device: answered with the Modbus exception `code`."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Modbus exception {code}")
        self.code = code


def head_of(data: bytes) -> tuple[int, int, int]:
    """Transaction, unit and the length of the body that follows; raises NotModbus."""
    transaction, protocol, length, unit = HEAD.unpack(data)
    if protocol != 0 or not 1 <= length - 1 <= LARGEST_BODY:
        raise NotModbus
    return transaction, unit, length - 1


def question_of(unit: int, body: bytes) -> Question:
    """What is to be read; raises Refusal for what is no read, or one that no device could answer."""
    if body[0] not in (READ_HOLDING, READ_INPUT):
        raise Refusal(ILLEGAL_FUNCTION)
    if len(body) != _READ.size:
        raise Refusal(ILLEGAL_VALUE)
    function, address, count = _READ.unpack(body)
    if not 1 <= count <= MOST_REGISTERS:
        raise Refusal(ILLEGAL_VALUE)
    if address + count > REGISTERS:
        raise Refusal(ILLEGAL_ADDRESS)
    return Question(unit, function, address, count)


def answer(question: Question, registers: Sequence[int]) -> bytes:
    """The body that answers a read."""
    return struct.pack(f">BB{len(registers)}H", question.function, 2 * len(registers), *registers)


def refusal(function: int, code: int) -> bytes:
    """The body that refuses a request."""
    return bytes([function | 0x80, code])


def frame(transaction: int, unit: int, body: bytes) -> bytes:
    """A body with its head."""
    return HEAD.pack(transaction, 0, len(body) + 1, unit) + body
