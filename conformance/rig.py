"""What is judged: the whole csip-client on a bus without a broker, its utility server over real mutual TLS, a site.

One clock drives all of them and jumps from second to second. The site is the control law against the plant
(`bench.loop`): its meter shows what the published limit made of the export.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench.loop import Loop

from conformance.house import House
from csip_client.app import CsipClient
from csip_client.start import client
from dynexport import messages as m
from dynexport import topics
from dynexport.clock import FakeClock
from dynexport.service import Context
from dynexport.settings.csip import CsipRatings, CsipSection
from dynexport.testing.builders import inverter_reading, meter_reading, site
from dynexport.testing.fakebus import FakeBus
from dynexport.testing.pki import Pki
from dynexport.testing.plant import InverterModel, MeterModel, Plant
from limit_engine.control import Bounds
from utility_simulator.document import V1_3, Version
from utility_simulator.server import Server
from utility_simulator.style import drawn
from utility_simulator.tree import Utility

RATED_W = 10_000.0
FALLBACK_W = 1500.0
PIN, NMI, PEN = 111115, "41020000000", 28547
MOST_EXCHANGES = 400
STORED_WH = 13_500.0
BATTERY = {
    "id": "home",
    "rated_w": 5000,
    "max_charge_w": 5000,
    "energy_wh": STORED_WH,
    "reserve_wh": 1350,
}
STORAGE = {
    **BATTERY,
    "rated_w": RATED_W,
    "max_charge_w": RATED_W,
    "energy_wh": 40_000.0,
    "control": "charge_rate",
}
ANY_W = 100_000.0
CAPABILITY_EVERY_S = 60


class Rig:
    """`tick_s` is the longest that one step lasts; `power` says which inverters have supply."""

    def __init__(
        self,
        pki: Pki,
        folder: Path,
        version: Version,
        *,
        seed: int,
        inverters: int = 1,
        pin: int | None = None,
        poll_s: float = 0.2,
        battery: bool = False,
        storage: bool = False,
        boiler: float = 0.0,
    ) -> None:
        self.clock = FakeClock(datetime(2026, 1, 15, 2, 0, tzinfo=UTC))
        style = replace(
            drawn(random.Random(seed)), unrated=frozenset()
        )  # a procedure's server gives its rates
        self.utility = Utility(lambda: self.clock.now().timestamp(), version=version, seed=seed, style=style)
        self.utility.lists_ended = False
        self.server = Server(self.utility, pki)
        self.names = [f"roof{number}" for number in range(inverters)]
        self.rated = dict.fromkeys(self.names, RATED_W / inverters)
        self.power = dict.fromkeys(self.names, True)
        self.tick_s = 1.0
        self._csip = CsipSection(
            server=self.server.address,
            version="auto" if version is V1_3 else "1.2",
            cert=str(pki.file("client.pem")),
            key=str(pki.file("client.key")),
            ca=str(pki.ca),
            pen=PEN,
            pin=pin,
            nmi=NMI,
            ratings=CsipRatings(max_var_neg=6000, min_pf_over=0.8, min_pf_under=0.8)
            if battery or storage
            else None,
        )
        load = {"id": "boiler", "rated_w": boiler * RATED_W, "control": "watts"}
        agreement = {"export_limit_w": ANY_W, "failsafe_export_limit_w": FALLBACK_W}
        self._site = site(
            site={
                "name": "Conformance",
                "time_zone": "Australia/Adelaide",
                "clock": "trusted",
                "state_dir": str(folder),
            },
            sources={"csip": {"kind": "obligation", "fallback": {"export_limit_w": FALLBACK_W}}},
            inverters=[
                {
                    "id": name,
                    "driver": "sunspec",
                    "tcp": {"host": "127.0.0.1", "port": 1503 + index},
                    "unit": 1,
                    "rated_w": self.rated[name],
                }
                for index, name in enumerate(self.names)
            ],
            batteries=[STORAGE] if storage else [BATTERY] if battery else [],
            csip=self._csip,
            **({"loads": [load], "agreement": agreement} if storage else {}),
        )
        self.battery = battery
        self.house = House(self._site, self.clock, poll_s=poll_s) if storage else None
        self.loop = Loop(
            [InverterModel(rated_w=self.rated[name]) for name in self.names],
            MeterModel(),
            load_w=0.0,
            poll_s=poll_s,
        )
        self._limits_heard = 0
        self.client: CsipClient | None = None

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return self.clock.now().timestamp()

    @property
    def limit(self) -> m.Limit | None:
        """What `limit/csip` says, and nothing once its time is over."""
        found = self.bus.last(topics.LIMIT, "csip")
        assert found is None or isinstance(found, m.Limit)
        if found is None or found.issued_at is None or found.ttl_s is None:
            return None
        return found if self.now < found.issued_at.timestamp() + found.ttl_s else None

    @property
    def plant(self) -> Plant:
        """The site itself."""
        return self.loop.plant if self.house is None else self.house.plant

    @property
    def export_w(self) -> float:
        """The true export at the meter."""
        return -self.plant.site_w

    @property
    def generation_w(self) -> float:
        """What the inverters make."""
        return self.plant.generation_w

    def boot(self) -> None:
        """Start the service on what it stored; a running one has lost its power."""
        if self.client is not None:
            self.client.lanes.close()
            self.client.store.close()
        self.bus, self._limits_heard = FakeBus(self.clock), 0
        self.client = client(Context("csip-client", self._site, self.bus, self.clock), self._csip)
        self._capability_in = 0.0

    def sun(self, available_w: float) -> None:
        """What each inverter could make."""
        for inverter in self.plant.inverters:
            inverter.available_w = available_w

    def load(self, load_w: float) -> None:
        """What the house takes."""
        self.plant.load_w = load_w

    def step(self) -> None:
        """One tick: the client's exchanges that are due, its own step, then the site for as long."""
        assert self.client is not None
        lanes = self.client.lanes
        for _ in range(MOST_EXCHANGES):
            mono = self.clock.mono()
            due = (lanes.control_due(mono) <= 0, lanes.report_due(mono) <= 0)
            if due[0]:
                lanes.run_control(mono)
            if due[1]:
                lanes.run_report(mono)
            if not any(due):
                break
        self.client.step(self.bus.drain(), self.client.context.moment())
        if self.house is None:
            self._run_site()
            self.clock.advance(self.tick_s)
        else:
            self._run_house(self.house)

    def _run_house(self, house: House) -> None:
        """The engine hears what was said, in its order."""
        said = [each for each in self.bus.all(topics.LIMIT, "csip") if isinstance(each, m.Limit)]
        for limit in said[self._limits_heard :]:
            house.hear(limit)
        self._limits_heard = len(said)
        house.run(self.tick_s)
        self._publish(self.limit)

    def _run_site(self) -> None:
        said = self.limit
        connected = said is None or (said.connect is not False and said.energize is not False)
        export_w = FALLBACK_W if said is None or said.export_limit_w is None else said.export_limit_w
        generation_w = None if said is None else said.generation_limit_w
        self.loop.bounds = Bounds(export_w, generation_w if connected else 0.0)
        for index, name in enumerate(self.names):
            self.loop.plant.inverters[index].connected = self.power[name]
        self.loop.run(self.tick_s)
        self._publish(said)

    def _publish(self, said: m.Limit | None) -> None:
        now = self.clock.now()
        meter = meter_reading(self.plant.site_w, now, reactive_var=100.0, voltage_a_v=231.5)
        self.bus.deliver(topics.METER_READING, meter)
        if self.house is not None:
            self.bus.deliver(topics.BATTERY_READING, self.house.stored(), "home")
        elif self.battery:
            stored = m.BatteryReading(
                issued_at=now, measured_at=now, power_w=0.0, soc_pct=60.0, energy_wh=0.6 * STORED_WH
            )
            self.bus.deliver(topics.BATTERY_READING, stored, "home")
        self._capability_in -= self.tick_s
        for index, name in enumerate(self.names):
            if not self.power[name]:
                continue
            inverter = self.plant.inverters[index]
            reading = inverter_reading(inverter.power_w, now, reactive_var=50.0, voltage_a_v=232.0)
            self.bus.deliver(topics.INVERTER_READING, reading, name)
            control = m.InverterControl(
                issued_at=now,
                state=m.ControlState.FOLLOWING,
                applied_w=inverter.limit_w,
                connect=None if said is None else said.connect,
            )
            self.bus.deliver(topics.INVERTER_CONTROL, control, name)
            if self._capability_in <= 0:
                self.bus.deliver(topics.INVERTER_CAPABILITY, self._capability(name), name)
        if self._capability_in <= 0:
            self._capability_in = CAPABILITY_EVERY_S

    def _capability(self, name: str) -> m.InverterCapability:
        rated_w = self.rated[name]
        return m.InverterCapability(
            issued_at=self.clock.now(), max_w=rated_w, max_va=rated_w, max_var=0.6 * rated_w
        )

    def end(self) -> None:
        """Close the server and the store."""
        self.server.close()
        if self.client is not None:
            self.client.lanes.close()
            self.client.store.close()
