"""Carlo Gavazzi EM24 and EM340: 32 bit integers with the low word first, tenths of a watt, + import.

From Carlo Gavazzi's Modbus documents (devices.md 5; the same addresses in Victron's driver). Functions 3 and 4 read
the same table, which has no gaps from 0x00 to 0x4F.
"""

from __future__ import annotations

from site_simulator.makes.unit import HERTZ, VOLTAGE_V, MakeMeter, site_meter
from site_simulator.registers import Register, block, filled
from site_simulator.world import World

VOLTS, LINE_VOLTS, AMPS, WATTS, VA, VAR = 0x00, 0x06, 0x0C, 0x12, 0x18, 0x1E
MEAN_V, MEAN_LINE_V, TOTAL_W, TOTAL_VA, TOTAL_VAR = 0x24, 0x26, 0x28, 0x2A, 0x2C
FACTOR, TOTAL_FACTOR, FREQUENCY, IMPORT_KWH, EXPORT_KWH = 0x2E, 0x31, 0x33, 0x34, 0x4E
CODE = 0x0B
WH_PER_KWH = 1000.0
KIND, STOP = "s32-low", 0x50


def table() -> list[Register]:
    """What both meters measure."""
    listed = [
        *block(VOLTS, "a b c ab bc ca", KIND, 0.1),
        *block(AMPS, "a b c", KIND, 0.001),
        *block(WATTS, "w w w va va va var var var v v_line w va var", KIND, 0.1),
        *block(FACTOR, "a b c all", "s16", 0.001),
        Register(FREQUENCY, "u16", 0.1),
        Register(IMPORT_KWH, KIND, 0.1),
        Register(EXPORT_KWH, KIND, 0.1),
    ]
    return filled(VOLTS, STOP, listed)


class Em24(MakeMeter):
    """Each phase and the sum; `code` is what the meter says that it is."""

    both = True
    code = 1648

    def __init__(self, world: World) -> None:
        super().__init__(world, table())

    def read(self, address: int, count: int) -> list[int]:
        """The table; but a read of 0x0B alone is answered with the code of the model."""
        return [self.code] if (address, count) == (CODE, 1) else super().read(address, count)

    def read_input(self, address: int, count: int) -> list[int]:
        """Likewise."""
        return self.read(address, count)

    def refresh(self, now: float) -> None:
        """What the site meter shows."""
        put, (power_w, phases_w) = self.holding.put, site_meter(self.world)
        for index, phase_w in enumerate(phases_w):
            at = 2 * index
            put(VOLTS + at, VOLTAGE_V)
            put(LINE_VOLTS + at, VOLTAGE_V * 3**0.5)
            put(AMPS + at, abs(phase_w) / VOLTAGE_V)
            put(WATTS + at, phase_w)
            put(VA + at, abs(phase_w))
            put(VAR + at, 0)
            put(FACTOR + index, 1)
        put(MEAN_V, VOLTAGE_V)
        put(MEAN_LINE_V, VOLTAGE_V * 3**0.5)
        put(TOTAL_W, power_w)
        put(TOTAL_VA, abs(power_w))
        put(TOTAL_VAR, 0)
        put(TOTAL_FACTOR, 1)
        put(FREQUENCY, HERTZ)
        put(IMPORT_KWH, self.world.import_wh / WH_PER_KWH)
        put(EXPORT_KWH, self.world.export_wh / WH_PER_KWH)


class Em340(Em24):
    """The same table under another code."""

    code = 341
