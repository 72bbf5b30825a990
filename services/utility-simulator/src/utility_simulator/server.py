"""Serves a Utility with mutual TLS 1.2, with the faults of a connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from dynexport.clock import SystemClock
from dynexport.testing.pki import Pki
from utility_simulator.faults import Faults
from utility_simulator.tree import Request, Utility

CIPHERS = "ECDHE-ECDSA-AES128-CCM8:ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0"
GARBAGE = b"<html><body>Bad gateway"
HANG_LOOK_S = 0.1
CLOCK = SystemClock()


class Server(ThreadingHTTPServer):
    """Listens at once, in threads of its own; `close` ends it. `faults` are those of the connection."""

    daemon_threads = True

    def __init__(
        self,
        utility: Utility,
        pki: Pki,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        name: str = "localhost",
        faults: Faults | None = None,
    ) -> None:
        utility.lfdi = pki.lfdi
        self.utility = utility
        self.faults = faults or Faults(CLOCK.mono)
        self.ending = False
        self._open: set[ssl.SSLSocket] = set()
        super().__init__((host, port), _Handler)
        self._pki = pki
        self._well = _context(pki, "server")
        self.address = f"https://{name}:{self.server_address[1]}"
        utility.names.origin = self.address
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def finish_request(self, request: object, client_address: object) -> None:
        """The handshake, in the connection's own thread: one that hangs keeps nobody waiting."""
        tls = _context(self._pki, "expired") if self.faults.has("expired") else self._well
        assert not isinstance(request, bytes)
        with tls.wrap_socket(request, server_side=True) as secure:  # type: ignore[arg-type]
            self._open.add(secure)
            try:
                _Handler(secure, client_address, self)
            finally:
                self._open.discard(secure)

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that breaks is the client's business."""

    def close(self) -> None:
        """Stop listening; requests that hang are let go."""
        self.ending = True
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):  # gone already
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # one packet an answer
    server: Server

    def do_GET(self) -> None:
        faults, utility = self.server.faults, self.server.utility
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        while faults.has("hang") and not self.server.ending:
            CLOCK.sleep(HANG_LOOK_S)
        if faults.has("down") or faults.has("expired"):
            self.close_connection = True
            return
        status, headers, answer = utility.handle(self._request(body))
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        answer = GARBAGE if faults.has("garbage") else answer
        self.send_header("Content-Type", utility.version.media_type)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_PUT = do_GET

    def _request(self, body: bytes) -> Request:
        utility, where = self.server.utility, urlsplit(self.path)
        media = self.headers.get("Content-Type") or self.headers.get("Accept") or ""
        return Request(
            utility.now(),
            self.command,
            where.path,
            parse_qs(where.query),
            body,
            media,
            utility.names.of(where.path),
        )

    def log_message(self, format: str, *args: object) -> None:
        """Requests are kept, not printed."""


def _context(pki: Pki, name: str) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.set_ciphers(CIPHERS)
    tls.load_cert_chain(pki.file(f"{name}.pem"), pki.file(f"{name}.key"))
    tls.load_verify_locations(pki.ca)
    tls.verify_mode = ssl.CERT_REQUIRED
    return tls
