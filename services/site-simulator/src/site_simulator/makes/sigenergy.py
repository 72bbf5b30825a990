"""Sigenergy: the plant as unit 247, which keeps the site's export at a limit by itself.

From Sigenergy's Modbus protocol as public projects quote it (devices.md 4; Sigenergy-Local-Modbus, evcc). Protocol
addresses; 32 bit with the high word first; powers are kW with a gain of 1000, so watts; import is positive at the
grid sensor. 0xFFFFFFFE is no limit. What measures answers functions 3 and 4 alike.
"""

from __future__ import annotations

from collections.abc import Mapping

from dynexport.settings.models import RegisterInverter
from dynexport.testing.plant import PlantInverter
from site_simulator.adapters.server import IllegalValue
from site_simulator.makes.unit import ExportInverter, MakeMeter, RegisterUnit, site_meter
from site_simulator.registers import Register, block, filled
from site_simulator.world import World

GRID_SENSOR, GRID_W, GRID_PHASE_W = 30004, 30005, 30052
PLANT_PHASE_W, PLANT_W, PV_W, STATE = 30015, 30031, 30035, 30051
START, REMOTE, MODE, PV_MAX, EXPORT_MAX, IMPORT_MAX, PCS_OUT_MAX = (
    40000,
    40029,
    40031,
    40036,
    40038,
    40040,
    40042,
)
UNLIMITED = 0xFFFFFFFE
STANDBY, RUNNING = 0, 1
PV_MODES = (3, 4, 5, 6)


def measured(rated_w: float) -> list[Register]:
    """30000 to 30057."""
    listed = [
        Register(GRID_SENSOR, "u16", default=1),
        Register(GRID_W, "s32"),
        Register(30007, "s32"),
        Register(30010, "u32", default=rated_w),
        Register(30012, "u32", default=rated_w),
        *block(PLANT_PHASE_W, "w_a w_b w_c var_a var_b var_c", "s32"),
        *block(PLANT_W, "w var pv ess", "s32"),
        *block(30039, "max min", "u32"),
        Register(STATE, "u16"),
        *block(GRID_PHASE_W, "w_a w_b w_c", "s32"),
    ]
    return filled(30000, 30058, listed)


def grid_sensor() -> list[Register]:
    """The site meter among them."""
    listed = [Register(GRID_SENSOR, "u16", default=1), *block(GRID_W, "w var", "s32"), Register(30009, "u16")]
    return [*listed, *block(GRID_PHASE_W, "w_a w_b w_c", "s32")]


def show_grid(unit: RegisterUnit, world: World) -> None:
    """Put the site meter into the registers of `grid_sensor`."""
    power_w, phases_w = site_meter(world)
    unit.holding.put(GRID_W, power_w)
    for index, phase_w in enumerate(phases_w):
        unit.holding.put(GRID_PHASE_W + 2 * index, phase_w)


def limits() -> list[Register]:
    """The limits, each "none" as delivered; remote control is off."""
    kept = {"writable": True, "keeps": True}
    return [
        Register(START, "u16", default=1, writable=True),
        Register(REMOTE, "u16", default=0, **kept),
        Register(MODE, "u16", default=0, **kept),
        *(
            Register(at, "u32", default=UNLIMITED, **kept)
            for at in (40032, 40034, PV_MAX, EXPORT_MAX, IMPORT_MAX, PCS_OUT_MAX, 40044)
        ),
    ]


class Sigenergy(ExportInverter):
    """40038 limits the site's export in every mode, 40042 its own output; 40036 the panels, in remote modes 3 to 6."""

    both = True

    def __init__(self, settings: RegisterInverter, plant: PlantInverter, world: World) -> None:
        super().__init__(settings, plant, world, [*measured(settings.rated_w), *limits()])

    def check(self, values: Mapping[int, float]) -> None:
        """Remote control is on or off."""
        if values.get(REMOTE, 0) not in (0, 1) or values.get(MODE, 0) not in range(7):
            raise IllegalValue

    def export_limit(self) -> float | None:
        """None as delivered."""
        return self._given(EXPORT_MAX)

    def limit(self, now: float) -> tuple[float | None, bool]:
        """The tighter of what limits its output."""
        remote = self.holding.get(REMOTE) == 1 and self.holding.get(MODE) in PV_MODES
        caps_w = [self._given(PCS_OUT_MAX), self._given(PV_MAX) if remote else None]
        return min((cap_w for cap_w in caps_w if cap_w is not None), default=None), self.holding.get(
            START
        ) == 1

    def refresh(self, now: float) -> None:
        """It answers at night too."""
        put, power_w = self.holding.put, self.plant.power_w
        for index, phase_w in enumerate(self.phases_w):
            put(PLANT_PHASE_W + 2 * index, phase_w)
        put(PLANT_W, power_w)
        put(PV_W, power_w)
        put(STATE, RUNNING if self.loop.running and not self.night(now) else STANDBY)
        show_grid(self, self.world)

    def _given(self, address: int) -> float | None:
        value = self.holding.get(address)
        return None if value >= UNLIMITED else value


class SigenergyMeter(MakeMeter):
    """The grid sensor of the plant."""

    both = True

    def __init__(self, world: World) -> None:
        super().__init__(world, grid_sensor())

    def refresh(self, now: float) -> None:
        """The sum and each phase, + import."""
        show_grid(self, self.world)
