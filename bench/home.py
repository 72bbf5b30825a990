"""The whole engine, on a bus of its own, against the plant with loads and batteries beside its inverters.

It stands in for the services around the engine: each reads at its own rhythm and obeys at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dynexport import messages as m
from dynexport import topics
from dynexport.clock import FakeClock
from dynexport.modbus.battery_values import Order
from dynexport.testing.builders import inverter_reading, limit, meter_reading, site
from dynexport.testing.context import codes, fake_context
from dynexport.testing.fakebus import FakeBus
from dynexport.testing.plant import InverterModel, MeterModel, Plant
from dynexport.testing.plant_battery import BatteryModel, Beside, LoadModel
from dynexport.testing.plant_export import OwnLoop
from limit_engine.app import Engine

TICK_S = 0.2
READ_EVERY = {"meter": 2, "inverter": 2, "beside": 5}


@dataclass(frozen=True, slots=True)
class Truth:
    """What was really so at one moment, watts: site + import, batteries + discharge."""

    moment: float
    site_w: float
    generation_w: float
    loads_w: tuple[float, ...]
    batteries_w: tuple[float, ...]


@dataclass
class Home:
    """One site under the engine; `run` lets time pass, `trace` is what was really so at every tick.

    `measures_use`: its meter measures what the house uses, with the loads and without the batteries.
    """

    inverters: Sequence[InverterModel] = ()
    batteries: Sequence[BatteryModel] = ()
    loads: Sequence[LoadModel] = ()
    load_w: float = 500.0
    meter: MeterModel = field(default_factory=lambda: MeterModel(refresh_s=0.2, latency_s=0.3))
    sections: dict[str, Any] = field(default_factory=dict)
    battery: dict[str, Any] = field(default_factory=dict)
    load: dict[str, Any] = field(default_factory=dict)
    seed: int = 1
    meter_alive: bool = True
    measures_use: bool = False
    silent: set[str] = field(default_factory=set)
    own_loops: Sequence[OwnLoop] = ()
    before_tick: Callable[[Home], None] | None = None

    plant: Plant = field(init=False)
    engine: Engine = field(init=False)
    bus: FakeBus = field(init=False)
    clock: FakeClock = field(init=False)
    trace: list[Truth] = field(init=False, default_factory=list)
    _stated: dict[str, dict[str, Any]] = field(init=False, default_factory=dict)
    _seen: dict[str, int] = field(init=False, default_factory=dict)
    _tick: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        beside = Beside(self.batteries, self.loads)
        self.plant = Plant(
            self.inverters, load_w=self.load_w, meter=self.meter, seed=self.seed, beside=beside
        )
        for inverter in self.plant.inverters:
            inverter.command(0.0, 0.0)
        self.plant.settle()
        context, self.bus = fake_context("limit-engine", self._site(), self.clock, muted=True)
        self.engine = Engine(context, "e-own")
        self.engine.start()
        self.engine.connected(context.moment())
        for loop in self.own_loops:
            capability = m.InverterCapability(
                issued_at=self.clock.now(),
                max_w=self.inverters[loop.inverter].rated_w,
                scope=m.Scope.EXPORT,
            )
            self.bus.deliver(topics.INVERTER_CAPABILITY, capability, f"i{loop.inverter}")

    def _site(self) -> Any:
        base = {"driver": "sunspec", "tcp": {"host": "127.0.0.1", "port": 1503}}
        inverters = [
            {**base, "id": f"i{index}", "unit": index + 1, "rated_w": model.rated_w}
            for index, model in enumerate(self.inverters)
        ]
        batteries = [
            {
                "id": f"b{index}",
                "rated_w": model.rated_w,
                "max_charge_w": model.max_charge_w,
                "control": "charge_rate",
                **self.battery,
            }
            for index, model in enumerate(self.batteries)
        ]
        loads = [
            {
                "id": f"l{index}",
                "rated_w": model.rated_w,
                "control": "switch" if model.switched else "watts",
                "min_w": model.min_w,
                **self.load,
            }
            for index, model in enumerate(self.loads)
        ]
        return site(inverters=inverters, batteries=batteries, loads=loads, **self.sections)

    def state(self, source: str, **limits: Any) -> None:
        """A source says this from now on, every 10 s; with nothing it falls silent."""
        if limits:
            self._stated[source] = limits
            self._say_limit(source)
        else:
            self._stated.pop(source, None)

    def run(self, seconds: float) -> None:
        """Let `seconds` pass."""
        for _ in range(round(seconds / TICK_S)):
            if self.before_tick:
                self.before_tick(self)
            self._read()
            self.engine.step(self.bus.drain(), self.engine.context.moment())
            self._obey()
            self.clock.advance(TICK_S)
            for loop in self.own_loops:
                loop.follow(self.plant)
            self.plant.advance(self.plant.now + TICK_S)
            self._tick += 1
            self.trace.append(self.truth)

    @property
    def truth(self) -> Truth:
        """What is really so now."""
        plant = self.plant
        return Truth(
            plant.now,
            plant.site_w,
            plant.generation_w,
            tuple(load.power_w for load in plant.beside.loads),
            tuple(battery.power_w for battery in plant.beside.batteries),
        )

    @property
    def active(self) -> m.Active:
        """What the engine said last of what is in force."""
        said = self.bus.last(topics.ACTIVE)
        assert isinstance(said, m.Active)
        return said

    @property
    def codes(self) -> list[str]:
        """The events so far."""
        return codes(self.bus, "limit-engine")

    def since(self, moment: float) -> list[Truth]:
        """The trace from a moment on."""
        return [truth for truth in self.trace if truth.moment > moment]

    def _say_limit(self, source: str) -> None:
        said = limit(self.clock.now(), ttl_s=60.0, **self._stated[source])
        self.bus.deliver(topics.LIMIT, said, source)

    def _read(self) -> None:
        now, tick, plant = self.clock.now(), self._tick, self.plant
        if tick % round(10.0 / TICK_S) == 0:
            for source in self._stated:
                self._say_limit(source)
        if self.meter_alive and tick % READ_EVERY["meter"] == 0:
            self.bus.deliver(topics.METER_READING, self._meter_reading())
        if tick % READ_EVERY["inverter"] == 1:
            for index, inverter in enumerate(plant.inverters):
                if f"i{index}" not in self.silent:
                    available_w = min(inverter.available_w, inverter.model.rated_w)
                    reading = inverter_reading(inverter.power_w, now, available_w=available_w)
                    self.bus.deliver(topics.INVERTER_READING, reading, f"i{index}")
        if tick % READ_EVERY["beside"] == 2:
            self._read_beside()

    def _meter_reading(self) -> m.MeterReading:
        if not self.measures_use:
            return meter_reading(self.plant.read_meter().power_w, self.clock.now())
        used_w = self.plant.load_w + self.plant.beside.load_w
        return meter_reading(used_w, self.clock.now(), location=m.Location.CONSUMPTION)

    def _read_beside(self) -> None:
        now = self.clock.now()
        for index, load in enumerate(self.plant.beside.loads):
            if f"l{index}" not in self.silent:
                used = m.PowerReading(issued_at=now, measured_at=now, power_w=load.power_w)
                self.bus.deliver(topics.LOAD_READING, used, f"l{index}")
        for index, battery in enumerate(self.plant.beside.batteries):
            if f"b{index}" not in self.silent:
                given = m.BatteryReading(issued_at=now, measured_at=now, power_w=battery.power_w)
                self.bus.deliver(topics.BATTERY_READING, given, f"b{index}")

    def _obey(self) -> None:
        moment = self.plant.now
        own = {loop.inverter: loop for loop in self.own_loops}
        for index, inverter in enumerate(self.plant.inverters):
            for said in self._news(topics.SETPOINT, f"i{index}"):
                if index in own:
                    own[index].export_limit_w, own[index].connected = said.export_limit_w, said.connect
                else:
                    inverter.command(moment, said.target_w, said.connect)
        for index, load in enumerate(self.plant.beside.loads):
            for said in self._news(topics.LOAD_SETPOINT, f"l{index}"):
                load.limit_w = said.target_w if said.connect else 0.0
        for index, battery in enumerate(self.plant.beside.batteries):
            for said in self._news(topics.BATTERY_SETPOINT, f"b{index}"):
                order = Order(said.target_w, said.max_charge_w, said.max_discharge_w)
                battery.command(moment, order, said.ttl_s)

    def _news(self, topic: topics.Topic, name: str) -> list[Any]:
        said = self.bus.all(topic, name)
        before = self._seen.get(name, 0)
        self._seen[name] = len(said)
        return list(said[before:])
