"""The site of the procedures that need a battery and a load: the whole limit-engine on a bus without a broker, the
plant, and what inverter-writer makes of the engine's word for the battery.
"""

from __future__ import annotations

from dynexport import messages as m
from dynexport import topics
from dynexport.clock import FakeClock
from dynexport.settings.models import Site
from dynexport.testing.builders import inverter_reading, meter_reading
from dynexport.testing.context import fake_context
from dynexport.testing.plant import InverterModel, MeterModel, Plant
from dynexport.testing.plant_battery import BatteryModel, Beside, LoadModel
from dynexport.topics import Topic
from inverter_writer.battery_acceptance import BatteryAcceptance
from inverter_writer.battery_decision import Reach, wanted_order
from inverter_writer.battery_pen import REVERT_S
from limit_engine.app import Engine

BATTERY, LOAD = "home", "boiler"
CAPABILITY_EVERY_S = 60.0


class House:
    """`run` lets the clock and everything at the site go on, one poll after the other."""

    def __init__(self, site: Site, clock: FakeClock, *, poll_s: float) -> None:
        battery, load = site.batteries[0], site.loads[0]
        self._site = site
        self._clock = clock
        self._poll_s = poll_s
        models = [InverterModel(rated_w=inverter.rated_w) for inverter in site.inverters]
        stores = BatteryModel(
            rated_w=battery.rated_w,
            max_charge_w=battery.max_charge_w or battery.rated_w,
            energy_wh=battery.energy_wh or 0.0,
            reserve_wh=battery.reserve_wh,
        )
        self.plant = Plant(
            models,
            load_w=0.0,
            meter=MeterModel(),
            start=clock.mono(),
            beside=Beside([stores], [LoadModel(rated_w=load.rated_w, switched=load.control == "switch")]),
        )
        self.battery, self.load = self.plant.beside.batteries[0], self.plant.beside.loads[0]
        self.load.wants_w = 0.0
        for inverter in self.plant.inverters:
            inverter.available_w = 0.0
            inverter.command(clock.mono(), 0.0)
        self.plant.settle()
        self._reach = Reach(stores.max_charge_w, stores.rated_w)
        self._acceptance = BatteryAcceptance()
        context, self._bus = fake_context("limit-engine", site, clock, muted=True)
        self.engine = Engine(context, "engine")
        self.engine.start()
        self.engine.connected(context.moment())
        self._described_at = float("-inf")
        self._heard = 0

    def begin(self, own: float | None, *, runs: bool) -> None:
        """The battery's own schedule, a share of its rating, and whether the load wants all that it can use."""
        self.battery.own_w = None if own is None else own * self.battery.model.rated_w
        self.load.wants_w = self.load.model.rated_w if runs else 0.0

    @property
    def active(self) -> m.Active:
        """The envelope as the engine says it."""
        said = self._bus.last(topics.ACTIVE)
        assert isinstance(said, m.Active)
        return said

    def hear(self, limit: m.Limit) -> None:
        """What csip-client has just said."""
        self._deliver(topics.LIMIT, limit, "csip")

    def run(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(round(seconds / self._poll_s)):
            self._clock.advance(self._poll_s)
            self.plant.advance(self._clock.mono())
            self._tell()
            self.engine.step(self._bus.drain(), self.engine.context.moment())
            self._obey()

    def _deliver(self, topic: Topic, message: m.Message, *ids: str) -> None:
        """As a broker does: to who has subscribed."""
        if topic in self._bus.subscribed:
            self._bus.deliver(topic, message, *ids)

    def _tell(self) -> None:
        """One poll of every device."""
        now = self._clock.now()
        self._deliver(topics.METER_READING, meter_reading(self.plant.read_meter().power_w, now))
        describe = self._clock.mono() - self._described_at >= CAPABILITY_EVERY_S
        for settings, inverter in zip(self._site.inverters, self.plant.inverters, strict=True):
            self._deliver(topics.INVERTER_READING, inverter_reading(inverter.power_w, now), settings.id)
            if describe:
                self._described_at = self._clock.mono()
                capability = m.InverterCapability(issued_at=now, max_w=settings.rated_w)
                self._deliver(topics.INVERTER_CAPABILITY, capability, settings.id)
        self._deliver(topics.BATTERY_READING, self.stored(), BATTERY)
        load = m.PowerReading(issued_at=now, measured_at=now, power_w=self.load.power_w)
        self._deliver(topics.LOAD_READING, load, LOAD)

    def stored(self) -> m.BatteryReading:
        """The battery's reading."""
        now = self._clock.now()
        return m.BatteryReading(
            issued_at=now,
            measured_at=now,
            power_w=self.battery.power_w,
            soc_pct=100.0 * self.battery.stored_wh / self.battery.model.energy_wh,
            energy_wh=self.battery.stored_wh,
        )

    def _obey(self) -> None:
        """What the engine has said since, as the writer obeys it."""
        said, mono = self._bus.published[self._heard :], self._clock.mono()
        self._heard = len(self._bus.published)
        for path, message in said:
            kind, _, name = path.partition("/")
            if isinstance(message, m.BatterySetpoint):
                self._acceptance.offer(message, mono)
            elif isinstance(message, m.Setpoint) and kind == "load":
                self.load.limit_w = message.target_w if message.connect else 0.0
            elif isinstance(message, m.Setpoint) and kind == "setpoint":
                self._limit(name, message, mono)
        order = wanted_order(self._acceptance.accepted, self._reach, mono).order
        self.battery.command(mono, order, None if order.frees else float(REVERT_S))

    def _limit(self, name: str, setpoint: m.Setpoint, mono: float) -> None:
        index = next(index for index, each in enumerate(self._site.inverters) if each.id == name)
        self.plant.inverters[index].command(mono, setpoint.target_w, setpoint.connect)
        control = m.InverterControl(
            issued_at=self._clock.now(),
            state=m.ControlState.FOLLOWING,
            applied_w=setpoint.target_w,
            connect=setpoint.connect,
        )
        self._deliver(topics.INVERTER_CONTROL, control, name)
