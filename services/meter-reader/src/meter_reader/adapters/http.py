"""HTTP to a device on the local network: one connection, 2 s for everything, never a redirection or a proxy."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from meter_reader.adapters.certificate import fingerprint, unverified_tls
from meter_reader.web import NoAnswer, Reply

TIMEOUT_S = 2.0
LARGEST_REPLY = 262_144


class _Adapter(HTTPAdapter):
    """Remembers its one connection, so that an exchange that never ends can be cut.

    `check` is given the SHA-256 of the certificate that a connection shows, before anything is sent on it, and
    raises when it is not the right one.
    """

    def __init__(self, check: Callable[[str], None] | None) -> None:
        self._check = check
        self.connection: HTTPConnection | None = None
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        adapter, check = self, self._check

        class Plain(HTTPConnection):
            def connect(self) -> None:
                adapter.connection = self
                super().connect()

        class Tls(HTTPSConnection):
            def connect(self) -> None:
                adapter.connection = self
                super().connect()
                assert check is not None
                assert isinstance(self.sock, ssl.SSLSocket)
                check(fingerprint(self.sock.getpeercert(binary_form=True)))
                self.is_verified = True

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class TlsPool(HTTPSConnectionPool):
            ConnectionCls = Tls

        if check is not None:
            kwargs |= {"ssl_context": unverified_tls(), "assert_hostname": False}
        super().init_poolmanager(*args, **kwargs)
        pools: dict[str, type] = {"http": PlainPool} if check is None else {"https": TlsPool}
        self.poolmanager.pool_classes_by_scheme = pools

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """The pin decides, in `connect`; requests would ask authorities that know no such device."""


class PlainHttp:
    """A connection without TLS."""

    def __init__(self, host: str, port: int) -> None:
        self._start(f"http://{_bracketed(host)}:{port}", _Adapter(None))

    def _start(self, base: str, adapter: _Adapter) -> None:
        self._base = base
        self._adapter = adapter
        self._session = requests.Session()
        self._session.trust_env = False  # neither a proxy nor a password from the environment
        self._session.verify = False  # of authorities nothing is asked: `check` compares with the pin
        self._session.adapters.clear()
        self._session.mount(f"{base}/", adapter)

    def request(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One exchange; raises NoAnswer, whose text names no header and no body."""
        named = {"Accept": "application/json", "User-Agent": "dynexport", **(headers or {})}
        try:
            answer = self._session.request(
                method, self._base + path, data=body, headers=named, timeout=TIMEOUT_S, allow_redirects=False,
                stream=True,
            )  # fmt: skip
            with answer:
                content = answer.raw.read(LARGEST_REPLY + 1, decode_content=True)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise NoAnswer(f"{method} {path}: {_plainly(error)}") from None
        if len(content) > LARGEST_REPLY:
            raise NoAnswer(f"{method} {path}: more than {LARGEST_REPLY} bytes came")
        self._session.cookies.clear()
        return Reply(answer.status_code, {key.lower(): text for key, text in answer.headers.items()}, content)

    def cut(self) -> None:
        """End the exchange under way, from another thread: whoever reads finds the connection closed."""
        connection = self._adapter.connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):  # gone already
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Let the connection go."""
        self._session.close()


class PinnedHttp(PlainHttp):
    """A connection by TLS with the one certificate that is pinned (its SHA-256), whoever signed it."""

    def __init__(self, host: str, port: int, pin: str, refusal: Callable[[str], Exception]) -> None:
        def check(shown: str) -> None:
            if shown != pin:
                raise refusal(shown)

        self._start(f"https://{_bracketed(host)}:{port}", _Adapter(check))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _plainly(error: BaseException) -> str:
    """The innermost reason, without the libraries' wrapping, which repeats whole requests."""
    inner: BaseException = error
    while (deeper := inner.__cause__ or inner.__context__) is not None:
        inner = deeper
    return str(inner)[:200] or type(inner).__name__
