"""Exchanges in terms of documents: every body out is checked, every status has a meaning, lists come whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from csip_client.adapters.http import Http, Reply, Unreachable
from csip_client.wire.check import check
from csip_client.wire.document import Node, Version, WireError, parse
from csip_client.wire.read import expect, list_head

PAGE = 100
MOST_PAGES = 200
LONGEST_RETRY_AFTER_S = 86_400.0
MOVED_OR_GONE = (404, 410)
GOES_ON = (401, 403, 408, 429)  # a refusal that may end by itself: the queue waits


class Refused(Exception):
    """An answer other than success. `retry_after_s` is what the server asks for, seconds."""

    def __init__(self, text: str, status: int, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after_s = retry_after_s

    @property
    def final(self) -> bool:
        """Whether sending the same once more is useless."""
        return 400 <= self.status < 500 and self.status not in GOES_ON


Failure = (Unreachable, Refused, WireError)


@dataclass(frozen=True, slots=True)
class Created:
    """What a POST or PUT gave: the status, and where the new thing stands."""

    status: int
    location: str | None


def refused(method: str, href: str, reply: Reply, now: float) -> Refused:
    """What an answer other than success becomes; `now` is ours, seconds since 1970."""
    text = f"{method} {href}: the server answered {reply.status}"
    return Refused(text, reply.status, _retry_after_s(reply.headers.get("retry-after"), now))


class Fetcher:
    """One lane's exchanges with the server, in the media type of the connection's version."""

    def __init__(self, http: Http, version: Version, now: Callable[[], float]) -> None:
        self.version = version
        self._http = http
        self._now = now

    def get(self, href: str) -> Node | None:
        """The document; None for 204 or an empty body. Raises Unreachable, Refused, WireError."""
        reply = self._exchange("GET", href)
        return (
            _local(parse(reply.body), self._http.server)
            if reply.status != 204 and reply.body.strip()
            else None
        )

    def get_list(self, href: str, name: str | None = None) -> tuple[Node, list[Node]]:
        """The first page, and the entries of all pages in order; `name` is what it must be.

        Raises as `get`, and WireError for a list that is cut short: what is missing in it is not withdrawn.
        """
        first = self._page(href, 0)
        if name is not None:
            expect(first, name)
        entries = list(first.children)
        for _ in range(MOST_PAGES):
            if len(entries) >= list_head(first).all:
                return first, entries
            more = self._page(href, len(entries))
            expect(more, first.name)
            if not more.children:
                break
            entries += more.children
        raise WireError(f"{href}: {len(entries)} entries came of {list_head(first).all}")

    def put(self, href: str, body: bytes) -> Created:
        """Raises Unreachable, Refused, and WireError for a body of ours that is not valid."""
        return self._send("PUT", href, body)

    def post(self, href: str, body: bytes) -> Created:
        """As `put`."""
        return self._send("POST", href, body)

    def _page(self, href: str, start: int) -> Node:
        joint = "&" if "?" in href else "?"
        page = self.get(f"{href}{joint}s={start}&l={PAGE}")
        if page is None:
            raise WireError(f"{href}: an empty answer where a list was asked for")
        return page

    def _send(self, method: str, href: str, body: bytes) -> Created:
        check(body, self.version)
        reply = self._exchange(method, href, body)
        return Created(reply.status, reply.headers.get("location"))

    def _exchange(self, method: str, href: str, body: bytes | None = None) -> Reply:
        reply = self._http.request(method, href, body, self.version.media_type)
        if not 200 <= reply.status < 300:
            raise refused(method, href, reply, self._now())
        return reply


def _retry_after_s(given: str | None, now: float) -> float | None:
    """Retry-After in seconds, or as a date; None where there is none or it makes no sense."""
    if given is None:
        return None
    word = given.strip()
    if word.isascii() and word.isdigit():
        return min(float(word[:12]), LONGEST_RETRY_AFTER_S)
    try:
        return min(max(0.0, parsedate_to_datetime(word).timestamp() - now), LONGEST_RETRY_AFTER_S)
    except (TypeError, ValueError, OverflowError):
        return None


def _local(node: Node, server: str) -> Node:
    """Whole addresses on the same server become paths, so that a link is the same however it is written."""
    for name in ("href", "replyTo"):
        if name in node.attributes:
            path = node.attributes[name].removeprefix(server.rstrip("/"))
            node.attributes[name] = path if path.startswith("/") else node.attributes[name]
    for child in node.children:
        _local(child, server)
    return node
