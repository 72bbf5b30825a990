"""An inverter of the newer SunSpec models: measured in 701, rated in 702, connected by 703, limited through 704."""

from __future__ import annotations

from collections.abc import Sequence

from dynexport.settings.models import ModbusInverter
from dynexport.testing.plant import PlantInverter
from site_simulator.devices import COMMON, HERTZ, VOLTAGE_V, Device
from site_simulator.image import BASE, Image
from site_simulator.world import World

MEASURED, CAPACITY, SERVICE, CONTROLS = 701, 702, 703, 704
SINGLE_PHASE, THREE_PHASE = 0, 2
ON, CONNECTED, GRID_FOLLOWING, MAX_W_THROTTLES = 1, 1, 1, 1
RUNNING, THROTTLED, STANDBY = 3, 4, 7
ENABLED = 1
NOT_IMPLEMENTED = 0xFFFFFFFF
LARGEST_INT16, MARGIN = 32767, 1.2
LINES = {"a": "1", "b": "2", "c": "3"}
ZEROES = (
    "WMaxLimPctEna",
    "WMaxLimPctEnaRvrt",
    "WMaxLimPctRvrtTms",
    "WMaxLimPctRvrtRem",
)


def scales(rated_w: float) -> dict[str, int]:
    """The scale factors: powers in watts, or in tens of watts and so on where 16 bits would not hold the rating."""
    power = 0
    while rated_w * MARGIN / 10**power > LARGEST_INT16:
        power += 1
    return {
        "W_SF": power, "VA_SF": power, "Var_SF": power, "A_SF": -2 + power, "V_SF": -1, "Hz_SF": -2, "TotWh_SF": 0,
        "WMaxLimPct_SF": -2, "WSet_SF": 0, "WH_SF": 0, "Pct_SF": -1, "DCW_SF": 0,
    }  # fmt: skip


