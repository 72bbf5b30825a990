"""Modbus units that can misbehave as real devices do, and a Modbus TCP server of our own before them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

READ_HOLDING, WRITE_SINGLE, WRITE_MULTIPLE = 3, 6, 16
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS = 1, 2
GARBAGE = bytes(range(0x41, 0x5B))
RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close() sends RST


class IllegalAddress(Exception):
    """No such registers in this unit."""


@dataclass(slots=True)
class Manners:
    """How a unit misbehaves now."""

    silent: bool = False
    delay_s: float = 0.0
    short_answer: bool = False
    wrong_function: bool = False
    wrong_unit: bool = False
    garbage: bool = False
    noise: bool = False
    bad_crc: bool = False


class Unit(Protocol):
    """One Modbus unit behind an endpoint."""

    def manners(self) -> Manners:
        """How it answers now."""
        ...

    def read(self, address: int, count: int) -> list[int]:
        """Registers; raises IllegalAddress."""
        ...

    def write(self, address: int, values: list[int]) -> None:
        """Set registers; raises IllegalAddress."""
        ...


class Server(Protocol):
    """An endpoint or a bus; all methods belong to the event loop's thread."""

    async def open(self) -> None:
        """Begin to serve; nothing when it does already. Raises OSError."""
        ...

    async def close(self) -> None:
        """Stop: whoever asks finds nobody."""
        ...

    async def reset(self) -> None:
        """Break what is connected, once."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """What a unit answers, and how it behaves; `unit` is what it says of itself."""

    unit: int
    body: bytes
    manners: Manners


@dataclass(slots=True)
class ModbusServer:
    """One TCP endpoint with its units."""

    host: str
    port: int
    units: Mapping[int, Unit]
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def open(self) -> None:
        """Begin to listen; raises OSError when the port is taken."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, self.host, self.port)

    async def close(self) -> None:
        """Stop listening and drop every connection: the port refuses from now on."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.reset()

    async def reset(self) -> None:
        """Break every connection with RST."""
        for writer in list(self._writers):
            raw: socket.socket | None = writer.get_extra_info("socket")
            if raw is not None:
                with contextlib.suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                transaction, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
                request = await reader.readexactly(length - 1)
                reply = await reply_of(self.units, unit, request)
                if reply is not None:
                    head = struct.pack(">HHHB", transaction, 0, len(reply.body) + 1, reply.unit)
                    writer.write(GARBAGE if reply.manners.garbage else head + reply.body)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went away
        finally:
            self._writers.discard(writer)
            writer.close()


async def reply_of(units: Mapping[int, Unit], number: int, request: bytes) -> Reply | None:
    """The reply to a request after its delay; None for silence."""
    unit = units.get(number)
    if unit is None:
        return None  # a wrong unit id is silence, as on a real bus
    manners = unit.manners()
    if manners.delay_s:
        await asyncio.sleep(manners.delay_s)
    if manners.silent:
        return None
    body = _execute(unit, request)
    if manners.short_answer and body[0] == READ_HOLDING and body[1] > 2:
        body = bytes([READ_HOLDING, 2]) + body[2:4]
    if manners.wrong_function and body[0] == READ_HOLDING:
        body = bytes([4]) + body[1:]
    return Reply(number % 247 + 1 if manners.wrong_unit else number, body, manners)


def _execute(unit: Unit, request: bytes) -> bytes:
    function = request[0]
    try:
        if function == READ_HOLDING:
            address, count = struct.unpack(">HH", request[1:5])
            values = unit.read(address, count)
            return struct.pack(f">BB{count}H", function, 2 * count, *values)
        if function == WRITE_SINGLE:
            address, value = struct.unpack(">HH", request[1:5])
            unit.write(address, [value])
            return request[:5]
        if function == WRITE_MULTIPLE:
            address, count, _ = struct.unpack(">HHB", request[1:6])
            unit.write(address, list(struct.unpack(f">{count}H", request[6 : 6 + 2 * count])))
            return request[:5]
    except (IllegalAddress, struct.error):
        return bytes([function | 0x80, ILLEGAL_ADDRESS])
    return bytes([function | 0x80, ILLEGAL_FUNCTION])
