"""HTTP to the utility server: one connection, time-outs on everything, hrefs as paths or whole addresses."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

CONNECT_TIMEOUT_S, READ_TIMEOUT_S, LONGEST_EXCHANGE_S = 10.0, 20.0, 60.0
LARGEST_REPLY = 2_000_000
UNUSABLE = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
)


class Unreachable(Exception):
    """No answer: no connection, a failed handshake, a time-out, a connection that broke."""


class Unusable(Unreachable):
    """An address that nobody can ask, whatever the server does: no URL, or none of https."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http(Protocol):
    """The port: one blocking exchange with the server at `server`."""

    server: str

    def request(self, method: str, href: str, body: bytes | None = None, media_type: str = "") -> Reply:
        """Raises Unreachable."""
        ...

    def close(self) -> None:
        """Let the connection go."""
        ...


class _TlsAdapter(HTTPAdapter):
    """Remembers its one connection, so that an exchange that never ends can be cut."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._connection: HTTPSConnection | None = None
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        named = None if self._tls.check_hostname else False
        super().init_poolmanager(*args, ssl_context=self._tls, assert_hostname=named, **kwargs)
        adapter = self

        class Connection(HTTPSConnection):
            def connect(self) -> None:
                adapter._connection = self
                super().connect()

        class Pool(HTTPSConnectionPool):
            ConnectionCls = Connection

        self.poolmanager.pool_classes_by_scheme = {"https": Pool}

    def cut(self) -> None:
        """End the exchange under way, from another thread: whoever reads finds the connection closed."""
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):  # gone already
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """The context has the roots; requests would put its own bundle beside them."""


class HttpSession:
    """A connection of its own to one server."""

    def __init__(
        self,
        server: str,
        tls: ssl.SSLContext,
        *,
        read_s: float = READ_TIMEOUT_S,
        longest_s: float = LONGEST_EXCHANGE_S,
    ) -> None:
        self._read_s, self._longest_s = read_s, longest_s
        self.server = server.rstrip("/") + "/"
        self._session = requests.Session()
        self._session.trust_env = False  # neither a proxy nor a bundle from the environment
        self._adapter = _TlsAdapter(tls)
        self._session.mount("https://", self._adapter)

    def request(self, method: str, href: str, body: bytes | None = None, media_type: str = "") -> Reply:
        """One exchange; a redirection is not followed. Raises Unreachable, and Unusable for an odd address."""
        url = self._url(method, href)
        headers = {"Accept": media_type, "User-Agent": "dynexport"}
        if body is not None:
            headers["Content-Type"] = media_type
        end = threading.Timer(self._longest_s, self._adapter.cut)  # a byte now and then keeps no time-out
        end.daemon = True
        end.start()
        try:
            answer = self._session.request(
                method, url, data=body, headers=headers, timeout=(CONNECT_TIMEOUT_S, self._read_s),
                allow_redirects=False, stream=True,
            )  # fmt: skip
            with answer:
                content = answer.raw.read(LARGEST_REPLY + 1, decode_content=True)
        except UNUSABLE as error:
            raise Unusable(f"{method} {url}: {_plainly(error)}") from error
        except (requests.RequestException, OSError, ValueError) as error:
            raise Unreachable(f"{method} {url}: {_plainly(error)}") from error
        except Exception as error:
            if type(error).__module__.startswith("urllib3"):
                raise Unreachable(f"{method} {url}: {_plainly(error)}") from error
            raise
        finally:
            end.cancel()
        return Reply(
            answer.status_code, {key.lower(): value for key, value in answer.headers.items()}, content
        )

    def _url(self, method: str, href: str) -> str:
        try:
            url = urljoin(self.server, href)
            scheme = urlsplit(url).scheme
        except ValueError as error:
            raise Unusable(f"{method} {href}: {error}") from error
        if scheme != "https":
            raise Unusable(f"{method} {url}: only https is spoken")
        return url

    def close(self) -> None:
        """Let the connection go."""
        self._session.close()


def _plainly(error: BaseException) -> str:
    """The innermost reason, without the libraries' wrapping."""
    inner: BaseException = error
    while (deeper := inner.__cause__ or inner.__context__) is not None:
        inner = deeper
    return str(inner) or type(inner).__name__
