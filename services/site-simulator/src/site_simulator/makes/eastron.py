"""Eastron SDM meters: floats of 32 bit among the input registers, high word first, + import.

From Eastron's protocol documents of the SDM630, SDM120 and SDM72D-M-2 (devices.md 5). A request for more than the
meter takes at once (80 registers; some SDM72 only 10) is refused with exception 3.
"""

from __future__ import annotations

from site_simulator.makes.unit import HERTZ, VOLTAGE_V, MakeMeter, site_meter
from site_simulator.registers import Register, block
from site_simulator.world import World

VOLTS, AMPS, WATTS, VA, VAR, FACTOR = 0x00, 0x06, 0x0C, 0x12, 0x18, 0x1E
MEAN_V, SUM_A, TOTAL_W, TOTAL_VA, TOTAL_VAR, TOTAL_FACTOR = 0x2A, 0x30, 0x34, 0x38, 0x3C, 0x3E
FREQUENCY, IMPORT_KWH, EXPORT_KWH = 0x46, 0x48, 0x4A
TOTAL_KWH = 0x156
ONE_PHASE = (VOLTS, AMPS, WATTS, VA, VAR, FACTOR)
WH_PER_KWH = 1000.0
PARITY_AND_STOP, NODE, BAUD = 0x12, 0x14, 0x1C


def settings_registers() -> list[Register]:
    """The holding registers: the line's settings, floats too."""
    return [
        Register(PARITY_AND_STOP, "f32", default=0, writable=True, keeps=True),
        Register(NODE, "f32", default=1, writable=True, keeps=True),
        Register(BAUD, "f32", default=2, writable=True, keeps=True),
    ]


class Sdm630(MakeMeter):
    """Three phases; a table without gaps from 0x00 to 0x4B."""

    longest_read = 80

    def __init__(self, world: World) -> None:
        inputs = [*block(0, " ".join(["value"] * 38), "f32"), Register(TOTAL_KWH, "f32")]
        super().__init__(world, settings_registers(), inputs)

    def refresh(self, now: float) -> None:
        """Each phase and the sum."""
        put, (power_w, phases_w) = self.inputs.put, site_meter(self.world)
        for index, phase_w in enumerate(phases_w):
            at = 2 * index
            put(VOLTS + at, VOLTAGE_V)
            put(AMPS + at, abs(phase_w) / VOLTAGE_V)
            put(WATTS + at, phase_w)
            put(VA + at, abs(phase_w))
            put(VAR + at, 0)
            put(FACTOR + at, 1)
        put(MEAN_V, VOLTAGE_V)
        put(SUM_A, sum(abs(phase_w) for phase_w in phases_w) / VOLTAGE_V)
        put(TOTAL_W, power_w)
        put(TOTAL_VA, abs(power_w))
        put(TOTAL_VAR, 0)
        put(TOTAL_FACTOR, 1)
        put(FREQUENCY, HERTZ)
        put(IMPORT_KWH, self.world.import_wh / WH_PER_KWH)
        put(EXPORT_KWH, self.world.export_wh / WH_PER_KWH)
        put(TOTAL_KWH, (self.world.import_wh + self.world.export_wh) / WH_PER_KWH)


class Sdm72(Sdm630):
    """An SDM72D-M-2 of the kind that takes ten registers at once, no more."""

    longest_read = 10


class Sdm120(MakeMeter):
    """One phase: its values stand 6 registers apart, and between them there is nothing."""

    longest_read = 80

    def __init__(self, world: World) -> None:
        single = [Register(address, "f32") for address in ONE_PHASE]
        inputs = [
            *single,
            *(Register(address, "f32") for address in (FREQUENCY, IMPORT_KWH, EXPORT_KWH, TOTAL_KWH)),
        ]
        super().__init__(world, settings_registers(), inputs)

    def refresh(self, now: float) -> None:
        """The whole site on its one phase."""
        put, (power_w, _) = self.inputs.put, site_meter(self.world)
        values = (VOLTAGE_V, abs(power_w) / VOLTAGE_V, power_w, abs(power_w), 0.0, 1.0)
        for address, value in zip(ONE_PHASE, values, strict=True):
            put(address, value)
        put(FREQUENCY, HERTZ)
        put(IMPORT_KWH, self.world.import_wh / WH_PER_KWH)
        put(EXPORT_KWH, self.world.export_wh / WH_PER_KWH)
        put(TOTAL_KWH, (self.world.import_wh + self.world.export_wh) / WH_PER_KWH)
