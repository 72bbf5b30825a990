"""Huawei SUN2000 with its smart meter: keeps the site's export at a limit by itself.

From the registers of the `huawei-solar` library (devices.md 4). Holding registers at protocol addresses; 32 bit with
the high word first; export is positive at the meter. One client: a new one throws the other out, and for a second
after connecting nothing is answered. What is set is kept in flash.
"""

from __future__ import annotations

from collections.abc import Mapping

from dynexport.settings.models import RegisterInverter
from dynexport.testing.plant import PlantInverter
from site_simulator.adapters.server import IllegalValue, Line
from site_simulator.makes.unit import HERTZ, VOLTAGE_V, ExportInverter, MakeMeter, RegisterUnit, site_meter
from site_simulator.registers import Register, block, filled
from site_simulator.world import World

RATED, POWER_W, STATUS, METER, METER_W, METER_PHASE_W = 30073, 32080, 32089, 37100, 37113, 37132
DERATE_PCT, DERATE_W, MODE, EXPORT_MAX_W, EXPORT_MAX_PCT = 40125, 40126, 47415, 47416, 47418
UNLIMITED, SCHEDULED, ZERO, BY_WATTS, BY_PERCENT = 0, 1, 5, 6, 7
ON_GRID, ON_GRID_LIMITED, NO_SUN = 0x0200, 0x0201, 0xA000
QUIET_S = 1.0
LARGEST_PCT = 110.0


def identity(serial: str, rated_w: float) -> list[Register]:
    """30000 to 30082."""
    listed = [
        Register(30000, "u16", default="SUN2000-10KTL-M1", text=15),
        Register(30015, "u16", default=serial, text=10),
        Register(30025, "u16", default="01074311-003", text=10),
        Register(30035, "u16", default="V100R001C00SPC153", text=15),
        Register(30050, "u16", default="V100R001C00SPC153", text=15),
        Register(30070, "u16", default=428),
        *block(30071, "strings trackers", "u16"),
        *(Register(at, "u32", default=rated_w) for at in (RATED, RATED + 2, RATED + 4)),
    ]
    return filled(30000, 30083, listed)


def running() -> list[Register]:
    """32000 to 32116."""
    listed = [
        *(Register(32016 + at, "s16", scale) for at, scale in ((0, 0.1), (1, 0.01), (2, 0.1), (3, 0.01))),
        Register(32064, "s32"),
        *block(32066, "v_ab v_bc v_ca v_a v_b v_c", "u16", 0.1),
        *block(32072, "a_a a_b a_c", "s32", 0.001),
        Register(32078, "s32"),
        Register(POWER_W, "s32"),
        Register(32082, "s32"),
        Register(32084, "s16", 0.001),
        Register(32085, "u16", 0.01),
        Register(32086, "u16", 0.01),
        Register(32087, "s16", 0.1),
        Register(STATUS, "u16"),
        Register(32106, "u32", 10.0),
    ]
    return filled(32000, 32117, listed)


def meter_registers() -> list[Register]:
    """37100 to 37138."""
    listed = [
        Register(METER, "u16", default=1),
        *block(37101, "v_a v_b v_c", "s32", 0.1),
        *block(37107, "a_a a_b a_c", "s32", 0.01),
        Register(METER_W, "s32"),
        Register(37115, "s32"),
        Register(37117, "s16", 0.001),
        Register(37118, "s16", 0.01),
        *block(37119, "out in", "s32", 10.0),
        Register(37125, "u16", default=1),
        *block(37126, "v_ab v_bc v_ca", "s32", 0.1),
        *block(METER_PHASE_W, "w_a w_b w_c", "s32"),
        Register(37138, "u16", default=1),
    ]
    return filled(METER, 37139, listed)


