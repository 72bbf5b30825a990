"""SolarEdge: SunSpec for reading, and its own power control registers from 0xF000, with its meter behind.

From SolarEdge's "Open protocols for power control" (v1.3 and 2.5, devices.md 4) and "SunSpec logging" notes. The
SunSpec part has the high word first, the control part the low word first. One client at a time: the next one is
connected, and waits. What is wrong in value is refused with exception 4, a wrong address with 2.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from dynexport.settings.models import RegisterInverter
from dynexport.testing.plant import PlantInverter
from site_simulator.adapters.server import Line, Refusal
from site_simulator.makes import solaredge_sunspec as sunspec
from site_simulator.makes.unit import MakeInverter, MakeMeter
from site_simulator.registers import Register, RegisterMap
from site_simulator.served import Served
from site_simulator.world import World

LIMIT_PCT, COSPHI, COMMIT, RESTORE = 0xF001, 0xF002, 0xF100, 0xF101
REACTIVE_CONFIG, ADVANCED = 0xF104, 0xF142
DYNAMIC, MAX_W, TIMEOUT_S, FALLBACK_PCT, RAMP_UP, RAMP_DOWN, DYNAMIC_PCT = (
    0xF300, 0xF304, 0xF310, 0xF312, 0xF318, 0xF31A, 0xF322,
)  # fmt: skip
STATIC_PCT, MAX_VAR = 0xF30C, 0xF306
RRCR = 4
ONE, ALL_PERCENT = 1.0, 100.0


def control_registers(rated_w: float) -> list[Register]:
    """The control part; what is kept is flash."""
    words = "f32-low"
    return [
        Register(0xF000, "u16"),
        Register(LIMIT_PCT, "u16", default=ALL_PERCENT, writable=True),
        Register(COSPHI, words, default=1, writable=True),
        Register(COMMIT, "s16", default=0, writable=True),
        Register(RESTORE, "s16", default=0, writable=True),
        Register(0xF103, "u16"),
        Register(REACTIVE_CONFIG, "s32-low", default=0, writable=True, keeps=True),
        Register(0xF106, "u32-low", default=200, writable=True, keeps=True),
        Register(ADVANCED, "s32-low", default=0, writable=True, keeps=True),
        Register(DYNAMIC, "u16", default=0, writable=True),
        Register(MAX_W, words, default=rated_w),
        Register(MAX_VAR, words, default=rated_w),
        Register(0xF308, "u16", default=0, writable=True, keeps=True),
        Register(0xF309, "u16", default=0, writable=True, keeps=True),
        Register(STATIC_PCT, words, default=ALL_PERCENT, writable=True, keeps=True),
        Register(0xF30E, words, default=ALL_PERCENT, writable=True, keeps=True),
        Register(TIMEOUT_S, "u32-low", default=60, writable=True, keeps=True),
        Register(FALLBACK_PCT, words, default=ALL_PERCENT, writable=True, keeps=True),
        Register(0xF314, words, default=0, writable=True, keeps=True),
        Register(0xF316, words, default=0, writable=True, keeps=True),
        Register(RAMP_UP, words, default=-1, writable=True, keeps=True),
        Register(RAMP_DOWN, words, default=-1, writable=True, keeps=True),
        Register(0xF31C, words, default=-1, writable=True, keeps=True),
        Register(0xF31E, words, default=-1, writable=True, keeps=True),
        Register(DYNAMIC_PCT, words, default=ALL_PERCENT, writable=True),
        Register(0xF324, words, default=0, writable=True),
    ]


class SolarEdgeInverter(MakeInverter):
    """0xF001 counts while the dynamic control is off, 0xF322 while it is on, and neither before a commit of 0xF142.
    With the dynamic control on and no 0xF322 for 0xF310 seconds, 0xF312 is the limit.
    """

    line = Line(serves="first")

    def __init__(self, settings: RegisterInverter, plant: PlantInverter, world: World) -> None:
        registers = [
            *control_registers(settings.rated_w),
            *sunspec.inverter_registers(settings.id, settings.unit),
            *sunspec.meter_registers(settings.unit),
        ]
        super().__init__(settings, plant, world, registers)
        self._advanced = False

    def check(self, values: Mapping[int, float]) -> None:
        """Percentages from 0 to 100, switches 0 or 1; else "device failure"."""
        get = values.get
        percents = [get(at, 0.0) for at in (LIMIT_PCT, STATIC_PCT, FALLBACK_PCT, DYNAMIC_PCT)]
        switches = [get(at, 0.0) for at in (ADVANCED, DYNAMIC, COMMIT, RESTORE)]
        if not all(0.0 <= value <= ALL_PERCENT for value in percents):
            raise Refusal
        if not all(value in (0.0, ONE) for value in switches):
            raise Refusal

    def limit(self, now: float) -> tuple[float | None, bool]:
        """By what was committed and what is switched on."""
        if not self._advanced:
            return None, True
        percent = self.holding.get(DYNAMIC_PCT if self.dynamic else LIMIT_PCT)
        ceiling = self.holding.get(STATIC_PCT)
        percent = min(percent, ceiling)
        return (None if percent >= ALL_PERCENT else percent / ALL_PERCENT * self.rated_w), True

    @property
    def dynamic(self) -> bool:
        """Whether the enhanced dynamic power control is on."""
        return self.holding.get(DYNAMIC) == ONE

    def obey(self, now: float, written: Mapping[int, float]) -> None:
        """A commit puts 0xF142 into effect; the dynamic limit, or its enabling, starts the wait for the next."""
        if written.get(COMMIT) == ONE:
            self._advanced = self.holding.get(ADVANCED) == ONE
        if written.get(RESTORE) == ONE:
            self._restore()
        for address in (COMMIT, RESTORE):
            self.holding.put(address, 0)
        super().obey(now, written)
        if not (self._advanced and self.dynamic):
            self.plant.revert_after(now, None, None)
        elif written.keys() & {DYNAMIC, TIMEOUT_S, FALLBACK_PCT, DYNAMIC_PCT}:
            fallback_w = self.holding.get(FALLBACK_PCT) / ALL_PERCENT * self.rated_w
            self.plant.revert_after(now, self.holding.get(TIMEOUT_S), fallback_w)

    def restart(self, now: float) -> None:
        """What was set is committed by the restart; the dynamic control is off, its limit forgotten."""
        self._advanced = self.holding.get(ADVANCED) == ONE
        super().restart(now)

    def refresh(self, now: float) -> None:
        """The SunSpec part."""
        sunspec.show_inverter(self, now)
        sunspec.show_meter(self.holding, self.world)

    def distort(self, registers: RegisterMap, address: int, words: list[int]) -> list[int]:
        """Its SunSpec part has scale factors, which a fault can spoil."""
        words = super().distort(registers, address, words)
        return spoil_scales(self, sunspec.INVERTER_SCALES, address, words)

    def _restore(self) -> None:
        self.holding.restart(kept_too=True)
        self._advanced = False


class SolarEdgeMeter(MakeMeter):
    """The meter behind a SolarEdge inverter."""

    def __init__(self, world: World, unit: int) -> None:
        super().__init__(world, sunspec.meter_registers(unit))

    def refresh(self, now: float) -> None:
        """Model 203, + export."""
        sunspec.show_meter(self.holding, self.world)

    def distort(self, registers: RegisterMap, address: int, words: list[int]) -> list[int]:
        """Scale factors too."""
        words = super().distort(registers, address, words)
        return spoil_scales(self, sunspec.METER_SCALES, address, words)


def spoil_scales(unit: Served, scales: Container[int], address: int, words: list[int]) -> list[int]:
    """An answer with the scale factors that a fault wants."""
    now = unit.world.plant.now
    for fault, factor in (("absurd_scale", 0x7FFF), ("zero_scale", 0)):
        if unit.world.faults.has(fault, unit.name, now):
            return [factor if at in scales else word for at, word in enumerate(words, address)]
    return words
