"""GoodWe: the hybrid ET and the string inverter DT. Both keep the site's export at a limit by themselves.

From the registers of the `goodwe` library, which OpenEMS's driver shares where both have them (devices.md 4). All are
holding registers at protocol addresses; 32 bit with the high word first; export is positive at the meter. What is set
is kept in flash (goodwe#141). An ET answers as unit 247, a DT as 127.
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
DT_RUN, DT_METER_W, DT_POWER_W, DT_MODE = 30100, 30195, 30127, 30129
DT_SWITCH, DT_LIMIT_W, DT_START, DT_STOP, DT_LIMIT_PCT, DT_HARDWARE = 40327, 40328, 40330, 40331, 40336, 40345
WAITING, ON_GRID = 0, 1
PANEL_V = 600.0
NOON = (0x1A0B, 0x190C, 0x0000)
ALL_PERCENT = 100.0
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


def dt_registers(rated_w: float, three_phases: bool) -> list[Register]:
    """What a DT or a single-phase DNS has."""
    serial = "9010KDTU23AB0001" if three_phases else "5010KDSN23AB0001"
    info = [
        Register(30004, "u16", default=serial, text=8),
        Register(30012, "u16", default="GW10K-DT  ", text=5),
        *block(30034, "dsp1 dsp2 arm", "u16"),
    ]
    run = [
        *clock(DT_RUN),
        *block(30103, "v1 a1 v2 a2", "u16", 0.1),
        *block(30115, "ab bc ca a b c", "u16", 0.1),
        *block(30121, "a b c", "u16", 0.1),
        *block(30124, "a b c", "u16", 0.01),
        Register(DT_POWER_W, "u32"),
        Register(DT_MODE, "u16"),
        Register(30145, "u32", 100.0),
    ]
    meter = [Register(DT_METER_W, "s32"), *block(30197, "export import", "u32"), Register(30209, "u16")]
    kept = {"writable": True, "keeps": True}
    return [
        *filled(30001, 30041, info),
        *filled(DT_RUN, 30195, run),
        *filled(30195, 30210, meter),
        Register(DT_SWITCH, "u16", default=0, **kept),
        Register(DT_LIMIT_W, "u32", default=rated_w, **kept),
        Register(DT_START, "u16", default=0, writable=True),
        Register(DT_STOP, "u16", default=0, writable=True),
        Register(DT_LIMIT_PCT, "u16", default=ALL_PERCENT, **kept),
        Register(DT_HARDWARE, "u16"),
    ]


class GoodweString(ExportInverter):
    """40327 switches the export limit: 40328 in watts with one phase, 40336 in percent of its rating with three."""

    dark_at_night = True

    def __init__(self, settings: RegisterInverter, plant: PlantInverter, world: World) -> None:
        self._three = settings.phase == "abc"
        super().__init__(settings, plant, world, dt_registers(settings.rated_w, self._three))
        self._stopped = False

    def check(self, values: Mapping[int, float]) -> None:
        """The switch is on or off, a percentage at most 100."""
        if values.get(DT_SWITCH, 0) not in SWITCH or values.get(DT_LIMIT_PCT, 0) > ALL_PERCENT:
            raise IllegalValue

    def export_limit(self) -> float | None:
        """Off as delivered."""
        if self.holding.get(DT_SWITCH) != 1:
            return None
        if self._three:
            return self.holding.get(DT_LIMIT_PCT) / 100.0 * self.rated_w
        return self.holding.get(DT_LIMIT_W)

    def limit(self, now: float) -> tuple[float | None, bool]:
        """No cap; 40331 stops it, 40330 starts it."""
        return None, not self._stopped

    def obey(self, now: float, written: Mapping[int, float]) -> None:
        """Start and stop are commands, and not kept."""
        if DT_STOP in written or DT_START in written:
            self._stopped = DT_STOP in written
        super().obey(now, written)

    def refresh(self, now: float) -> None:
        """Power and state."""
        put, power_w = self.holding.put, self.plant.power_w
        for at in (30103, 30105):
            put(at, PANEL_V)
            put(at + 1, power_w / 2 / PANEL_V)
        for index, phase_w in enumerate(self.phases_w):
            put(30115 + index, VOLTAGE_V * 3**0.5)
            put(30118 + index, VOLTAGE_V)
            put(30121 + index, phase_w / VOLTAGE_V)
            put(30124 + index, HERTZ)
        put(DT_POWER_W, power_w)
        put(DT_MODE, ON_GRID if self.plant.connected else WAITING)
        put(30145, self.energy_wh)
        put(DT_METER_W, -site_meter(self.world)[0])
        put(30197, self.world.export_wh)
        put(30199, self.world.import_wh)
        put(30209, 1)