def control(rated_w: float) -> list[Register]:
    """Derating and export limit, off as delivered; and what else a client looks for."""
    kept = {"writable": True, "keeps": True}
    return [
        Register(DERATE_PCT, "s16", 0.1, 100.0, **kept),
        Register(DERATE_W, "u32", default=rated_w, **kept),
        Register(MODE, "u16", default=UNLIMITED, **kept),
        Register(EXPORT_MAX_W, "s32", default=rated_w, **kept),
        Register(EXPORT_MAX_PCT, "s16", 0.1, 100.0, **kept),
        Register(42900, "u16", **kept),
        Register(43006, "s16", default=570, **kept),
        Register(37200, "u16"),
        Register(47000, "u16"),
        Register(47089, "u16"),
    ]


class HuaweiInverter(ExportInverter):
    """47415 says whether 47416 (watts) or 47418 (percent) limits the site's export; 40125 and 40126 derate it."""

    line = Line(serves="newest", quiet_s=QUIET_S)

    def __init__(self, settings: RegisterInverter, plant: PlantInverter, world: World) -> None:
        rated_w = settings.rated_w
        table = [*identity(settings.id, rated_w), *running(), *meter_registers(), *control(rated_w)]
        super().__init__(settings, plant, world, table)
        self.holding.put(30071, 2)
        self.holding.put(30072, 2)

    def check(self, values: Mapping[int, float]) -> None:
        """A mode of the list; at most 110 %."""
        if values.get(MODE, 0) not in (UNLIMITED, SCHEDULED, ZERO, BY_WATTS, BY_PERCENT):
            raise IllegalValue
        if max(values.get(EXPORT_MAX_PCT, 0), values.get(DERATE_PCT, 0)) > LARGEST_PCT:
            raise IllegalValue

    def export_limit(self) -> float | None:
        """By the mode; a limit below nothing would be import, which a generator cannot make."""
        get = self.holding.get
        ways = {
            ZERO: 0.0,
            BY_WATTS: get(EXPORT_MAX_W),
            BY_PERCENT: get(EXPORT_MAX_PCT) / 100.0 * self.rated_w,
        }
        return ways.get(int(get(MODE)))

    def limit(self, now: float) -> tuple[float | None, bool]:
        """Derated by the tighter of both registers."""
        derated_w = min(self.holding.get(DERATE_PCT) / 100.0 * self.rated_w, self.holding.get(DERATE_W))
        return (derated_w if derated_w < self.rated_w else None), True

    def refresh(self, now: float) -> None:
        """It answers at night too, without sun."""
        put, power_w = self.holding.put, self.plant.power_w
        for at in (32016, 32018):
            put(at, 600)
            put(at + 1, power_w / 2 / 600)
        put(32064, power_w / 0.98)
        for index, phase_w in enumerate(self.phases_w):
            put(32066 + index, VOLTAGE_V * 3**0.5)
            put(32069 + index, VOLTAGE_V)
            put(32072 + 2 * index, phase_w / VOLTAGE_V)
        put(POWER_W, power_w)
        put(32082, 0)
        put(32084, 1)
        put(32085, HERTZ)
        put(STATUS, NO_SUN if self.night(now) else ON_GRID_LIMITED if self.throttled else ON_GRID)
        put(32106, self.energy_wh)
        show_meter(self, self.world)


def show_meter(unit: RegisterUnit, world: World) -> None:
    """Put the site meter into the registers of `meter_registers`."""
    put, (power_w, phases_w) = unit.holding.put, site_meter(world)
    put(METER_W, -power_w)
    put(37115, 0)
    put(37117, 1)
    put(37118, HERTZ)
    put(37119, world.export_wh)
    put(37121, world.import_wh)
    for index, phase_w in enumerate(phases_w):
        put(37101 + 2 * index, VOLTAGE_V)
        put(37107 + 2 * index, abs(phase_w) / VOLTAGE_V)
        put(37126 + 2 * index, VOLTAGE_V * 3**0.5)
        put(METER_PHASE_W + 2 * index, -phase_w)


class HuaweiMeter(MakeMeter):
    """The smart meter of a SUN2000."""

    def __init__(self, world: World) -> None:
        super().__init__(world, meter_registers())

    def refresh(self, now: float) -> None:
        """The sum and each phase, + export."""
        show_meter(self, self.world)
