"""Serves a Utility with mutual TLS 1.2."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from utility_simulator.pki import Pki
from utility_simulator.tree import Request, Utility

CIPHERS = "ECDHE-ECDSA-AES128-CCM8:ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0"


class Server(ThreadingHTTPServer):
    """Serves a Utility on loopback with mutual TLS; leave the `with` block to end it."""

    daemon_threads = True

    def __init__(self, utility: Utility, pki: Pki) -> None:
        utility.lfdi = pki.lfdi

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536  # one packet an answer

            def do_GET(self) -> None:
                where = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                media = self.headers.get("Content-Type") or self.headers.get("Accept") or ""
                asked = Request(
                    utility.now(),
                    self.command,
                    where.path,
                    parse_qs(where.query),
                    body,
                    media,
                    utility.names.of(where.path),
                )
                status, headers, answer = utility.handle(asked)
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Type", utility.version.media_type)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_PUT = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Requests are kept, not printed."""

        super().__init__(("127.0.0.1", 0), Handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_2
        tls.set_ciphers(CIPHERS)
        tls.load_cert_chain(pki.file("server.pem"), pki.file("server.key"))
        tls.load_verify_locations(pki.ca)
        tls.verify_mode = ssl.CERT_REQUIRED
        self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.address = f"https://localhost:{self.server_address[1]}"
        utility.names.origin = self.address
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that breaks is the test's business."""
