"""csip-client as a real process on a real broker, killed at random instants, and what a utility keeps ordering it."""

from __future__ import annotations

import random
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import Any

from bench.shape import site
from bench.stack import CLOCK, Stack

from dynexport import topics
from dynexport.broker import random_root, start_broker
from dynexport.messages import Limit
from dynexport.ports import Received
from dynexport.settings.models import MqttSection
from dynexport.testing.pki import Pki, make_pki
from utility_simulator.server import Server
from utility_simulator.style import drawn
from utility_simulator.tree import Program, Request, Utility, stated, watts

DEFAULT_W, FALLBACK_W = 3000, 1500.0
SERVICE = "csip_client"
AHEAD_S, LASTS_S, RATE_S = 25, (14, 20), 5
MARGIN_S = 1.5  # a change of the statement takes a tick of the service and the way over the broker


@dataclass(slots=True)
class Order:
    """A control of the server: what it allows and when; `fate` is what the server does to it, `done` that it did."""

    mrid: str
    start: int
    duration: int
    export_w: int
    fate: str
    done: bool = False

    @property
    def end(self) -> int:
        return self.start + self.duration

    @property
    def courses(self) -> list[list[int]]:
        """The answers that may be heard for it in the end."""
        match self.fate if self.done else "runs":
            case "cancelled":
                return [[1, 6], [1, 2, 6]]
            case "superseded":
                return [[1, 7], [1, 2, 7]]
            case _:
                return [[1, 2, 3]]


