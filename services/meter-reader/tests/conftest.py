"""An HTTP device whose answers a test scripts: over TLS with a certificate of its own, or plain."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from dynexport.pki.files import chain_pem, key_pem, new_key

Script = Callable[["Asked"], tuple[int, dict[str, str], Any]]


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class WebDevice:
    """`script` answers; `asked` is everything that came, `connections` counts TLS handshakes or accepts."""

    port: int = 0
    script: Script = lambda asked: (404, {}, {})
    asked: list[Asked] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    def paths(self) -> list[str]:
        return [f"{each.method} {each.path}" for each in self.asked]


class _Handler(BaseHTTPRequestHandler):
    device: WebDevice
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        if self.device.tls is not None:
            self.request = self.device.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        with suppress(OSError, ValueError):
            super().handle()

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): text for name, text in self.headers.items()}
        asked = Asked(self.command, self.path, headers, self.rfile.read(length))
        self.device.asked.append(asked)
        status, more, said = self.device.script(asked)
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response_only(status)
        for name, text in {"Content-Length": str(len(body)), **more}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args: object) -> None:
        pass


@pytest.fixture
def self_signed() -> Callable[[Path], ssl.SSLContext]:
    """`self_signed(path)`: server-side TLS with a new certificate, kept in that file."""
    return _self_signed


def _self_signed(path: Path) -> ssl.SSLContext:
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a gateway")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
    made = builder.not_valid_after(now + timedelta(days=9)).sign(key, hashes.SHA256())
    path.write_bytes(key_pem(key) + chain_pem(made))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.fixture
def web_device() -> Iterator[Callable[..., WebDevice]]:
    """`web_device(script, tls=...)`: a device that listens until the test ends."""
    servers = []

    def start(script: Script, tls: ssl.SSLContext | None = None) -> WebDevice:
        device = WebDevice(script=script, tls=tls)
        server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"device": device}))
        device.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return device

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
