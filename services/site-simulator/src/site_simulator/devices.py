"""The devices as Modbus units: SunSpec images that show the plant, and take its commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dynexport.settings.models import ModbusInverter, SunSpecInverter
from dynexport.testing.plant import PlantInverter
from site_simulator.faults import Fault
from site_simulator.image import BASE, Image
from site_simulator.served import DYNAMIC_FAULTS, Served
from site_simulator.world import METER, World

COMMON, NAMEPLATE, SETTINGS, STATUS, CONTROLS = 1, 120, 121, 122, 123
INVERTER = {"integer": 103, "float": 113}
METER_MODEL = {"integer": 203, "float": 213, "der": 203}
SLEEPING, MPPT, THROTTLED = 2, 4, 5
CONNECTED, AVAILABLE, OPERATING = 1, 2, 4
VOLTAGE_V, HERTZ = 230.0, 50.0
SCALES = {
    "W_SF": 0, "A_SF": -2, "V_SF": -1, "Hz_SF": -2, "VA_SF": 0, "VAr_SF": 0, "VAR_SF": 0, "PF_SF": -2, "WH_SF": 0,
    "TotWh_SF": 0, "WRtg_SF": 1, "VARtg_SF": 1, "VArRtg_SF": 1, "ARtg_SF": -1, "WMax_SF": 0, "VAMax_SF": 0,
    "WChaMax_SF": 0, "WChaDisChaGra_SF": 0, "MinRsvPct_SF": -1, "ChaState_SF": -1, "InOutWRte_SF": -2, "SoC_SF": -1,
    "WHRtg_SF": 0, "WChaDisChaMax_SF": 0, "MaxChaRte_SF": 0, "MaxDisChaRte_SF": 0, "Pct_SF": -1, "DCW_SF": 0,
    "VRef_SF": 0, "VRefOfs_SF": 0, "WAval_SF": 0, "WMaxLimPct_SF": -2, "OutPFSet_SF": -2, "Tmp_SF": 0,
}  # fmt: skip


class Part(Protocol):
    """Something more in a device's image: a battery."""

    @property
    def power_w(self) -> float:
        """What it adds to the device's AC side, watts + generation."""
        ...

    def refresh(self) -> None:
        """Put the present into the image."""
        ...

    def written(self, registers: range) -> None:
        """These registers of the image were written."""
        ...


class Device(Served):
    """A unit whose SunSpec image is made anew at each read, unless it is frozen."""

    def __init__(self, name: str, world: World, image: Image) -> None:
        super().__init__(name, world)
        self.image = image
        self.parts: list[Part] = []

    def read(self, address: int, count: int) -> list[int]:
        """Registers as they are now, or as a fault shows them."""
        now = self.world.advance()
        faults = self.world.faults
        if not faults.has("frozen", self.name, now):
            self.refresh()
            for part in self.parts:
                part.refresh()
        registers = self.image.read(address, count)
        for name in DYNAMIC_FAULTS:
            fault = faults.get(name, self.name, now)
            if fault is not None:
                return self._distort(name, self._damaged(fault), address, registers)
        return registers

    def write(self, address: int, values: list[int]) -> None:
        """Take a write."""
        self.image.write(address, values)
        for part in self.parts:
            part.written(range(address - BASE, address - BASE + len(values)))

    def refresh(self) -> None:
        """Put the present into the image."""
        raise NotImplementedError

    def _damaged(self, fault: Fault) -> int:
        """The model whose registers a fault damages: that of `value`, else the one of the measurements."""
        asked = int(fault.value or 0)
        return asked if asked in self.image.models else self.measured_model

    def _distort(self, fault: str, model_id: int, address: int, registers: list[int]) -> list[int]:
        """Damage the values but leave the headers, so that the map is still found."""
        span = self.image.span(model_id)
        start = address - BASE
        inside = [index for index in range(len(registers)) if span.start + 2 <= start + index < span.stop]
        if fault in ("sentinel", "all_ones"):
            value = 0x8000 if fault == "sentinel" else 0xFFFF
            return [value if index in inside else register for index, register in enumerate(registers)]
        absurd = 0x7FFF if fault == "absurd_scale" else 0
        factors = {self.image.offset(model_id, name) - start for name in self.image.scale_names(model_id)}
        return [absurd if index in factors else register for index, register in enumerate(registers)]

    @property
    def measured_model(self) -> int:
        """The model that carries its measurements."""
        raise NotImplementedError


