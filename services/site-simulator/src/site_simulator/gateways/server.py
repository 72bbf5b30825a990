"""An HTTP server with the manners of a device that may be slow, dead, or full of nonsense."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, TypeVar

from site_simulator.world import METER, World

T = TypeVar("T")
ACCEPT_S = 0.05
DEAD_S = 30.0
LARGEST_BODY = 10_000
GARBAGE = b'{"this is": no answer'
RST = struct.pack("ii", 1, 0)
Ask = Callable[[Callable[[], T]], T]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Site(Protocol):
    """What a gateway answers. Called in the world's thread."""

    world: World

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One request, header names in lower case."""
        ...


class Gateway(threading.Thread):
    """Serves a `Site` at an address; `tls` is asked at each connection, so that its certificate may change."""

    def __init__(
        self,
        address: tuple[str, int],
        site: Site,
        ask: Callable[[Callable[[], Any]], Any],
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        super().__init__(name="simulator-gateway", daemon=True)
        self._address = address
        self._site = site
        self._ask = ask
        self._tls = tls
        self._server: ThreadingHTTPServer | None = None
        self._stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._open()

    def run(self) -> None:
        """The thread: closed while the fault `refuse` lasts."""
        while not self._stopping.is_set():
            if self.has("refuse"):
                self._close()
                self._stopping.wait(ACCEPT_S)
                continue
            self._open()
            if self._server is not None:
                self._server.handle_request()
        self._close()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self.join(2.0)

    def reset(self) -> None:
        """Break every connection with RST."""
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
                socket.socket.shutdown(connection, socket.SHUT_RD)  # its own thread wakes up, and closes it

    def has(self, fault: str) -> bool:
        """Whether a fault of the meter is in force."""
        world = self._site.world
        return world.faults.has(fault, METER, world.clock.mono())

    def respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """What a request gets, after how long; None is no answer at all."""
        world = self._site.world
        delay = world.faults.get("delay", METER, world.clock.mono())
        silent = self.has("silent") or self.has("hang")
        self._stopping.wait(DEAD_S if silent else (delay.value or 0.0) if delay else 0.0)
        if silent or self._stopping.is_set():
            return None
        answer: Answer = self._ask(lambda: self._site.answer(method, path, headers, body))
        return Answer(200, GARBAGE) if self.has("garbage") else answer

    def _open(self) -> None:
        if self._server is None:
            handler = type(
                "Handler", (_Handler,), {"gateway": self, "tls": staticmethod(self._tls or _plain)}
            )
            self._server = _Server(self._address, handler)
            self._server.timeout = ACCEPT_S

    def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.server_close()
            self.reset()


def _plain() -> None:
    return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args: object) -> None:
        """A client that breaks off its handshake is none of the simulator's business."""


class _Handler(BaseHTTPRequestHandler):
    """One connection, kept open between requests."""

    gateway: Gateway
    tls: Callable[[], ssl.SSLContext | None]
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        """TLS in the connection's own thread, so that a client that says nothing holds nobody up."""
        context = self.tls()
        if context is not None:
            self.request.settimeout(DEAD_S)
            self.request = context.wrap_socket(self.request, server_side=True)
        self.gateway._connections.add(self.request)
        super().setup()

    def handle(self) -> None:
        """A client that goes away is none of the simulator's business."""
        with contextlib.suppress(OSError, ValueError):
            super().handle()

    def finish(self) -> None:
        """Forget the connection."""
        self.gateway._connections.discard(self.request)
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def do_GET(self) -> None:
        """A question."""
        self._respond(b"")

    def do_POST(self) -> None:
        """A login."""
        length = min(LARGEST_BODY, int(self.headers.get("Content-Length") or 0))
        self._respond(self.rfile.read(length))

    def log_message(self, *args: object) -> None:
        """Nothing: the requests hold secrets."""

    def _respond(self, body: bytes) -> None:
        headers = {name.lower(): text for name, text in self.headers.items()}
        answer = self.gateway.respond(self.command, self.path, headers, body)
        if answer is None or self.gateway.has("refuse"):
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, text in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(answer.body)
