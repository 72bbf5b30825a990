"""A site with csip on a bus without a broker, its utility server over real TLS, for tests."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

from csip_seed import SEED

from csip_client.app import CsipClient
from csip_client.start import client
from dynexport import messages as m
from dynexport import topics
from dynexport.clock import FakeClock
from dynexport.service import Context
from dynexport.settings.csip import CsipSection
from dynexport.settings.models import Site
from dynexport.testing.builders import site
from dynexport.testing.fakebus import FakeBus
from dynexport.testing.pki import Pki
from utility_simulator.document import V1_2, Version
from utility_simulator.server import Server
from utility_simulator.style import drawn
from utility_simulator.tree import Program, Utility, stated, watts

FALLBACK = {"csip": {"kind": "obligation", "fallback": {"export_limit_w": 1500.0}}}


class House:
    """A site with csip, its clock, bus and server; `turn` lets seconds pass."""

    def __init__(
        self,
        pki: Pki,
        folder: Path,
        *,
        sections: dict[str, object] | None = None,
        wire: Version = V1_2,
        **csip: object,
    ) -> None:
        self.clock = FakeClock(datetime(2026, 1, 15, 2, 0, tzinfo=UTC))
        style = drawn(random.Random(SEED))
        self.utility = Utility(lambda: self.clock.now().timestamp(), version=wire, style=style)
        self.utility.registered = True
        self.utility.programs = [[Program(1, default=stated(watts("opModExpLimW", 3000)))]]
        self.server = Server(self.utility, pki)
        section = CsipSection(
            server=self.server.address,
            version=wire.name,
            cert=str(pki.file("client.pem")),
            key=str(pki.file("client.key")),
            ca=str(pki.ca),
            pen=28547,
            **csip,
        )
        here = {
            "name": "Test",
            "time_zone": "Australia/Adelaide",
            "clock": "trusted",
            "state_dir": str(folder),
        }
        self.site = site(**{"site": here, "sources": FALLBACK, "csip": section, **(sections or {})})
        self.boot()

    def boot(self, site_now: Site | None = None) -> None:
        """Start the service anew on what it stored; its lanes are run by `turn`."""
        if hasattr(self, "client"):
            self.client.lanes.close()
        self.bus = FakeBus(self.clock)
        here = site_now or self.site
        assert here.csip is not None
        self.client: CsipClient = client(Context("csip-client", here, self.bus, self.clock), here.csip)

    def turn(self, seconds: float) -> None:
        lanes = self.client.lanes
        for _ in range(round(seconds)):
            for _ in range(100):
                mono = self.clock.mono()
                if min(lanes.control_due(mono), lanes.report_due(mono)) > 0:
                    break
                if lanes.control_due(mono) <= 0:
                    lanes.run_control(mono)
                if lanes.report_due(mono) <= 0:
                    lanes.run_report(mono)
            self.client.step(self.bus.drain(), self.client.context.moment())
            self.clock.advance(1.0)

    @property
    def limit(self) -> m.Limit | None:
        found = self.bus.last(topics.LIMIT, "csip")
        assert found is None or isinstance(found, m.Limit)
        return found

    def end(self) -> None:
        self.client.lanes.close()
        self.server.close()
        self.client.store.close()
