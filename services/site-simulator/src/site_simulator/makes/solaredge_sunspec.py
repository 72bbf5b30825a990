"""The SunSpec part of a SolarEdge inverter: models 1 and 103 at 40000, and its meter's 1 and 203 at 40121.

Addresses and types from SolarEdge's document, in which each common model has 65 registers (no pad), so that the
inverter's model begins at 40069. Exported power is positive at the meter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from site_simulator.makes.unit import HERTZ, VOLTAGE_V, site_meter
from site_simulator.registers import Register, RegisterMap, block
from site_simulator.world import World

if TYPE_CHECKING:
    from site_simulator.makes.solaredge import SolarEdgeInverter

SUNSPEC_ID, COMMON, COMMON_LENGTH = 0x53756E53, 1, 65
INVERTER, INVERTER_LENGTH, METER, METER_LENGTH = 103, 50, 203, 105
INVERTER_AT, METER_COMMON_AT, METER_AT, END_AT = 40069, 40121, 40188, 40295
SLEEPING, MPPT, THROTTLED = 2, 4, 5
INVERTER_SCALES = {40075: -2, 40082: -1, 40084: 0, 40086: -2, 40088: 0, 40090: 0, 40092: -2, 40095: 0, 40097: -2,
                   40099: -1, 40101: 0, 40106: -2}  # fmt: skip
METER_SCALES = {
    40194: -2,
    40203: -1,
    40205: -2,
    40210: 0,
    40215: 0,
    40220: 0,
    40225: -2,
    40242: 0,
    40259: 0,
    40292: 0,
}


def common(at: int, names: tuple[str, str, str, str, str], unit: int) -> list[Register]:
    """A common model: maker, model, option, version, serial number, and the unit id."""
    sizes = (16, 16, 8, 8, 16)
    table = [Register(at, "u16", default=COMMON), Register(at + 1, "u16", default=COMMON_LENGTH)]
    at += 2
    for name, size in zip(names, sizes, strict=True):
        table.append(Register(at, "u16", default=name, text=size))
        at += size
    return [*table, Register(at, "u16", default=unit)]


def inverter_registers(serial: str, unit: int) -> list[Register]:
    """Models 1 and 103."""
    factors = [Register(at, "s16", default=factor) for at, factor in INVERTER_SCALES.items()]
    return [
        Register(40000, "u32", default=SUNSPEC_ID),
        *common(40002, ("SolarEdge", "SE10K", "", "0004.0020.0021", serial), unit),
        Register(INVERTER_AT, "u16", default=INVERTER),
        Register(INVERTER_AT + 1, "u16", default=INVERTER_LENGTH),
        *block(40071, "a a_a a_b a_c", "u16", 0.01),
        *block(40076, "v_ab v_bc v_ca v_a v_b v_c", "u16", 0.1),
        Register(40083, "s16"),
        Register(40085, "u16", 0.01),
        *(Register(at, "s16") for at in (40087, 40089)),
        Register(40091, "s16", 0.01),
        Register(40093, "u32"),
        Register(40096, "u16", 0.01),
        Register(40098, "u16", 0.1),
        Register(40100, "s16"),
        *(Register(at, "s16", 0.01, None) for at in (40102, 40103, 40104, 40105)),
        *block(40107, "state vendor", "u16"),
        *block(40109, "event event vendor vendor vendor vendor", "u32"),
        *factors,
    ]


def meter_registers(unit: int) -> list[Register]:
    """Models 1 and 203 of the meter, and the end of the chain."""
    factors = [Register(at, "s16", default=factor) for at, factor in METER_SCALES.items()]
    names = ("SolarEdge", "SE-MTR-3Y-400V-A", "Export+Import", "27", "606123456")
    return [
        *common(METER_COMMON_AT, names, unit),
        Register(METER_AT, "u16", default=METER),
        Register(METER_AT + 1, "u16", default=METER_LENGTH),
        *block(40190, "a a_a a_b a_c", "s16", 0.01),
        *block(40195, "v v_a v_b v_c v_ll v_ab v_bc v_ca", "s16", 0.1),
        Register(40204, "s16", 0.01),
        *block(40206, "w w_a w_b w_c", "s16"),
        *block(40211, "va va_a va_b va_c", "s16"),
        *block(40216, "var var_a var_b var_c", "s16"),
        *block(40221, "pf pf_a pf_b pf_c", "s16", 0.01),
        *block(40226, "out out_a out_b out_c in in_a in_b in_c", "u32"),
        *block(40243, "vah " * 8, "u32"),
        *block(40260, "varh " * 16, "u32"),
        Register(40293, "u32"),
        *factors,
        Register(END_AT, "u16", default=None),
        Register(END_AT + 1, "u16"),
    ]


def show_inverter(inverter: SolarEdgeInverter, now: float) -> None:
    """Put the inverter's present into model 103; at night it sleeps, and answers."""
    put, power_w = inverter.holding.put, inverter.plant.power_w
    put(40071, power_w / VOLTAGE_V)
    for index, phase_w in enumerate(inverter.phases_w):
        put(40072 + index, phase_w / VOLTAGE_V)
        put(40076 + index, VOLTAGE_V * 3**0.5)
        put(40079 + index, VOLTAGE_V)
    put(40083, power_w)
    put(40085, HERTZ)
    put(40087, power_w)
    put(40089, 0)
    put(40091, 1)
    put(40093, inverter.energy_wh)
    put(40098, 750)
    put(40096, power_w / 750)
    put(40100, power_w / 0.98)
    put(40107, SLEEPING if inverter.night(now) else THROTTLED if inverter.throttled else MPPT)


def show_meter(holding: RegisterMap, world: World) -> None:
    """Put the site meter into model 203, + export."""
    put, (power_w, phases_w) = holding.put, site_meter(world)
    for index, shown_w in enumerate((power_w, *phases_w)):
        put(40190 + index, abs(shown_w) / VOLTAGE_V)
        put(40195 + index, VOLTAGE_V)
        put(40199 + index, None)
        put(40206 + index, -shown_w)
        put(40211 + index, abs(shown_w))
        put(40216 + index, 0)
        put(40221 + index, 1)
    put(40204, HERTZ)
    put(40226, world.export_wh)
    put(40234, world.import_wh)
