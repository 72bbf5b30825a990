"""A Modbus TCP server that can answer wrongly: every oddity that was met on real sockets."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from dynexport.modbus.endpoint import Endpoint, TcpAddress


class OddServer:
    """Holding and input registers by unit and address; `mood` is how the next answers are given."""

    def __init__(self) -> None:
        self.registers: dict[tuple[int, int], int] = {}
        self.inputs: dict[tuple[int, int], int] = {}
        self.mood = "fine"
        self.requests: list[tuple[int, int, int, int]] = []
        self.writes: list[tuple[int, int, list[int]]] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = TcpAddress("127.0.0.1", self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def put(self, unit: int, address: int, *values: int) -> None:
        for offset, value in enumerate(values):
            self.registers[(unit, address + offset)] = value

    def put_input(self, unit: int, address: int, *values: int) -> None:
        for offset, value in enumerate(values):
            self.inputs[(unit, address + offset)] = value

    def drop(self) -> None:
        """Break every connection with RST."""
        for connection in self._open:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        self._open.clear()

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while head := connection.recv(7, socket.MSG_WAITALL):
                transaction, _, length, unit = struct.unpack(">HHHB", head)
                body = connection.recv(length - 1, socket.MSG_WAITALL)
                answer = self._answer(unit, body)
                if answer:
                    connection.sendall(struct.pack(">HHHB", transaction, 0, len(answer) + 1, unit) + answer)
        except (OSError, struct.error):
            return

    def _answer(self, unit: int, body: bytes) -> bytes:
        function, address, count = struct.unpack(">BHH", body[:5])
        self.requests.append((unit, function, address, count))
        if self.mood == "silent":
            return b""
        if self.mood == "refuse":
            return bytes([function | 0x80, 2])
        if function == 16:
            values = list(struct.unpack(f">{count}H", body[6:]))
            self.writes.append((unit, address, values))
            self.put(unit, address, *values)
            return body[:5]
        if function == 6:
            self.writes.append((unit, address, [count]))
            self.put(unit, address, count)
            return body[:5]
        registers = self.inputs if function == 4 else self.registers
        if any((unit, address + offset) not in registers for offset in range(count)):
            return bytes([function | 0x80, 2])
        values = [registers[(unit, address + offset)] for offset in range(count)]
        if self.mood == "short":
            values = values[:1]
        code = 7 - function if self.mood == "wrong_function" else function
        return struct.pack(f">BB{len(values)}H", code, 2 * len(values), *values)


@pytest.fixture
def server() -> Iterator[OddServer]:
    running = OddServer()
    yield running
    running.close()


@pytest.fixture
def endpoint(server: OddServer) -> Iterator[Endpoint]:
    made = Endpoint(server.address, timeout_s=0.3)
    yield made
    made.close()
