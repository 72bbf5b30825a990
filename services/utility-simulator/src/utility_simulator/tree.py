"""The utility server without sockets: what it holds, and what a request does to it.

`now` is the server's own clock, so that tests let hours pass in a moment.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from utility_simulator.controls import Control, Program, stated, watts
from utility_simulator.document import V1_2, Version
from utility_simulator.names import Names
from utility_simulator.pages import Pages
from utility_simulator.style import PLAIN, Style

__all__ = ["Control", "Program", "Request", "Utility", "stated", "watts"]

WELL_KNOWN = "/.well-known/csipaus"
Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came: the server's time, what and where, and its body; `name` is what we call the resource."""

    at: float
    method: str
    path: str
    query: dict[str, list[str]]
    body: bytes
    media_type: str
    name: str | None = None


class Utility:
    """Everything that the server knows; set its attributes at will, between requests.

    `programs` are listed per function set assignment. `well_known` None answers 404. `failing` may answer a request
    in our stead; `arriving` is told of each one before it is answered, `seen` afterwards.
    """

    def __init__(
        self,
        now: Callable[[], float],
        *,
        version: Version = V1_2,
        seed: int = 1,
        page: int | None = None,
        style: Style = PLAIN,
    ) -> None:
        self.now = now
        self.version = version
        self.style = style if page is None else replace(style, page=page)
        self.programs: list[list[Program]] = [[]]
        self.withdrawn: set[int] = set()  # function set assignments that are listed no longer
        self.lists_ended = True
        self.rates = dict.fromkeys(("dcap", "tm", "edev", "fsa", "der", "derp", "mup", "rg"), 60)
        self.post_rate = 60
        self.registered = False
        self.enabled = True
        self.pin: int | None = None
        self.may_register = True
        self.lfdi = ""
        self.well_known: dict[str, list[str]] | None = None
        self.requests: list[Request] = []
        self.failing: Callable[[Request], tuple[int, dict[str, str]] | None] = lambda _: None
        self.arriving: Callable[[Request], None] = lambda _: None
        self.seen: Callable[[Request], None] = lambda _: None
        self.names = Names(random.Random(seed), style.whole)
        self.stored: dict[str, list[bytes]] = {}
        self.mirrors: dict[str, str] = {}
        self._pages = Pages(self)
        self._lock = threading.RLock()

    def bodies(self, name: str) -> list[bytes]:
        """What was put or posted to one of our resources."""
        return self.stored.get(name, [])

    def answers(self) -> list[tuple[str, int]]:
        """The DERControlResponses in order: subject and status."""
        texts = [body.decode() for body in self.bodies("rsp")]
        return [(_inside(text, "subject"), int(_inside(text, "status"))) for text in texts]

    def control(
        self,
        mrid: str,
        start: int,
        duration: int,
        base: str,
        *,
        status: int = 0,
        created: int | None = None,
        randomize_start: int | None = None,
        extra: str = "",
    ) -> Control:
        """A control made now that answers to our response set; nothing lists it yet."""
        made = int(self.now()) if created is None else created
        return Control(mrid, start, duration, base, made, status, randomize_start, self.names["rsp"], extra)

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        with self._lock:
            self.requests.append(request)
            self.arriving(request)
            failed = self.failing(request)
            answer = self._answer(request) if failed is None else (failed[0], failed[1], b"")
            self.seen(request)
            return answer

    def _answer(self, request: Request) -> Answer:
        if request.path == WELL_KNOWN and self.well_known is not None:
            versions = {version: {"dcap": paths} for version, paths in self.well_known.items()}
            return 200, {}, json.dumps({"supportedSchemaVersions": versions}).encode()
        name = request.name
        if name is None:
            return 404, {}, b""
        if request.method == "GET":
            status, body = self._pages.get(name, request)
            return status, {}, body
        return self._take(name.split(":")[0], request)

    def _take(self, kind: str, request: Request) -> Answer:
        """A PUT or a POST is stored under the kind of its resource."""
        if kind == "edev" and not self.may_register:
            return 403, {}, b""
        self.stored.setdefault(kind, []).append(request.body)
        match kind:
            case "edev":
                self.registered = True
                return 201, {"Location": self.names["device"]}, b""
            case "mup":
                mrid = _inside(request.body.decode(), "mRID")
                self.mirrors.setdefault(mrid, self.names[f"mirror:{mrid}"])
                return 201, {"Location": self.mirrors[mrid]}, b""
        return 204 if request.method == "PUT" else 201, {}, b""


def _inside(text: str, name: str) -> str:
    """The text of the first element of that name."""
    return text.split(f"<{name}>")[1].split("<")[0]
