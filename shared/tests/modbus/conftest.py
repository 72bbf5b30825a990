"""A server whose every answer a test gives byte by byte, for what no Modbus library would send."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from dynexport.modbus.endpoint import Endpoint, TcpAddress

Answer = Callable[[int, int], bytes]


class ByteServer:
    """`answer(transaction, unit)` gives the bytes to send; none closes the connection, as some devices do."""

    def __init__(self) -> None:
        self.answer: Answer = lambda transaction, unit: b""
        self.connections = 0
        self.requests = 0
        self.close_after = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = TcpAddress("127.0.0.1", self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while len(head := connection.recv(7, socket.MSG_WAITALL)) == 7:
                transaction, _, length, unit = struct.unpack(">HHHB", head)
                connection.recv(length - 1, socket.MSG_WAITALL)
                self.requests += 1
                answer = self.answer(transaction, unit)
                connection.sendall(answer)
                if self.close_after or not answer:
                    return


@pytest.fixture
def bytes_server() -> Iterator[ByteServer]:
    running = ByteServer()
    yield running
    running.close()


@pytest.fixture
def odd(bytes_server: ByteServer) -> Iterator[Endpoint]:
    made = Endpoint(bytes_server.address, timeout_s=0.3)
    yield made
    made.close()
