"""Sungrow SG, the string inverter: its output is limited in tenths of a percent.

From Sungrow's protocol document for string inverters as public projects quote it (devices.md 4; evcc, mkaiser's map
of an SG). Numbers, word order, switches and flash are as with the hybrid. At night its Modbus is dark.
"""

from __future__ import annotations

from collections.abc import Mapping

from dynexport.settings.models import RegisterInverter
from dynexport.testing.plant import PlantInverter
from site_simulator.adapters.server import IllegalValue
from site_simulator.makes.sungrow import FREQUENCY, OFF, ON, S32, SERIAL, START, STOP, U32, identity, kept
from site_simulator.makes.unit import HERTZ, VOLTAGE_V, MakeInverter
from site_simulator.registers import Register, block, filled
from site_simulator.world import World

RUN, SWITCH, LIMIT, POWER_W, STATE = 5005, 5006, 5007, 5030, 5037
RUNS, STOPPED, DERATED, LARGEST_PCT = 0, 0x8000, 0x8100, 110.0
SG10RT = 0x243E


class SungrowString(MakeInverter):
    """5006 switches the limit of 5007, tenths of a percent of its rating; 5005 starts and stops it."""

    dark_at_night = True

    def __init__(self, settings: RegisterInverter, plant: PlantInverter, world: World) -> None:
        listed = [
            *identity(settings.id, SG10RT, settings.rated_w, settings.phase == "abc"),
            Register(5003, U32, 1000.0),
            Register(5008, U32),
            Register(5016, U32),
            *block(5018, "v_a v_b v_c", "u16", 0.1),
            *block(5021, "a_a a_b a_c", "u16", 0.1),
            Register(POWER_W, U32),
            Register(5032, S32),
            Register(5034, "s16", 0.001),
            Register(FREQUENCY, "u16", 0.1),
            Register(STATE, "u16"),
            Register(5080, U32),
        ]
        holding = [
            kept(RUN, "u16", 1, START),
            kept(SWITCH, "u16", 1, OFF),
            kept(LIMIT, "u16", 0.1, 100.0),
        ]
        super().__init__(settings, plant, world, holding, filled(SERIAL, 5114, listed, None))

    def check(self, values: Mapping[int, float]) -> None:
        """At most 110 %; switches are on or off."""
        if values.get(LIMIT, 0) > LARGEST_PCT or values.get(SWITCH, ON) not in (ON, OFF):
            raise IllegalValue
        if values.get(RUN, START) not in (START, STOP):
            raise IllegalValue

    def limit(self, now: float) -> tuple[float | None, bool]:
        """Off as delivered."""
        get = self.holding.get
        limit_w = get(LIMIT) / 100.0 * self.rated_w if get(SWITCH) == ON else None
        return limit_w, get(RUN) == START

    def refresh(self, now: float) -> None:
        """Power and state."""
        put, power_w = self.inputs.put, self.plant.power_w
        put(5003, self.energy_wh)
        put(5008, power_w)
        put(5016, power_w / 0.98)
        put(POWER_W, power_w)
        put(5032, 0)
        put(5034, 1)
        put(FREQUENCY, HERTZ)
        put(STATE, DERATED if self.throttled else RUNS if self.plant.connected else STOPPED)
        put(5080, 0)
        for index, phase_w in enumerate(self.phases_w):
            put(5018 + index, VOLTAGE_V)
            put(5021 + index, phase_w / VOLTAGE_V)
