"""Both lanes of the client and a utility server over real mutual TLS, under one clock that jumps."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from csip_seed import SEED

from csip_client import news
from csip_client.adapters.http import HttpSession
from csip_client.adapters.store import Store
from csip_client.adapters.tls import context
from csip_client.core import Lanes, Wanted
from csip_client.der_status import DerStatus
from csip_client.facts import Facts
from csip_client.obey import Obedience, Policy
from csip_client.registration import Identity, Standing
from csip_client.telemetry import Role, Series
from csip_client.wire import write
from dynexport.identity import sfdi
from dynexport.testing.pki import Pki
from utility_simulator.document import V1_2, Version
from utility_simulator.server import Server
from utility_simulator.style import Style, drawn
from utility_simulator.tree import Request, Utility

START = 1_800_000_000.0
FACTS = Facts(write.Ratings(10_000), write.Ratings(10_000), write.Modes(0xC, 5), 4, 27, DerStatus(7, 2))
SITE_W, DER_W = Series(Role.SITE, 38), Series(Role.DER, 38)


class Site:
    """The client, its server, and the clock that both follow; `skew_s` is how far our own clock is behind."""

    def __init__(
        self,
        pki: Pki,
        folder: Path,
        *,
        skew_s: float = 0.0,
        pin: int | None = None,
        seed: int = 1,
        style: Style | None = None,
        version: Version = V1_2,
        **wanted: str,
    ) -> None:
        self.mono = 0.0
        rng = random.Random(f"{SEED} {seed}")
        self.skew_s = skew_s
        self.pki = pki
        self.jump_s = 0.0  # how far the server's clock has jumped since
        self.utility = Utility(
            lambda: START + self.mono + self.jump_s,
            version=version,
            seed=rng.getrandbits(30),
            style=style or drawn(rng),
        )
        self.wanted = {"version_wanted": version.name, "dcap_path": "/dcap", **wanted}
        self.http: dict[str, Any] = {}  # other time-outs than a real one's
        self.server = Server(self.utility, pki)
        self.folder = folder
        self.pin = pin
        self.standing: list[Standing] = []
        self.trouble: list[str] = []
        self.boot()

    def boot(self) -> None:
        """Start the client anew on what it stored."""
        tls = context(self.pki.file("client.pem"), self.pki.file("client.key"), self.pki.ca)
        who = Identity(self.pki.lfdi, sfdi(self.pki.lfdi), 0x200000, self.pin, "41020000000")
        self.store = Store(self.folder / "store.sqlite", self.server.address, self.pki.lfdi)
        rng = random.Random(7)
        self.lanes = Lanes(
            (
                HttpSession(self.server.address, tls, **self.http),
                HttpSession(self.server.address, tls, **self.http),
            ),
            who,
            Wanted(self.wanted["version_wanted"], self.wanted["dcap_path"], 28547, 10_000.0),
            self.store,
            wall=lambda: START + self.mono - self.skew_s,
            mono=lambda: self.mono,
            random=rng.random,
        )
        self.lanes.give(FACTS)
        self.obedience = Obedience(self.store, Policy(10_000.0, {"export_limit_w": 1500.0}), lambda upto: 0)

    def run(self, seconds: float) -> None:
        """Let time pass: both lanes run whenever they are due, the core once a second."""
        end = self.mono + seconds
        while self.mono < end:
            for _ in range(200):
                if self.lanes.control_due(self.mono) > 0 and self.lanes.report_due(self.mono) > 0:
                    break
                if self.lanes.control_due(self.mono) <= 0:
                    self.lanes.run_control(self.mono)
                if self.lanes.report_due(self.mono) <= 0:
                    self.lanes.run_report(self.mono)
                self._take()
            else:
                raise AssertionError("a lane never rests")
            if self.lanes.offset_s is not None:
                self.obedience.answer(int(self.lanes.server_now()))
            self.mono += 1.0

    def _take(self) -> None:
        while not self.lanes.news.empty():
            match self.lanes.news.get():
                case news.Walked(assignments, at):
                    self.obedience.walked(assignments, int(at))
                case news.Stands(standing, afresh):
                    if afresh:
                        self.obedience.forget()
                    self.standing.append(standing)
                case news.Contact(str(error)) | news.Odd(_, error):
                    self.trouble.append(error)

    def watts(self) -> dict[str, float]:
        """What is stated now."""
        return dict(self.obedience.now(self.lanes.server_now()).statement.watts)

    def got(self, name: str) -> list[Request]:
        """The requests for one of the server's resources, by our name for it."""
        return [
            each
            for each in self.utility.requests
            if (self.utility.names.of(each.path) or "").split(":")[0] == name
        ]

    def end(self) -> None:
        self.lanes.close()
        self.server.close()
        self.store.close()
