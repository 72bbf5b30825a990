"""The simulated site: the plant, the day, and the devices through which it is seen. One thread owns it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dynexport.clock import Clock
from dynexport.settings.models import Load, SimulatorSection, Site
from dynexport.sharing import PHASES
from dynexport.testing.plant import InverterModel, MeterModel, Plant
from dynexport.testing.plant_battery import BatteryModel, Beside, LoadModel
from site_simulator.faults import Faults
from site_simulator.profile import Day

METER = "meter"
SECONDS_PER_HOUR = 3600.0
NIGHT_PCT = 0.4
USUAL_WH = 13_500.0

Recorder = Callable[[dict[str, Any]], None]


def meter_model(settings: SimulatorSection) -> MeterModel:
    """The plant's meter from the settings."""
    return MeterModel(settings.meter_refresh_s, settings.meter_latency_s, settings.meter_noise_w)


def load_shares(site: Site, settings: SimulatorSection) -> tuple[float, ...]:
    """The part of each phase in the house load; empty for a site of one phase."""
    parts = settings.load_share_pct or (1.0, 1.0, 1.0)
    return tuple(part / sum(parts) for part in parts) if site.site.phases == 3 else ()


def beside(site: Site, settings: SimulatorSection) -> Beside:
    """The batteries that answer by Modbus, and the loads that nobody else publishes, in the order of `site.yaml`."""
    batteries = [
        BatteryModel(
            each.battery.rated_w,
            each.battery.max_charge_w or each.battery.rated_w,
            each.battery.energy_wh or USUAL_WH,
            each.battery.reserve_wh,
            settings.tau_s,
            phase=each.battery.phase or "abc",
        )
        for each in site.modbus_batteries
    ]
    loads = [
        LoadModel(each.rated_w, switched=each.control == "switch", min_w=each.min_w)
        for each in own_loads(site)
    ]
    return Beside(batteries, loads)


def own_loads(site: Site) -> list[Load]:
    """The loads whose readings nobody else publishes."""
    return [each for each in site.loads if each.topic is None]