class DerInverterDevice(Device):
    """When the timer of 704 runs out, the reversion values take the place of the limit and of its enabling."""

    def __init__(
        self, settings: ModbusInverter, plant: PlantInverter, world: World, more: Sequence[int] = ()
    ) -> None:
        models = [COMMON, MEASURED, CAPACITY, SERVICE, CONTROLS, *more]
        super().__init__(settings.id, world, Image(models, scales(settings.rated_w)))
        self._plant = plant
        self._lines = [LINES[phase] for phase in settings.phase]
        self._timer_runs = False
        self._describe(settings)

    @property
    def measured_model(self) -> int:
        """701."""
        return MEASURED

    def asleep(self, now: float) -> bool:
        """At night an inverter's Modbus answers nothing."""
        return self.world.dark(now, self.name)

    def write(self, address: int, values: list[int]) -> None:
        """Take a write; control registers act on the plant and are recorded."""
        now = self.world.advance()
        self._revert()
        super().write(address, values)
        written = range(address - BASE, address - BASE + len(values))
        if not any(_overlap(written, self.image.span(model)) for model in (CAPACITY, SERVICE, CONTROLS)):
            return
        conn = self.image.get(SERVICE, "ES") == ENABLED
        self._plant.command(now, self._limit_w("WMaxLimPct", "WMaxLimPctEna"), conn)
        self._plant.revert_limit_w = self._limit_w("WMaxLimPctRvrt", "WMaxLimPctEnaRvrt")
        if _overlap(written, self._limit_block()):
            self._start_timer(now)
        self._record(now, conn)

    def restart(self, now: float) -> None:
        """It comes back connected and without a limit."""
        self.image.set(SERVICE, "ES", ENABLED)
        for name in ZEROES:
            self.image.set(CONTROLS, name, 0)
        self._timer_runs = False
        self._plant.revert_after(now, None, None)
        self._plant.command(now, None)
        self._plant.power_w = 0.0

    def refresh(self) -> None:
        """Power by phase, state, connection, and what is left of the timer."""
        self._revert()
        plant, image = self._plant, self.image
        remaining_s = max(0.0, plant.revert_at - self.world.plant.now) if plant.revert_at is not None else 0.0
        image.set(CONTROLS, "WMaxLimPctRvrtRem", remaining_s)
        ceiling_w = min(plant.available_w, plant.model.rated_w)
        throttled = plant.connected and plant.limit_w is not None and plant.aim_w < ceiling_w
        image.set(MEASURED, "InvSt", (THROTTLED if throttled else RUNNING) if plant.connected else STANDBY)
        image.set(MEASURED, "ConnSt", CONNECTED if plant.connected else 0)
        image.set(MEASURED, "ThrotPct", 100.0 * (1 - plant.aim_w / plant.model.rated_w) if throttled else 0)
        image.set(MEASURED, "ThrotSrc", MAX_W_THROTTLES if throttled else 0)
        power_w = plant.power_w + sum(part.power_w for part in self.parts)
        self._measure("", power_w, len(self._lines))
        for line in self._lines:
            self._measure(f"L{line}", power_w / len(self._lines), 1)
            image.set(MEASURED, f"VL{line}", VOLTAGE_V)
        image.set(MEASURED, "TotWhInj", self.world.energy_wh[self.name] + 1.0)

    def _describe(self, settings: ModbusInverter) -> None:
        image = self.image
        for name, text in (("Mn", "Dynexport"), ("Md", "Simulated DER"), ("Vr", "1"), ("SN", settings.id)):
            image.set(COMMON, name, text)
        image.set(MEASURED, "ACType", THREE_PHASE if len(self._lines) == len(LINES) else SINGLE_PHASE)
        image.set(MEASURED, "St", ON)
        image.set(MEASURED, "Alrm", 0)
        image.set(MEASURED, "DERMode", GRID_FOLLOWING)
        image.set(MEASURED, "LNV", VOLTAGE_V)
        image.set(MEASURED, "Hz", HERTZ)
        for name in ("WMaxRtg", "VAMaxRtg", "VarMaxInjRtg", "VarMaxAbsRtg"):
            image.set(CAPACITY, name, settings.rated_w)
        for name in ("WMax", "VAMax", "VarMaxInj", "VarMaxAbs"):
            image.set(CAPACITY, name, settings.rated_w)
        image.set(CAPACITY, "CtrlModes", 1)  # MAX_W
        image.set(SERVICE, "ES", ENABLED)
        image.set(CONTROLS, "WMaxLimPct", 100.0)
        image.set(CONTROLS, "WMaxLimPctRvrt", 100.0)
        for name in ZEROES:
            image.set(CONTROLS, name, 0)

    def _measure(self, line: str, power_w: float, lines: int) -> None:
        self.image.set(MEASURED, f"W{line}", power_w)
        self.image.set(MEASURED, f"VA{line}", power_w)
        self.image.set(MEASURED, f"Var{line}", 0)
        self.image.set(MEASURED, f"A{line}", power_w / VOLTAGE_V)

    def _limit_w(self, percent: str, enabled: str) -> float | None:
        """Percent of 702 WMax in watts; None where the limit is not enabled."""
        if self.image.get(CONTROLS, enabled) != ENABLED:
            return None
        return self.image.scaled(CONTROLS, percent) / 100.0 * self.image.scaled(CAPACITY, "WMax")

    def _limit_block(self) -> range:
        return range(
            self.image.offset(CONTROLS, "WMaxLimPctEna"), self.image.offset(CONTROLS, "WMaxLimPctRvrtRem")
        )

    def _start_timer(self, now: float) -> None:
        seconds = self.image.get(CONTROLS, "WMaxLimPctRvrtTms")
        enabled = self.image.get(CONTROLS, "WMaxLimPctEna") == ENABLED
        self._timer_runs = enabled and seconds not in (0, NOT_IMPLEMENTED)
        self._plant.revert_after(now, seconds if self._timer_runs else None, self._plant.revert_limit_w)

    def _revert(self) -> None:
        """Show in the registers that the plant's timer has run out."""
        if self._timer_runs and self._plant.revert_at is None:
            self._timer_runs = False
            self.image.set(CONTROLS, "WMaxLimPct", self.image.scaled(CONTROLS, "WMaxLimPctRvrt"))
            self.image.set(CONTROLS, "WMaxLimPctEna", self.image.get(CONTROLS, "WMaxLimPctEnaRvrt"))

    def _record(self, now: float, conn: bool) -> None:
        image = self.image
        self.world.record(
            {
                "mono": now,
                "write": self.name,
                "pct": image.scaled(CONTROLS, "WMaxLimPct"),
                "ena": image.get(CONTROLS, "WMaxLimPctEna") == ENABLED,
                "conn": conn,
                "revert_s": image.get(CONTROLS, "WMaxLimPctRvrtTms"),
                "revert_pct": image.scaled(CONTROLS, "WMaxLimPctRvrt"),
                "revert_ena": image.get(CONTROLS, "WMaxLimPctEnaRvrt") == ENABLED,
            }
        )


def _overlap(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop
