"""An RTU bus of units: on a pseudo-terminal, or over TCP as behind a gateway that passes bytes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty
from collections.abc import Callable, Mapping
from pathlib import Path

from dynexport.modbus.address import SerialAddress
from dynexport.modbus.rtu import is_sealed, seal
from site_simulator.adapters.server import GARBAGE, WRITE_MULTIPLE, Reply, Unit, reply_of

SILENCE_S = 0.05
SHORT_REQUEST, WRITE_HEAD = 8, 9
NOISE = b"\x00\xff"
Send = Callable[[bytes], None]
Pace = Callable[[int], float]


def frame_of(reply: Reply) -> bytes:
    """The bytes of a reply, spoilt as its manners want it."""
    if reply.manners.garbage:
        return GARBAGE
    frame = seal(bytes([reply.unit]) + reply.body)
    if reply.manners.bad_crc:
        frame = frame[:-1] + bytes([frame[-1] ^ 0xFF])
    return NOISE + frame if reply.manners.noise else frame


class Bus:
    """Takes bytes, answers requests. A slow unit does not hold the others up: its answer comes late, as on a wire."""

    def __init__(self, units: Mapping[int, Unit], send: Send, pace: Pace) -> None:
        self._units = units
        self._send = send
        self._pace = pace
        self._data = b""
        self._heard_at = 0.0
        self._answering: set[asyncio.Task[None]] = set()

    def take(self, data: bytes) -> None:
        """Bytes from the master; what a silence has cut off is dropped."""
        now = asyncio.get_running_loop().time()
        self._data = data if now - self._heard_at > SILENCE_S else self._data + data
        self._heard_at = now
        while (length := self._length()) and len(self._data) >= length:
            request, self._data = self._data[:length], self._data[length:]
            if not is_sealed(request):
                self._data = b""
                return
            task = asyncio.ensure_future(self._answer(request))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    def forget(self) -> None:
        """Let nothing come any more."""
        for task in self._answering:
            task.cancel()

    def _length(self) -> int | None:
        """The length of the request that begins here; None while too little is known."""
        if len(self._data) < SHORT_REQUEST:
            return None
        return WRITE_HEAD + self._data[6] if self._data[1] == WRITE_MULTIPLE else SHORT_REQUEST

    async def _answer(self, request: bytes) -> None:
        reply = await reply_of(self._units, request[0], request[1:-2])
        if reply is not None:
            frame = frame_of(reply)
            await asyncio.sleep(self._pace(len(request) + len(frame)))
            self._send(frame)


class PtyServer:
    """A pseudo-terminal, and a link to it where `serial.port` says that the adapter is. Closing pulls it out."""

    def __init__(self, address: SerialAddress, units: Mapping[int, Unit]) -> None:
        self._address = address
        self._link = Path(address.port)
        self._units = units
        self._master: int | None = None
        self._slave = -1
        self._bus: Bus | None = None

    async def open(self) -> None:
        """Make both; raises OSError where something stands already that is not a dead link."""
        if self._master is not None:
            return
        if self._link.is_symlink() and not self._link.exists():
            self._link.unlink()  # of a simulator that was killed
        if self._link.is_symlink() or self._link.exists():
            raise FileExistsError(
                f"{self._link} is there already: the simulator makes its serial ports itself"
            )
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._bus = Bus(self._units, self._send, self._address.seconds)
        asyncio.get_running_loop().add_reader(self._master, self._readable)
        self._link.symlink_to(os.ttyname(self._slave))

    async def close(self) -> None:
        """Take both away; who has the port open finds it gone."""
        if self._master is None or self._bus is None:
            return
        self._bus.forget()
        asyncio.get_running_loop().remove_reader(self._master)
        with contextlib.suppress(FileNotFoundError):
            self._link.unlink()
        os.close(self._slave)
        os.close(self._master)
        self._master = None

    async def reset(self) -> None:
        """Pull the adapter out and put it back."""
        await self.close()
        await self.open()

    def _readable(self) -> None:
        if self._master is not None and self._bus is not None:
            self._bus.take(os.read(self._master, 4096))

    def _send(self, data: bytes) -> None:
        if self._master is not None:
            with contextlib.suppress(BlockingIOError):  # nobody reads: the line's bytes are lost
                os.write(self._master, data)


class RtuTcpServer:
    """Each connection is one line; what a unit says late goes to the newest one, as with cheap gateways."""

    def __init__(self, host: str, port: int, units: Mapping[int, Unit]) -> None:
        self._host, self._port = host, port
        self._bus = Bus(units, self._send, lambda _count: 0.0)
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def open(self) -> None:
        """Begin to listen; raises OSError when the port is taken."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, self._host, self._port)

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.reset()

    async def reset(self) -> None:
        """Break every connection."""
        self._bus.forget()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while data := await reader.read(4096):
                self._bus.take(data)
        except ConnectionError:
            pass  # the client went away
        finally:
            self._writers.remove(writer)
            writer.close()

    def _send(self, data: bytes) -> None:
        if self._writers:
            self._writers[-1].write(data)
