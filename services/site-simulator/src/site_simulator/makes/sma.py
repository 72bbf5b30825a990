"""SMA Tripower CORE1: the inverter's native profile, and the meter at the grid connection that it passes on.

From SMA's Modbus parameter list of the STP CORE1 (devices.md 4, predecessor.md 4.6; the same addresses in public
copies of the list). Register numbers are protocol addresses; 32 bit with the high word first; a value that the
device has not, or has not now, is 0x80000000, 0xFFFFFFFF or 0x8000. 40210 and the other parameters of 4xxxx are in
flash, 41253 and 41255 are not.
"""

from __future__ import annotations

from collections.abc import Mapping

from dynexport.settings.models import RegisterInverter
from dynexport.testing.plant import PlantInverter
from site_simulator.adapters.server import IllegalValue
from site_simulator.makes.unit import HERTZ, VOLTAGE_V, MakeInverter, MakeMeter, site_meter
from site_simulator.registers import Register, block
from site_simulator.world import World

GRID, OPERATION = 30217, 30201
TOTAL_W, PHASE_W, PHASE_V, TOTAL_A, FREQUENCY, APPARENT = 30775, 30777, 30783, 30795, 30803, 30813
MODE, MODE_W, MODE_PCT, FAST_STOP, LIMIT_PCT, MAX_W = 40210, 40212, 40214, 41253, 41255, 40915
ABSENT, ABSENT_S, ABSENT_PCT = 41193, 41195, 41197
CLOSED, OPEN = 51, 311
OK, OFF = 307, 303
UNLIMITED, CONSTANT_W, CONSTANT_PCT, EXTERNAL = 303, 1077, 1078, 1079
STOP, START = 381, 1467
KEEP, FALL_BACK = 2506, 2507
STP50 = 9338
PLAUSIBLE = {
    MODE: (UNLIMITED, CONSTANT_W, CONSTANT_PCT, EXTERNAL),
    FAST_STOP: (STOP, START),
    ABSENT: (KEEP, FALL_BACK),
}


def inverter_registers(rated_w: float) -> list[Register]:
    """What an STP CORE1 of this rating has."""
    return [
        Register(30051, "u32", default=8001),
        Register(30053, "u32", default=STP50),
        Register(30055, "u32", default=461),
        Register(30057, "u32", default=3_012_345_678),
        Register(30059, "u32", default=0x0307_0504),
        Register(OPERATION, "u32"),
        Register(30203, "u32", default=rated_w),
        Register(GRID, "u32"),
        Register(30231, "u32", default=rated_w),
        Register(30233, "u32", default=rated_w),
        Register(30513, "u64"),
        *block(30769, "dc_a dc_v dc_w", "s32"),
        *block(TOTAL_W, "w w_a w_b w_c", "s32"),
        *block(PHASE_V, "v_a v_b v_c v_ab v_bc v_ca", "u32", 0.01),
        Register(TOTAL_A, "u32", 0.001),
        Register(FREQUENCY, "u32", 0.01),
        *block(30805, "var var_a var_b var_c", "s32"),
        *block(APPARENT, "va va_a va_b va_c", "s32"),
        *block(30977, "a_a a_b a_c", "s32", 0.001),
        *block(33025, "va_out va_in var_q1 var_q2 var_q3 var_q4", "u32"),
        *block(33037, "pf_q1 pf_q2 pf_q3 pf_q4", "u32", 0.0001),
        Register(MODE, "u32", default=UNLIMITED, writable=True, keeps=True),
        Register(MODE_W, "u32", default=rated_w, writable=True, keeps=True),
        Register(MODE_PCT, "u32", 0.01, 100.0, writable=True, keeps=True),
        Register(MAX_W, "u32", default=rated_w, writable=True, keeps=True),
        Register(ABSENT, "u32", default=KEEP, writable=True, keeps=True),
        Register(ABSENT_S, "u32", default=600, writable=True, keeps=True),
        Register(ABSENT_PCT, "u32", 0.01, 100.0, writable=True, keeps=True),
        Register(FAST_STOP, "u32", default=START, writable=True),
        Register(LIMIT_PCT, "s16", 0.01, 100.0, writable=True),
    ]


def meter_registers() -> list[Register]:
    """The measurements at the grid connection: feed-in and drawn are two values, each 0 or more."""
    return [
        *block(31253, "v_a v_b v_c", "u32", 0.01),
        *block(31259, "out_a out_b out_c in_a in_b in_c", "u32"),
        *block(31271, "var_a var_b var_c var", "s32"),
        Register(31433, "u32", 0.01),
        *block(31435, "a_a a_b a_c", "s32", 0.001),
        *block(31441, "va_a va_b va_c", "s32"),
        *block(31447, "hz v_ca v_ab v_bc", "u32", 0.01),
        Register(31455, "s32"),
        Register(30865, "s32"),
        Register(30867, "s32"),
        Register(30581, "u32"),
        Register(30583, "u32"),
    ]


