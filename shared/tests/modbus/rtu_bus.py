"""A Modbus RTU bus whose every byte a test gives: on a pseudo-terminal, or behind a gateway that passes bytes on."""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
import tty
from collections.abc import Callable
from pathlib import Path

from dynexport.clock import SystemClock
from dynexport.modbus.address import Address, SerialAddress, TcpAddress
from dynexport.modbus.rtu import seal

CLOCK = SystemClock()
Parts = list[tuple[float, bytes]]
Answer = Callable[[bytes], Parts]


def registers(unit: int, *values: int, function: int = 3) -> bytes:
    """The frame that answers a read."""
    return seal(struct.pack(f">BBB{len(values)}H", unit, function, 2 * len(values), *values))


class Bus:
    """`answer(request)` gives the parts of what is sent, each so many seconds after the request. By default every
    register holds its own address, and a write is confirmed. The bus serves one request after the other.
    """

    def __init__(self) -> None:
        self.answer: Answer = lambda request: [(0.0, self.good(request))]
        self.requests: list[bytes] = []
        self.asked_at: list[float] = []
        self.sent_at: list[float] = []
        self.address: Address
        self._out: int | None = None
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    @staticmethod
    def good(request: bytes) -> bytes:
        unit, function, address, count = struct.unpack(">BBHH", request[:6])
        if function in (6, 16):
            return seal(request[:6])
        return registers(unit, *range(address, address + count), function=function)

    def questions(self) -> list[tuple[int, int, int, int]]:
        """Unit, function, address and count of each request so far."""
        return [struct.unpack(">BBHH", request[:6]) for request in self.requests]

    def send(self, data: bytes) -> None:
        """Put bytes on the line now."""
        with self._lock:
            if self._out is not None and data:
                self.sent_at.append(CLOCK.mono())
                try:
                    os.write(self._out, data)
                except OSError:
                    return  # nobody listens any more: the gateway drops it

    def serve(self, descriptor: int, stop: threading.Event) -> None:
        """Read requests until told to stop, or the other end is gone."""
        with self._lock:
            self._out = descriptor
        data = b""
        while not stop.is_set():
            if not select.select([descriptor], [], [], 0.01)[0]:
                continue
            try:
                came = os.read(descriptor, 300)
            except OSError:
                return
            if not came:
                return
            data += came
            while len(data) >= 8 and len(data) >= (length := 9 + data[6] if data[1] == 16 else 8):
                request, data = data[:length], data[length:]
                self._take(request)

    def _take(self, request: bytes) -> None:
        self.requests.append(request)
        self.asked_at.append(CLOCK.mono())
        with self._turn:
            for delay_s, part in self.answer(request):
                CLOCK.sleep(delay_s)
                self.send(part)


class Line(Bus):
    """A serial line; `unplug` and `plug` are a USB adapter's."""

    def __init__(self, link: Path, baudrate: int = 19200) -> None:
        super().__init__()
        self.link = link
        self.address = SerialAddress(str(link), baudrate)
        self.plug()

    def plug(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.link.symlink_to(os.ttyname(self._slave))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.serve, args=(self._master, self._stop), daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        self.link.unlink()
        self._stop.set()
        self._thread.join()
        with self._lock:
            self._out = None
        os.close(self._slave)
        os.close(self._master)

    def close(self) -> None:
        if self.link.is_symlink():
            self.unplug()


class Gateway(Bus):
    """TCP; what comes from the line goes to whoever is connected now, as cheap gateways do."""

    def __init__(self) -> None:
        super().__init__()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = TcpAddress("127.0.0.1", self._listener.getsockname()[1], "rtu")
        self._stop = threading.Event()
        self._open: list[tuple[socket.socket, threading.Thread]] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            server = threading.Thread(target=self.serve, args=(connection.fileno(), self._stop), daemon=True)
            self._open.append((connection, server))
            server.start()

    def drop(self) -> None:
        """Break the connections."""
        for connection, _ in self._open:
            connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        self._stop.set()
        for connection, server in self._open:
            server.join()
            connection.close()