class Ordering(Utility):
    """Orders one control after the other, cancels some and replaces some once they were received."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(lambda: CLOCK.now().timestamp(), seed=rng.getrandbits(30), style=drawn(rng))
        self.rates = dict.fromkeys(self.rates, RATE_S)
        self.registered = True
        self.programs = [[Program(1, default=stated(watts("opModExpLimW", DEFAULT_W)))]]
        self.orders: list[Order] = []
        self.received: dict[str, float] = {}
        self._rng = rng

    def go_on(self, *, more: bool) -> None:
        """Called often: note what was received, act on controls, and order ahead."""
        now = self.now()
        for mrid, answer in self.answers():
            if answer == 1:
                self.received.setdefault(mrid, now)
        for order in self.orders:
            self._act(order, now)
        last = max((order.end for order in self.orders), default=int(now) + RATE_S)
        if more and last < now + AHEAD_S:
            gap_s = self._rng.choice((0, 0, 4))
            fate = self._rng.choice(("runs", "runs", "runs", "cancelled", "superseded"))
            self._order(max(last, int(now) + RATE_S) + gap_s, self._rng.randint(*LASTS_S), fate)

    def _order(self, start: int, duration: int, fate: str) -> None:
        order = Order(f"{len(self.orders):04X}", start, duration, self._rng.randint(0, 2500), fate)
        self.orders.append(order)
        self._serve(order, 0)

    def _act(self, order: Order, now: float) -> None:
        if order.done or order.mrid not in self.received or now > order.end - RATE_S:
            return
        if order.fate == "cancelled" and now > order.start - RATE_S:
            order.done = True
            self._serve(order, 2)
        elif order.fate == "superseded" and now > order.start - 2 * RATE_S:
            order.done = True
            self._serve(order, 4)
            self._order(order.start + 1, order.duration - 1, "runs")

    def _serve(self, order: Order, status: int) -> None:
        base = watts("opModExpLimW", order.export_w)
        control = self.control(order.mrid, order.start, order.duration, base, status=status)
        with self._lock:
            self.programs[0][0].controls[order.mrid] = control


class Killing:
    """The service's lives; `heard` is each of its statements with the moment it was made."""

    def __init__(self, stack: Stack, utility: Ordering, rng: random.Random) -> None:
        self.stack = stack
        self.utility = utility
        self.heard: list[tuple[float, Limit | None]] = []
        self.lives_that_spoke = 0
        self._rng = rng
        self._struck = threading.Event()
        stack.bus.subscribe(topics.LIMIT)

    def life(self, *, more: bool = True, longest_s: float | None = None) -> None:
        """Start it, and kill it: after a random time, or around an answer that it sends; at `longest_s` at last."""
        heard = len(self.heard)
        self._struck.clear()
        self.stack.spawn(SERVICE, [SERVICE])
        how = self._rng.choice(("time", "time", "arrived", "after", "lost")) if longest_s is None else "never"
        lasts_s = longest_s or self._rng.uniform(0.1, 4.0 if how == "time" else 8.0)
        self.utility.failing = lambda request: self._strike(request, how)
        end = CLOCK.mono() + lasts_s
        while CLOCK.mono() < end and not self._struck.wait(0.05):
            self.listen(more=more)
        process = self.stack.processes.pop(SERVICE)
        assert process.poll() in (None, -9), self.stack.logs()
        process.kill()
        process.wait()
        self.utility.failing = lambda _: None
        self.listen(more=more)
        self.lives_that_spoke += len(self.heard) > heard

    def _strike(self, request: Request, how: str) -> tuple[int, dict[str, str]] | None:
        """In the server's thread: kill it while an answer of its is on the way, before or after it counts there."""
        if (
            how not in ("arrived", "after", "lost")
            or request.method != "POST"
            or b"<subject>" not in request.body
        ):
            return None
        victim = self.stack.processes[SERVICE]
        if how == "after":
            threading.Timer(self._rng.uniform(0.0, 0.02), self._kill, [victim]).start()
            return None
        self._kill(victim)
        return (500, {}) if how == "lost" else None

    def _kill(self, victim: Any) -> None:
        victim.kill()
        self._struck.set()

    def listen(self, *, more: bool) -> None:
        """Take in what it says, and let the utility go on."""
        self.utility.go_on(more=more)
        for said in self.stack.bus.drain():
            if isinstance(said, Received) and said.topic is topics.LIMIT and said.id == "csip":
                limit = said.message if isinstance(said.message, Limit) else None
                moment = limit.issued_at if limit is not None else None
                self.heard.append((moment.timestamp() if moment else self.utility.now(), limit))

    def too_loose(self) -> list[str]:
        """Each statement that allowed more than the server did at that moment, or nothing at all."""
        found = []
        known = dropwhile(lambda said: said[1] is None, self.heard)  # at first nothing was ever stored
        for moment, limit in known:
            if limit is None or limit.export_limit_w is None or limit.export_limit_w > DEFAULT_W:
                found.append(f"{moment:.1f}: {limit}")
                continue
            for order in self.utility.orders:
                met = self.utility.received.get(order.mrid, float("inf")) < moment
                acts = order.start + MARGIN_S < moment < order.end - MARGIN_S and not order.done
                if met and acts and limit.export_limit_w > order.export_w:
                    found.append(f"{moment:.1f}: {limit.export_limit_w} W although {order}")
        return found


@contextmanager
def killing(rng: random.Random) -> Iterator[Killing]:
    """Broker and utility; the service is started by `life`."""
    with (
        tempfile.TemporaryDirectory(prefix="dynexport-kill-") as folder,
        start_broker(Path(folder)) as broker,
    ):
        pki = make_pki(Path(folder))
        utility = Ordering(rng)
        server = Server(utility, pki)
        mqtt = MqttSection(host=broker.host, port=broker.port, root=random_root())
        stack = Stack(Path(folder), mqtt, {**site(mqtt), **_csip(server, pki)}, broker)
        stack.bus.start()
        try:
            yield Killing(stack, utility, rng)
        finally:
            stack.stop(list(stack.processes))
            stack.bus.stop()
            server.close()


def _csip(server: Server, pki: Pki) -> dict[str, Any]:
    return {
        "sources": {"csip": {"kind": "obligation", "fallback": {"export_limit_w": FALLBACK_W}}},
        "csip": {
            "server": server.address,
            "version": "1.2",
            "cert": str(pki.file("client.pem")),
            "key": str(pki.file("client.key")),
            "ca": str(pki.ca),
            "pen": 28547,
        },
    }
