"""A unit with a register map of a maker's own, the inverter and the meter made of it, and two behind one unit id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from dynexport.settings.models import ModbusInverter
from dynexport.testing.plant import PlantInverter
from site_simulator.adapters.server import READ_INPUT, IllegalFunction, IllegalValue
from site_simulator.own_loop import OwnLoop
from site_simulator.registers import Register, RegisterMap
from site_simulator.served import Served
from site_simulator.world import METER, World

VOLTAGE_V, HERTZ = 230.0, 50.0


class RegisterUnit(Served):
    """Shows holding and input registers. Where a device answers both functions from one table, `inputs` is left out
    and `both` says so.
    """

    longest_read = 125
    both = False

    def __init__(
        self, name: str, world: World, holding: Sequence[Register], inputs: Sequence[Register] = ()
    ) -> None:
        super().__init__(name, world)
        self.holding = RegisterMap(holding)
        self.inputs = self.holding if self.both else RegisterMap(inputs)
        self.writes: Counter[int] = Counter()

    def read(self, address: int, count: int) -> list[int]:
        """Holding registers, as they are now or as a fault shows them."""
        return self._show(self.holding, address, count)

    def read_input(self, address: int, count: int) -> list[int]:
        """Input registers, likewise."""
        return self._show(self.inputs, address, count)

    def write(self, address: int, values: list[int]) -> None:
        """Set writable registers; what they mean is carried out at once. Each value written is counted."""
        now = self.world.advance()
        parsed = self.holding.parse(address, values)
        self.check(parsed)
        self.holding.write(address, values)
        self.writes.update(list(parsed))
        self.obey(now, parsed)

    def check(self, values: Mapping[int, float]) -> None:
        """Raise a Refusal for values that the device does not take."""

    def obey(self, now: float, written: Mapping[int, float]) -> None:
        """Carry out what was written."""

    def refresh(self, now: float) -> None:
        """Put the present into the registers."""
        raise NotImplementedError

    def distort(self, registers: RegisterMap, address: int, words: list[int]) -> list[int]:
        """What a fault makes of an answer: of what is measured, or of the value at the address `value`."""
        now = self.world.plant.now
        for name in ("sentinel", "all_ones"):
            fault = self.world.faults.get(name, self.name, now)
            if fault is not None:
                only = None if fault.value is None else registers.registers.get(int(fault.value))
                blank = registers.live(address, len(words))
                if only is not None:
                    blank = {only.address + at: word for at, word in enumerate(only.raw(None))}
                ones = name == "all_ones"
                return [
                    (0xFFFF if ones else blank[at]) if at in blank else word
                    for at, word in enumerate(words, address)
                ]
        return words

    def _show(self, registers: RegisterMap, address: int, count: int) -> list[int]:
        if not registers.registers:
            raise IllegalFunction
        if not 1 <= count <= self.longest_read:
            raise IllegalValue
        now = self.world.advance()
        if not self.world.faults.has("frozen", self.name, now):
            self.refresh(now)
        return self.distort(registers, address, registers.read(address, count))


class MakeInverter(RegisterUnit):
    """An inverter; the plant obeys `limit`, which says what its registers mean."""

    dark_at_night = False

    def __init__(
        self,
        settings: ModbusInverter,
        plant: PlantInverter,
        world: World,
        holding: Sequence[Register],
        inputs: Sequence[Register] = (),
    ) -> None:
        super().__init__(settings.id, world, holding, inputs)
        self.plant = plant
        self.rated_w = settings.rated_w
        self.phases = [phase in settings.phase for phase in "abc"]

    def asleep(self, now: float) -> bool:
        """Some inverters' Modbus answers nothing at night."""
        return self.dark_at_night and self.night(now)

    def night(self, now: float) -> bool:
        """Whether it has no sun."""
        return self.world.dark(now, self.name)

    @property
    def phases_w(self) -> tuple[float, ...]:
        """Its power by phase, + generation."""
        part_w = self.plant.power_w / sum(self.phases)
        return tuple(part_w if fed else 0.0 for fed in self.phases)

    @property
    def throttled(self) -> bool:
        """Whether its limit holds it down."""
        ceiling_w = min(self.plant.available_w, self.rated_w)
        return self.plant.connected and self.plant.limit_w is not None and self.plant.aim_w < ceiling_w

    @property
    def energy_wh(self) -> float:
        """What it has made since the simulator began, and a little so that it is not 0."""
        return self.world.energy_wh[self.name] + 1.0

    def limit(self, now: float) -> tuple[float | None, bool]:
        """The limit in watts that its registers ask for, or None for no limit; and whether it may run at all."""
        raise NotImplementedError

    def obey(self, now: float, written: Mapping[int, float]) -> None:
        """Command the plant as the registers say, and record the write."""
        limit_w, connected = self.limit(now)
        self.plant.command(now, limit_w, connected)
        self.world.record(
            {
                "mono": now,
                "write": self.name,
                "registers": {str(address): value for address, value in written.items()},
                "pct": 100.0 if limit_w is None else 100.0 * limit_w / self.rated_w,
                "ena": limit_w is not None,
                "conn": connected,
            }
        )

    def restart(self, now: float) -> None:
        """Only what it keeps in flash is left; it starts from nothing."""
        self.holding.restart()
        self.plant.power_w = 0.0
        self.plant.revert_after(now, None, None)
        self.plant.command(now, *self.limit(now))


