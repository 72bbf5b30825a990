"""Modbus units that can misbehave as real devices do, and a Modbus TCP server of our own before them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

READ_HOLDING, READ_INPUT, WRITE_SINGLE, WRITE_MULTIPLE = 3, 4, 6, 16
READS = (READ_HOLDING, READ_INPUT)
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, DEVICE_FAILURE = 1, 2, 3, 4
GARBAGE = bytes(range(0x41, 0x5B))
RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close() sends RST


class Refusal(Exception):
    """The unit refuses with a Modbus exception code."""

    code = DEVICE_FAILURE


class IllegalFunction(Refusal):
    """The unit has no such function."""

    code = ILLEGAL_FUNCTION


class IllegalAddress(Refusal):
    """No such registers in this unit, or none that may be written."""

    code = ILLEGAL_ADDRESS


class IllegalValue(Refusal):
    """More registers than the unit takes at once, or a value that it does not take."""

    code = ILLEGAL_VALUE


@dataclass(frozen=True, slots=True)
class Line:
    """How a device's network side treats clients: whom it serves when there are several (all of them, the first
    while the others wait unanswered, or the newest, which throws the others out), and for how long after
    connecting it answers nothing.
    """

    serves: Literal["all", "first", "newest"] = "all"
    quiet_s: float = 0.0


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
    """One Modbus unit behind an endpoint. What it refuses it raises as a Refusal."""

    @property
    def line(self) -> Line:
        """How its network side treats clients."""
        ...

    def part(self, function: int, address: int) -> Unit:
        """The device that answers for a register, where two share a unit id."""
        ...

    def manners(self) -> Manners:
        """How it answers now."""
        ...

    def read(self, address: int, count: int) -> list[int]:
        """Holding registers."""
        ...

    def read_input(self, address: int, count: int) -> list[int]:
        """Input registers."""
        ...

    def write(self, address: int, values: list[int]) -> None:
        """Set registers."""
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
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def line(self) -> Line:
        """How it treats clients: as the first unit that is particular about it."""
        return next((unit.line for unit in self.units.values() if unit.line != Line()), Line())

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
        if self.line.serves == "newest":
            await self.reset()
        self._writers.add(writer)
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            async with self._turn if self.line.serves == "first" else contextlib.nullcontext():
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went away
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Every request of one client, for as long as it stays."""
        loop = asyncio.get_running_loop()
        speaks_at = loop.time() + self.line.quiet_s
        while True:
            transaction, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
            request = await reader.readexactly(length - 1)
            if loop.time() < speaks_at:
                continue
            reply = await reply_of(self.units, unit, request)
            if reply is not None:
                head = struct.pack(">HHHB", transaction, 0, len(reply.body) + 1, reply.unit)
                writer.write(GARBAGE if reply.manners.garbage else head + reply.body)
                await writer.drain()


async def reply_of(units: Mapping[int, Unit], number: int, request: bytes) -> Reply | None:
    """The reply to a request after its delay; None for silence."""
    if number not in units:
        return None  # a wrong unit id is silence, as on a real bus
    unit = units[number]
    if request[0] in (*READS, WRITE_SINGLE, WRITE_MULTIPLE) and len(request) >= 3:
        unit = unit.part(request[0], struct.unpack(">H", request[1:3])[0])
    manners = unit.manners()
    if manners.delay_s:
        await asyncio.sleep(manners.delay_s)
    if manners.silent:
        return None
    body = _execute(unit, request)
    if manners.short_answer and body[0] in READS and body[1] > 2:
        body = bytes([body[0], 2]) + body[2:4]
    if manners.wrong_function and body[0] in READS:
        body = bytes([READ_HOLDING + READ_INPUT - body[0]]) + body[1:]
    return Reply(number % 247 + 1 if manners.wrong_unit else number, body, manners)


def _execute(unit: Unit, request: bytes) -> bytes:
    function = request[0]
    try:
        if function in READS:
            address, count = struct.unpack(">HH", request[1:5])
            values = (unit.read if function == READ_HOLDING else unit.read_input)(address, count)
            return struct.pack(f">BB{count}H", function, 2 * count, *values)
        if function == WRITE_SINGLE:
            address, value = struct.unpack(">HH", request[1:5])
            unit.write(address, [value])
            return request[:5]
        if function == WRITE_MULTIPLE:
            address, count, _ = struct.unpack(">HHB", request[1:6])
            unit.write(address, list(struct.unpack(f">{count}H", request[6 : 6 + 2 * count])))
            return request[:5]
    except Refusal as refusal:
        return bytes([function | 0x80, refusal.code])
    except struct.error:
        return bytes([function | 0x80, ILLEGAL_ADDRESS])
    return bytes([function | 0x80, ILLEGAL_FUNCTION])
