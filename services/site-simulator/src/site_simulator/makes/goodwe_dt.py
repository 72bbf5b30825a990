"""GoodWe DT and DNS, the string inverters: they keep the site's export at a limit by themselves.

From the registers of the `goodwe` library (devices.md 4). Holding registers at protocol addresses; 32 bit with the
high word first; export is positive at the meter. What is set is kept in flash (goodwe#141). A DT answers as unit 127.
"""

from __future__ import annotations

from collections.abc import Mapping

from dynexport.settings.models import RegisterInverter
from dynexport.testing.plant import PlantInverter
from site_simulator.adapters.server import IllegalValue
from site_simulator.makes.goodwe import ON_GRID, PANEL_V, SWITCH, WAITING, clock
from site_simulator.makes.unit import HERTZ, VOLTAGE_V, ExportInverter, site_meter
from site_simulator.registers import Register, block, filled
from site_simulator.world import World

RUN, METER_W, POWER_W, MODE = 30100, 30195, 30127, 30129
LIMITS, LIMIT_W, START, STOP, LIMIT_PCT, HARDWARE = 40327, 40328, 40330, 40331, 40336, 40345
ALL_PERCENT = 100.0


def dt_registers(rated_w: float, three_phases: bool) -> list[Register]:
    """What a DT or a single-phase DNS has."""
    serial = "9010KDTU23AB0001" if three_phases else "5010KDSN23AB0001"
    info = [
        Register(30004, "u16", default=serial, text=8),
        Register(30012, "u16", default="GW10K-DT  ", text=5),
        *block(30034, "dsp1 dsp2 arm", "u16"),
    ]
    run = [
        *clock(RUN),
        *block(30103, "v1 a1 v2 a2", "u16", 0.1),
        *block(30115, "ab bc ca a b c", "u16", 0.1),
        *block(30121, "a b c", "u16", 0.1),
        *block(30124, "a b c", "u16", 0.01),
        Register(POWER_W, "u32"),
        Register(MODE, "u16"),
        Register(30145, "u32", 100.0),
    ]
    meter = [Register(METER_W, "s32"), *block(30197, "export import", "u32"), Register(30209, "u16")]
    kept = {"writable": True, "keeps": True}
    return [
        *filled(30001, 30041, info),
        *filled(RUN, 30195, run),
        *filled(30195, 30210, meter),
        Register(LIMITS, "u16", default=0, **kept),
        Register(LIMIT_W, "u32", default=rated_w, **kept),
        Register(START, "u16", default=0, writable=True),
        Register(STOP, "u16", default=0, writable=True),
        Register(LIMIT_PCT, "u16", default=ALL_PERCENT, **kept),
        Register(HARDWARE, "u16"),
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
        if values.get(LIMITS, 0) not in SWITCH or values.get(LIMIT_PCT, 0) > ALL_PERCENT:
            raise IllegalValue

    def export_limit(self) -> float | None:
        """Off as delivered."""
        if self.holding.get(LIMITS) != 1:
            return None
        if self._three:
            return self.holding.get(LIMIT_PCT) / 100.0 * self.rated_w
        return self.holding.get(LIMIT_W)

    def limit(self, now: float) -> tuple[float | None, bool]:
        """No cap; 40331 stops it, 40330 starts it."""
        return None, not self._stopped

    def obey(self, now: float, written: Mapping[int, float]) -> None:
        """Start and stop are commands, and not kept."""
        if STOP in written or START in written:
            self._stopped = STOP in written
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
        put(POWER_W, power_w)
        put(MODE, ON_GRID if self.plant.connected else WAITING)
        put(30145, self.energy_wh)
        put(METER_W, -site_meter(self.world)[0])
        put(30197, self.world.export_wh)
        put(30199, self.world.import_wh)
        put(30209, 1)
