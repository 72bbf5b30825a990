"""Sungrow SH, the hybrid: it keeps the site's export at a limit by itself.

From Sungrow's protocol document for hybrid inverters as public projects quote it (devices.md 4;
mkaiser's SHx map, evcc, SungrowClient). Sungrow numbers registers from 1: the protocol address is one less, and the
addresses here are protocol addresses. Input registers measure, holding registers are set; 32 bit with the low word
first; 0xFFFF is no value. A switch is 0xAA for on and 0x55 for off. What is set is kept in flash.
"""

from __future__ import annotations

from collections.abc import Mapping

from dynexport.settings.models import RegisterInverter
from dynexport.testing.plant import PlantInverter
from site_simulator.adapters.server import IllegalValue
from site_simulator.makes.unit import (
    HERTZ,
    VOLTAGE_V,
    ExportInverter,
    MakeMeter,
    RegisterUnit,
    site_meter,
)
from site_simulator.registers import Register, block, filled
from site_simulator.world import World

ON, OFF, START, STOP = 0xAA, 0x55, 0xCF, 0xCE
SERIAL, TYPE_CODE, NOMINAL, FREQUENCY = 4989, 4999, 5000, 5035
S32, U32 = "s32-low", "u32-low"
METER_W, METER_PHASE_W, EXPORT_W = 5600, 5602, 13009
EXPORT_LIMIT_W, EXPORT_SWITCH, EXPORT_RATIO, CAP_SWITCH, CAP_RATIO = 13073, 13086, 13087, 13088, 13089
HYBRID_RUN, RUNNING, STANDBY = 12999, 0x40, 0x08
SH10RT = 0x0E03
KWH_TENTH = 100.0


def kept(address: int, kind: str, scale: float, default: float | None) -> Register:
    """A register that is set and kept."""
    return Register(address, kind, scale, default, writable=True, keeps=True)


def identity(serial: str, code: int, rated_w: float, three_phases: bool) -> list[Register]:
    """Serial number, type, nominal power (0.1 kW) and output type."""
    return [
        Register(SERIAL, "u16", default=serial, text=10),
        Register(TYPE_CODE, "u16", default=code),
        Register(NOMINAL, "u16", 100.0, rated_w),
        Register(NOMINAL + 1, "u16", default=1 if three_phases else 0),
    ]


def hybrid_meter() -> list[Register]:
    """The meter of a hybrid: the sum and each phase, + import, and what is exported, + export."""
    return [*block(METER_W, "w w_a w_b w_c", S32), Register(EXPORT_W, S32)]


def hybrid_inputs(serial: str, rated_w: float, three_phases: bool) -> list[Register]:
    """What an SH measures."""
    head = [
        *identity(serial, SH10RT, rated_w, three_phases),
        Register(5003, U32, KWH_TENTH),
        Register(5016, U32),
        *block(5018, "v_a v_b v_c", "u16", 0.1),
        Register(5032, S32),
        Register(5034, "s16", 0.001),
        Register(FREQUENCY, "u16", 0.1),
    ]
    meter = [*block(METER_W, "w w_a w_b w_c", S32), *block(5621, "min max", "u16", 10.0)]
    run = [
        Register(HYBRID_RUN, "u16"),
        Register(13007, S32),
        Register(EXPORT_W, S32),
        *block(13030, "a_a a_b a_c", "s16", 0.1),
        Register(13033, S32),
        Register(13036, U32, KWH_TENTH),
        Register(13045, U32, KWH_TENTH),
    ]
    return [
        *filled(SERIAL, 5048, head, None),
        *filled(METER_W, 5628, meter, None),
        *filled(HYBRID_RUN, 13050, run, None),
    ]


class SungrowHybrid(ExportInverter):
    """13086 switches the export limit of 13073 (or of the ratio 13087, where one is set); 13088 and 13089 cap it."""

    def __init__(self, settings: RegisterInverter, plant: PlantInverter, world: World) -> None:
        rated_w = settings.rated_w
        holding = [
            kept(HYBRID_RUN, "u16", 1, START),
            kept(13049, "u16", 1, 0),
            kept(13050, "u16", 1, 0xCC),
            kept(EXPORT_LIMIT_W, "u16", 1, rated_w),
            kept(13074, "u16", 1, OFF),
            kept(EXPORT_SWITCH, "u16", 1, OFF),
            kept(EXPORT_RATIO, "u16", 0.1, None),
            kept(CAP_SWITCH, "u16", 1, OFF),
            kept(CAP_RATIO, "u16", 0.1, 100.0),
        ]
        inputs = hybrid_inputs(settings.id, rated_w, settings.phase == "abc")
        super().__init__(settings, plant, world, holding, inputs)
        self.inputs.put(5621, 0)
        self.inputs.put(5622, rated_w)

    def check(self, values: Mapping[int, float]) -> None:
        """Switches are on or off, a limit is not above the rating."""
        for address in (EXPORT_SWITCH, CAP_SWITCH):
            if values.get(address, ON) not in (ON, OFF):
                raise IllegalValue
        if values.get(HYBRID_RUN, START) not in (START, STOP) or values.get(EXPORT_LIMIT_W, 0) > self.rated_w:
            raise IllegalValue

    def export_limit(self) -> float | None:
        """Off as delivered."""
        get = self.holding.get
        if get(EXPORT_SWITCH) != ON:
            return None
        ratio_pct = get(EXPORT_RATIO)
        return get(EXPORT_LIMIT_W) if ratio_pct > 100.0 else ratio_pct / 100.0 * self.rated_w

    def limit(self, now: float) -> tuple[float | None, bool]:
        """Its cap, where that is on."""
        get = self.holding.get
        cap_w = get(CAP_RATIO) / 100.0 * self.rated_w if get(CAP_SWITCH) == ON else None
        return cap_w, get(HYBRID_RUN) == START

    def refresh(self, now: float) -> None:
        """A hybrid answers at night too."""
        put, power_w = self.inputs.put, self.plant.power_w
        put(5003, self.energy_wh)
        put(5016, power_w / 0.98)
        put(5032, 0)
        put(5034, 1)
        put(FREQUENCY, HERTZ)
        put(HYBRID_RUN, RUNNING if self.loop.running and not self.night(now) else STANDBY)
        put(13007, self.world.plant.load_w)
        put(13033, power_w)
        for index, phase_w in enumerate(self.phases_w):
            put(5018 + index, VOLTAGE_V)
            put(13030 + index, phase_w / VOLTAGE_V)
        put(13036, self.world.import_wh)
        put(13045, self.world.export_wh)
        show_hybrid_meter(self, self.world)


def show_hybrid_meter(unit: RegisterUnit, world: World) -> None:
    """Put the site meter where a hybrid has it."""
    power_w, phases_w = site_meter(world)
    for index, shown_w in enumerate((power_w, *phases_w)):
        unit.inputs.put(METER_W + 2 * index, shown_w)
    unit.inputs.put(EXPORT_W, -power_w)


class SungrowHybridMeter(MakeMeter):
    """The meter of a hybrid."""

    def __init__(self, world: World) -> None:
        super().__init__(world, (), hybrid_meter())

    def refresh(self, now: float) -> None:
        """The sum, each phase, and the export."""
        show_hybrid_meter(self, self.world)
