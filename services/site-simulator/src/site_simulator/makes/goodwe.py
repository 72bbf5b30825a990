"""GoodWe ET, the hybrid: it keeps the site's export at a limit by itself.

From the registers of the `goodwe` library, which OpenEMS's driver shares where both have them (devices.md 4). All are
holding registers at protocol addresses; 32 bit with the high word first; export is positive at the meter. What is set
is kept in flash (goodwe#141). An ET answers as unit 247.
"""

from __future__ import annotations

from collections.abc import Mapping

from dynexport.settings.models import RegisterInverter
from dynexport.testing.plant import PlantInverter
from site_simulator.adapters.server import IllegalValue
from site_simulator.makes.unit import HERTZ, VOLTAGE_V, ExportInverter, MakeMeter, RegisterUnit, site_meter
from site_simulator.registers import Register, block, filled
from site_simulator.world import World

INFO, RUN, METER = 35000, 35100, 36000
PHASE_AT = (35121, 35126, 35131)
INVERTER_W, SITE_W, WORK_MODE = 35138, 35140, 35187
ET_SWITCH, ET_LIMIT_W, ET_HARDWARE = 47509, 47510, 47599
WAITING, ON_GRID = 0, 1
PANEL_V = 600.0
NOON = (0x1A0B, 0x190C, 0x0000)
SWITCH = (0, 1)


def et_meter() -> list[Register]:
    """36000 to 36044, without the extension of newer firmware."""
    listed = [
        Register(METER + 4, "u16"),
        *block(METER + 5, "w_a w_b w_c w var", "s16"),
        *block(METER + 10, "pf_a pf_b pf_c pf", "s16", 0.001),
        Register(METER + 14, "u16", 0.01),
        *block(METER + 15, "export_wh import_wh", "f32"),
        *block(METER + 19, "w_a w_b w_c w", "s32"),
        *block(METER + 27, "var_a var_b var_c var va_a va_b va_c va", "s32"),
    ]
    return filled(METER, METER + 45, listed)


def show_et_meter(unit: RegisterUnit, world: World) -> None:
    """Put the site meter into the registers of `et_meter`."""
    put, (power_w, phases_w) = unit.holding.put, site_meter(world)
    put(METER + 4, 1)
    put(METER + 14, HERTZ)
    put(METER + 15, world.export_wh)
    put(METER + 17, world.import_wh)
    for index, shown_w in enumerate((*phases_w, power_w)):
        put(METER + 5 + index, -shown_w)
        put(METER + 10 + index, 1)
        put(METER + 19 + 2 * index, -shown_w)
        put(METER + 27 + 2 * index, 0)
        put(METER + 35 + 2 * index, abs(shown_w))


def et_registers(rated_w: float) -> list[Register]:
    """What a GW10K-ET has, without a battery."""
    info = [
        Register(INFO + 1, "u16", default=rated_w),
        Register(INFO + 2, "u16", default=1),
        Register(INFO + 3, "u16", default="9010KETU23AB0001", text=8),
        Register(INFO + 11, "u16", default="GW10K-ET  ", text=5),
        Register(INFO + 21, "u16", default="04029-08-S11", text=6),
        Register(INFO + 27, "u16", default="02041-20-S00", text=6),
    ]
    run = [
        *clock(RUN),
        *(one for at in (3, 7) for one in pv_string(RUN + at)),
        *(one for at in PHASE_AT for one in grid_phase(at)),
        Register(35136, "u16"),
        Register(INVERTER_W, "s16"),
        Register(SITE_W, "s16"),
        Register(35172, "s16"),
        Register(WORK_MODE, "u16"),
        Register(35191, "u32", 100.0),
    ]
    settings = [
        Register(ET_SWITCH, "u16", default=0, writable=True, keeps=True),
        Register(ET_LIMIT_W, "u16", default=rated_w, writable=True, keeps=True),
        Register(ET_HARDWARE, "u16"),
    ]
    return [*filled(INFO, INFO + 33, info), *filled(RUN, RUN + 125, run), *et_meter(), *settings]


def clock(at: int) -> list[Register]:
    """Year and month, day and hour, minute and second: the simulated device's clock stands still."""
    return [Register(at + index, "u16", default=word) for index, word in enumerate(NOON)]


def pv_string(at: int) -> list[Register]:
    """Volts, amperes and watts of one string."""
    return [Register(at, "u16", 0.1), Register(at + 1, "u16", 0.1), Register(at + 2, "u32")]


def grid_phase(at: int) -> list[Register]:
    """Volts, amperes, hertz and watts of one phase at the inverter."""
    return [
        Register(at, "u16", 0.1),
        Register(at + 1, "u16", 0.1),
        Register(at + 2, "u16", 0.01),
        Register(at + 4, "s16"),
    ]


class GoodweHybrid(ExportInverter):
    """47509 switches the export limit of 47510, watts."""

    def __init__(self, settings: RegisterInverter, plant: PlantInverter, world: World) -> None:
        super().__init__(settings, plant, world, et_registers(settings.rated_w))

    def check(self, values: Mapping[int, float]) -> None:
        """The switch is on or off."""
        if values.get(ET_SWITCH, 0) not in SWITCH:
            raise IllegalValue

    def export_limit(self) -> float | None:
        """Off as delivered."""
        return self.holding.get(ET_LIMIT_W) if self.holding.get(ET_SWITCH) == 1 else None

    def refresh(self, now: float) -> None:
        """A hybrid answers at night too."""
        put, power_w = self.holding.put, self.plant.power_w
        for at in (RUN + 3, RUN + 7):
            put(at, PANEL_V)
            put(at + 1, power_w / 2 / PANEL_V)
            put(at + 2, power_w / 2)
        for at, phase_w in zip(PHASE_AT, self.phases_w, strict=True):
            put(at, VOLTAGE_V)
            put(at + 1, phase_w / VOLTAGE_V)
            put(at + 2, HERTZ)
            put(at + 4, phase_w)
        put(35136, 1)
        put(INVERTER_W, power_w)
        put(SITE_W, -site_meter(self.world)[0])
        put(35172, self.world.plant.load_w)
        put(WORK_MODE, WAITING if self.night(now) else ON_GRID)
        put(35191, self.energy_wh)
        show_et_meter(self, self.world)


class GoodweHybridMeter(MakeMeter):
    """The meter of an ET."""

    def __init__(self, world: World) -> None:
        super().__init__(world, et_meter())

    def refresh(self, now: float) -> None:
        """Each phase and the sum, + export."""
        show_et_meter(self, self.world)