class ExportInverter(MakeInverter):
    """An inverter that keeps the site's export at its limit by itself; `export_limit` says what that limit is."""

    loop_s = 1.0

    def __init__(
        self,
        settings: ModbusInverter,
        plant: PlantInverter,
        world: World,
        holding: Sequence[Register],
        inputs: Sequence[Register] = (),
    ) -> None:
        super().__init__(settings, plant, world, holding, inputs)
        self.loop = OwnLoop(plant, world, self.loop_s)

    def export_limit(self) -> float | None:
        """The limit of the site's export that its registers ask for, watts; None where it does not regulate."""
        raise NotImplementedError

    def limit(self, now: float) -> tuple[float | None, bool]:
        """A cap of its own output, and whether it may run; most have none."""
        return None, True

    def obey(self, now: float, written: Mapping[int, float]) -> None:
        """Hand its own loop what the registers say, and record the write."""
        self._instruct(now)
        export_w = self.loop.export_w
        self.world.record(
            {
                "mono": now,
                "write": self.name,
                "registers": {str(address): value for address, value in written.items()},
                "pct": 100.0 if self.loop.cap_w is None else 100.0 * self.loop.cap_w / self.rated_w,
                "ena": self.loop.cap_w is not None or export_w is not None,
                "conn": self.loop.running,
                "export_w": export_w,
            }
        )

    def tick(self, now: float) -> None:
        """Its loop goes on whether anybody asks or not."""
        self.loop.tick(now)

    def revert(self, now: float) -> None:
        """Its limit goes back to what it was delivered with, flash or not, as Sigenergy's was seen to."""
        self.holding.restart(kept_too=True)
        self._instruct(now)

    def restart(self, now: float) -> None:
        """It starts from nothing, with what it keeps in flash."""
        self.holding.restart()
        self.plant.power_w = 0.0
        self._instruct(now)

    def _instruct(self, now: float) -> None:
        self.loop.export_w = self.export_limit()
        self.loop.cap_w, self.loop.running = self.limit(now)
        self.loop.changed()


class MakeMeter(RegisterUnit):
    """The site meter."""

    def __init__(self, world: World, holding: Sequence[Register], inputs: Sequence[Register] = ()) -> None:
        super().__init__(METER, world, holding, inputs)


class Shared(Served):
    """An inverter and the meter that is read through it, under one unit id: the meter answers for its registers."""

    def __init__(self, inverter: Served, meter: RegisterUnit) -> None:
        super().__init__(inverter.name, inverter.world)
        self.line = inverter.line
        self._inverter = inverter
        self._meter = meter

    def part(self, function: int, address: int) -> Served:
        """The meter for a read that begins among its registers, else the inverter."""
        registers = self._meter.inputs if function == READ_INPUT else self._meter.holding
        return self._meter if address in registers else self._inverter


def site_meter(world: World) -> tuple[float, tuple[float, float, float]]:
    """What the site meter shows now, watts + import: the sum, and by phase (with one phase, all on a)."""
    shown = world.plant.read_meter()
    sign = -1.0 if world.faults.has("reversed", METER, world.plant.now) else 1.0
    a_w, b_w, c_w = shown.phases_w or (shown.power_w, 0.0, 0.0)
    return sign * shown.power_w, (sign * a_w, sign * b_w, sign * c_w)