class InverterDevice(Device):
    """An inverter: its limit and its connection go to the plant."""

    def __init__(
        self, settings: ModbusInverter, plant: PlantInverter, world: World, more: Sequence[int] = ()
    ) -> None:
        self._model = INVERTER[world.settings.map]
        image = Image([COMMON, self._model, NAMEPLATE, SETTINGS, STATUS, CONTROLS, *more], SCALES)
        super().__init__(settings.id, world, image)
        self._plant = plant
        self._keeps = isinstance(settings, SunSpecInverter) and settings.limit_persists
        self._revert_at: float | None = None
        for name, text in (("Mn", "Dynexport"), ("Md", "Simulator"), ("Vr", "1"), ("SN", settings.id)):
            image.set(COMMON, name, text)
        image.set(NAMEPLATE, "DERTyp", 4)
        image.set(NAMEPLATE, "WRtg", settings.rated_w)
        image.set(NAMEPLATE, "VARtg", settings.rated_w)
        image.set(SETTINGS, "WMax", settings.rated_w)
        image.set(SETTINGS, "VAMax", settings.rated_w)
        image.set(CONTROLS, "Conn", 1)
        image.set(CONTROLS, "WMaxLimPct", 100.0)
        for name in ("WMaxLimPct_WinTms", "WMaxLimPct_RvrtTms", "WMaxLimPct_RmpTms", "WMaxLim_Ena"):
            image.set(CONTROLS, name, 0)

    @property
    def measured_model(self) -> int:
        """103 or 113."""
        return self._model

    def asleep(self, now: float) -> bool:
        """At night an inverter's Modbus answers nothing."""
        return self.world.dark(now, self.name)

    def write(self, address: int, values: list[int]) -> None:
        """Take a write; control registers act on the plant and are recorded."""
        now = self.world.advance()
        super().write(address, values)
        start = address - BASE
        span = self.image.span(CONTROLS)
        if start >= span.stop or start + len(values) <= span.start:
            return
        enabled = self.image.get(CONTROLS, "WMaxLim_Ena") == 1
        percent = self.image.get(CONTROLS, "WMaxLimPct") / 100.0
        connected = self.image.get(CONTROLS, "Conn") != 0
        rated_w = self._plant.model.rated_w
        self._plant.command(now, percent / 100.0 * rated_w if enabled else None, connected)
        revert_s = self.image.get(CONTROLS, "WMaxLimPct_RvrtTms")
        self._revert_at = now + revert_s if enabled and revert_s not in (0, 0xFFFF) else None
        self._plant.revert_after(now, revert_s if self._revert_at else None, None)
        self.world.record(
            {
                "mono": now,
                "write": self.name,
                "pct": percent,
                "ena": enabled,
                "conn": connected,
                "revert_s": revert_s,
            }
        )

    def restart(self, now: float) -> None:
        """It comes back without a limit, unless the owner says that its limit is in flash."""
        if not self._keeps:
            for name in ("WMaxLim_Ena", "WMaxLimPct_RvrtTms"):
                self.image.set(CONTROLS, name, 0)
            self.image.set(CONTROLS, "WMaxLimPct", 100.0)
            self._revert_at = None
            self._plant.revert_after(now, None, None)
            self._plant.command(now, None)
        self._plant.power_w = 0.0

    def refresh(self) -> None:
        """Power, state, available power; a timer that has run out disables the limit, as a real 123 does."""
        plant, image, now = self._plant, self.image, self.world.plant.now
        if self._revert_at is not None and now >= self._revert_at:
            image.set(CONTROLS, "WMaxLim_Ena", 0)
            self._revert_at = None
        throttled = plant.limit_w is not None and plant.aim_w < min(plant.available_w, plant.model.rated_w)
        power_w = plant.power_w + sum(part.power_w for part in self.parts)
        image.set(self._model, "W", power_w)
        image.set(self._model, "VAr", 0)
        image.set(self._model, "A", power_w / VOLTAGE_V)
        for phase in "ABC":
            image.set(self._model, f"PhVph{phase}", VOLTAGE_V)
        image.set(self._model, "Hz", HERTZ)
        image.set(self._model, "WH", self.world.energy_wh[self.name] + 1.0)
        image.set(self._model, "St", THROTTLED if throttled else MPPT)
        operating = OPERATING if plant.power_w > 0 else 0
        image.set(STATUS, "PVConn", (CONNECTED if plant.connected else 0) | AVAILABLE | operating)
        image.set(STATUS, "WAval", min(plant.available_w, plant.model.rated_w))


class MeterDevice(Device):
    """The site meter."""

    def __init__(self, world: World) -> None:
        self._model = METER_MODEL[world.settings.map]
        super().__init__(METER, world, Image([COMMON, self._model], SCALES))
        for name, text in (("Mn", "Dynexport"), ("Md", "Simulated meter"), ("Vr", "1"), ("SN", METER)):
            self.image.set(COMMON, name, text)

    @property
    def measured_model(self) -> int:
        """203 or 213."""
        return self._model

    def refresh(self) -> None:
        """Power + import, its phases (one: all on A); counters."""
        world, image = self.world, self.image
        shown = world.plant.read_meter()
        factor = _factor(world)
        power_w = factor * shown.power_w
        image.set(self._model, "W", power_w)
        for phase, phase_w in zip("ABC", shown.phases_w or (shown.power_w, 0.0, 0.0), strict=True):
            image.set(self._model, f"Wph{phase}", factor * phase_w)
            image.set(self._model, f"PhVph{phase}", VOLTAGE_V)
        image.set(self._model, "A", power_w / VOLTAGE_V)
        image.set(self._model, "VAR", 0)
        image.set(self._model, "Hz", HERTZ)
        image.set(self._model, "TotWhImp", world.import_wh + 1.0)
        image.set(self._model, "TotWhExp", world.export_wh + 1.0)


def _factor(world: World) -> float:
    """What a wrong wiring or unit makes of each power."""
    scaled = world.faults.get("scaled", METER, world.plant.now)
    factor = 1.0 if scaled is None or scaled.value is None else scaled.value
    return -factor if world.faults.has("reversed", METER, world.plant.now) else factor