def show_meter(put_to: MakeInverter | MakeMeter, world: World) -> None:
    """Put the site meter into the registers of `meter_registers`."""
    power_w, phases_w = site_meter(world)
    put = put_to.holding.put
    for index, phase_w in enumerate(phases_w):
        put(31253 + 2 * index, VOLTAGE_V)
        put(31259 + 2 * index, max(0.0, -phase_w))
        put(31265 + 2 * index, max(0.0, phase_w))
        put(31271 + 2 * index, 0)
        put(31435 + 2 * index, abs(phase_w) / VOLTAGE_V)
        put(31441 + 2 * index, abs(phase_w))
        put(31449 + 2 * index, VOLTAGE_V * 3**0.5)
    put(31433, 1)
    put(31447, HERTZ)
    put(31455, abs(power_w))
    put(30865, max(0.0, power_w))
    put(30867, max(0.0, -power_w))
    put(30581, world.import_wh)
    put(30583, world.export_wh)


class SmaInverter(MakeInverter):
    """Obeys 41255 only while 40210 says "external"; 40212 and 40214 in their own modes; 41253 always."""

    both = True

    def __init__(self, settings: RegisterInverter, plant: PlantInverter, world: World) -> None:
        super().__init__(settings, plant, world, [*inverter_registers(settings.rated_w), *meter_registers()])
        for address in (*range(33025, 33037, 2), *range(33037, 33045, 2)):
            self.holding.put(address, settings.rated_w if address < 33037 else 0.8)

    def check(self, values: Mapping[int, float]) -> None:
        """Only the words of its lists; no percentage over 100."""
        for address, value in values.items():
            if value not in PLAUSIBLE.get(address, (value,)):
                raise IllegalValue
            if address in (LIMIT_PCT, MODE_PCT, ABSENT_PCT) and abs(value) > 100.0:
                raise IllegalValue

    def limit(self, now: float) -> tuple[float | None, bool]:
        """By the mode in force; a negative percentage is none at all for a generator."""
        get = self.holding.get
        running = get(FAST_STOP) != STOP
        ways = {
            CONSTANT_W: get(MODE_W),
            CONSTANT_PCT: self._share_w(MODE_PCT),
            EXTERNAL: self._share_w(LIMIT_PCT),
        }
        limit_w = ways.get(int(get(MODE)))
        own_w = get(MAX_W)
        if limit_w is None:
            return (None if own_w >= self.rated_w else own_w), running
        return min(own_w, max(0.0, limit_w)), running

    def obey(self, now: float, written: Mapping[int, float]) -> None:
        """A percentage that was written starts the wait for the next one."""
        super().obey(now, written)
        if LIMIT_PCT in written and self.holding.get(ABSENT) == FALL_BACK:
            self.plant.revert_after(now, self.holding.get(ABSENT_S), self._share_w(ABSENT_PCT))
        elif self.holding.get(ABSENT) != FALL_BACK:
            self.plant.revert_after(now, None, None)

    def refresh(self, now: float) -> None:
        """At night there is no value for what is not there."""
        put, dark = self.holding.put, self.night(now)
        put(OPERATION, OFF if dark else OK)
        put(GRID, OPEN if dark or not self.plant.connected else CLOSED)
        put(30513, self.energy_wh)
        power_w = self.plant.power_w
        put(TOTAL_W, None if dark else power_w)
        put(30773, None if dark else power_w / 0.98)
        put(30769, None)
        put(30771, None)
        put(FREQUENCY, None if dark else HERTZ)
        put(TOTAL_A, None if dark else power_w / VOLTAGE_V)
        put(APPARENT, None if dark else power_w)
        put(30805, None if dark else 0)
        for index, phase_w in enumerate(self.phases_w):
            at = 2 * index
            put(PHASE_W + at, None if dark else phase_w)
            put(PHASE_V + at, None if dark else VOLTAGE_V)
            put(PHASE_V + 6 + at, None if dark else VOLTAGE_V * 3**0.5)
            put(30807 + at, None if dark else 0)
            put(30977 + at, None if dark else phase_w / VOLTAGE_V)
            put(APPARENT + 2 + at, None if dark else phase_w)
        show_meter(self, self.world)

    def _share_w(self, address: int) -> float:
        return self.holding.get(address) / 100.0 * self.holding.get(MAX_W)


class SmaMeter(MakeMeter):
    """The same registers alone."""

    both = True

    def __init__(self, world: World) -> None:
        super().__init__(world, meter_registers())

    def refresh(self, now: float) -> None:
        """Feed-in and drawn, by phase."""
        show_meter(self, self.world)