class World:
    """Plant and day under one clock; `record` receives every write."""

    def __init__(self, site: Site, settings: SimulatorSection, clock: Clock, record: Recorder) -> None:
        self.site = site
        self.settings = settings
        self.clock = clock
        self.record = record
        self.faults = Faults()
        self.day = Day(settings.seed)
        self.started = clock.mono()
        self.load_w: float | None = settings.load_w if settings.sun == "script" else None
        self.available_pct: float | None = settings.available_pct if settings.sun == "script" else None
        models = [
            InverterModel(
                inverter.rated_w, settings.tau_s, settings.dead_time_s, settings.gain, inverter.phase
            )
            for inverter in site.inverters
        ]
        self.plant = Plant(
            models,
            load_w=self._load_w(self.started),
            load_share=load_shares(site, settings),
            meter=meter_model(settings),
            seed=settings.seed,
            start=self.started,
            beside=beside(site, settings),
        )
        stand = self.plant.beside
        ids = [each.battery.id for each in site.modbus_batteries]
        self.batteries = dict(zip(ids, stand.batteries, strict=True))
        for each in site.modbus_batteries:
            self.batteries[each.battery.id].host = next(
                (at for at, inverter in enumerate(site.inverters) if inverter.id == each.battery.inverter),
                None,
            )
        self.loads = dict(zip([each.id for each in own_loads(site)], stand.loads, strict=True))
        self.names = [inverter.id for inverter in site.inverters]
        self.energy_wh = dict.fromkeys(self.names, 0.0)
        self.import_wh = self.export_wh = 0.0
        self._script()
        self.plant.settle()

    @property
    def hour(self) -> float:
        """The hour of the simulated day."""
        elapsed_s = (self.clock.mono() - self.started) * self.settings.speed
        return (self.settings.start_hour + elapsed_s / SECONDS_PER_HOUR) % 24.0

    def advance(self) -> float:
        """Let the plant reach the present; returns the moment."""
        now = self.clock.mono()
        elapsed_h = (now - self.plant.now) / SECONDS_PER_HOUR
        self.plant.advance(now)
        for name, inverter in zip(self.names, self.plant.inverters, strict=True):
            self.energy_wh[name] += inverter.power_w * elapsed_h
        self.import_wh += max(0.0, self.plant.site_w) * elapsed_h
        self.export_wh += max(0.0, -self.plant.site_w) * elapsed_h
        self._script()
        return now

    def dark(self, now: float, inverter: str = "") -> bool:
        """Whether an inverter (all of them without a name) sleeps, with its Modbus."""
        if self.faults.has("night", inverter, now):
            return True
        if self.available_pct is not None:
            return self.available_pct < NIGHT_PCT
        return self.day.dark(self.hour)

    def act(self, name: str, device: str | None, value: float | None, for_s: float | None) -> None:
        """Carry out a request; raises KeyError for an unknown one, ValueError for a missing or impossible value."""
        now = self.advance()
        chosen = [
            inverter
            for known, inverter in zip(self.names, self.plant.inverters, strict=True)
            if device in (None, known)
        ]
        phase = name == "load_w" and device in PHASES and bool(self.plant.load_share)
        others = [METER, *self.batteries, *self.loads]
        if not chosen and device not in others and not phase:
            raise ValueError(f"no device {device}; there are {', '.join([*others, *self.names])}")
        match name:
            case "clear":
                self.faults.clear()
            case "load_w" if device in PHASES:
                self._load_of(device, self._positive(name, value))
            case "load_w" if device in self.loads:
                self.loads[device].wants_w = self._positive(name, value)
            case "soc_pct":
                for battery in (
                    [self.batteries[device]] if device in self.batteries else self.batteries.values()
                ):
                    share = min(100.0, self._positive(name, value)) / 100.0
                    battery.stored_wh = share * battery.model.energy_wh
            case "load_w":
                self.load_w = self._positive(name, value)
            case "available_pct":
                self.available_pct = min(100.0, self._positive(name, value))
            case "gain":
                for inverter in chosen:
                    inverter.model = replace(inverter.model, gain=self._positive(name, value))
            case "slow":
                for inverter in chosen:
                    inverter.model = replace(inverter.model, tau_s=max(0.05, self._positive(name, value)))
            case "noise":
                self.plant.meter = replace(self.plant.meter, noise_w=self._positive(name, value))
            case "revert":
                for inverter in chosen:
                    inverter.revert_after(now, 0.0, inverter.revert_limit_w)
            case "delay" | "scaled":
                self.faults.begin(name, device, self._positive(name, value), for_s, now)
            case _:
                self.faults.begin(name, device, value, for_s, now)
        self._script()

    @staticmethod
    def _positive(name: str, value: float | None) -> float:
        if value is None or not math.isfinite(value) or value < 0:
            raise ValueError(f"{name} needs a `value` of 0 or more, got {value}")
        return value

    def _load_of(self, phase: str, value_w: float) -> None:
        """Another load on one phase; the others keep theirs."""
        loads_w = [self.plant.load_w * share for share in self.plant.load_share]
        loads_w[PHASES.index(phase)] = value_w
        self.load_w = sum(loads_w)
        if self.load_w > 0:
            self.plant.load_share = tuple(load_w / self.load_w for load_w in loads_w)

    def _load_w(self, now: float) -> float:
        if self.load_w is not None:
            return self.load_w
        elapsed_s = (now - self.started) * self.settings.speed
        return self.day.load_w(self.settings.start_hour + elapsed_s / SECONDS_PER_HOUR)

    def _script(self) -> None:
        now = self.plant.now
        for name, battery in self.batteries.items():
            battery.deaf = self.faults.has("deaf", name, now)
        self.plant.load_w = self._load_w(now)
        share = self.available_pct / 100.0 if self.available_pct is not None else self.day.sun(self.hour)
        for name, inverter in zip(self.names, self.plant.inverters, strict=True):
            inverter.available_w = 0.0 if self.dark(now, name) else share * inverter.model.rated_w
