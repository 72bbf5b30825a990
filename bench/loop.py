"""The control law against the plant, without sockets: what the robustness matrix and `make soak` run.

It stands in for the services around the law: polls at their own phases, the writer's rationing of control.md.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dynexport.messages import InverterState
from dynexport.testing.plant import InverterModel, MeterModel, Plant
from limit_engine.control import Bounds, ControlLaw, Decision, Plan

COMMUNICATION_S = 0.005


@dataclass(slots=True)
class Loop:
    """One simulated site under the law; `step` lets time pass to the next poll.

    With `load_share` it has three phases; `meter_phases` False is a meter that does not tell them apart. `islanded`
    cuts it off from the grid: the meter shows 0, and says why unless `told` is False. `lies`: it is said
    of a site on the grid.
    """

    inverters: list[InverterModel]
    meter: MeterModel
    load_w: float = 5000.0
    poll_s: float = 0.2
    seed: int = 1
    bounds: Bounds = field(default_factory=lambda: Bounds(1500.0))
    plan: Plan | None = None
    ready: bool = True
    meter_alive: bool = True
    meter_phases: bool = True
    islanded: bool = False
    told: bool = True
    lies: bool = False
    load_share: Sequence[float] = ()
    distort: Callable[[float], float] | None = None
    distort_phases: Callable[[tuple[float, ...]], tuple[float, ...]] | None = None
    silent: set[str] = field(default_factory=set)

    plant: Plant = field(init=False)
    law: ControlLaw = field(init=False)
    decision: Decision | None = field(init=False, default=None)
    trace: list[tuple[float, float]] = field(init=False, default_factory=list)
    phase_trace: list[tuple[float, ...]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        rng = random.Random(self.seed)
        names = [f"i{index}" for index in range(len(self.inverters))]
        self.plant = Plant(
            self.inverters,
            load_w=self.load_w,
            load_share=self.load_share,
            meter=self.meter,
            seed=self.seed,
        )
        for inverter in self.plant.inverters:
            inverter.command(0.0, 0.0)
        self.plant.settle()
        rated = {name: model.rated_w for name, model in zip(names, self.inverters, strict=True)}
        feeds = {name: model.phase for name, model in zip(names, self.inverters, strict=True)}
        self.law = ControlLaw(self.plan or Plan(rated, meter_period_s=self.poll_s, feeds=feeds))
        self._polls = [(rng.uniform(0, self.poll_s), name) for name in ["", *names]]
        self._written: dict[str, tuple[float, float]] = dict.fromkeys(names, (-math.inf, 0.0))
        self._index = {name: index for index, name in enumerate(names)}

    _polls: list[tuple[float, str]] = field(init=False)
    _written: dict[str, tuple[float, float]] = field(init=False)
    _index: dict[str, int] = field(init=False)

    def run(self, seconds: float) -> None:
        """Let `seconds` pass, poll by poll; the true export is traced at every poll."""
        end = self.plant.now + seconds
        while self._polls and min(self._polls)[0] <= end:
            self.step()
        self.plant.advance(end)

    def step(self) -> None:
        """The next poll, and the law's answer to it."""
        moment, name = min(self._polls)
        self._polls[self._polls.index((moment, name))] = (moment + self.poll_s, name)
        self.plant.advance(moment)
        self.trace.append((moment, -self.plant.site_w))
        if self.load_share:
            self.phase_trace.append(tuple(-power_w for power_w in self.plant.phases_w))
        if name == "":
            self._read_meter(moment)
        elif name not in self.silent:
            self._read_inverter(moment, name)
        self.decision = self.law.decide(self.bounds, moment, ready=self.ready)
        self._write(moment + COMMUNICATION_S)

    def _read_meter(self, moment: float) -> None:
        if self.meter_alive:
            shown = self.plant.read_meter()
            power_w = self.distort(shown.power_w) if self.distort else shown.power_w
            phases_w = shown.phases_w if self.meter_phases else ()
            phases_w = self.distort_phases(phases_w) if self.distort_phases else phases_w
            power_w = sum(phases_w) if self.distort_phases else power_w
            if self.islanded:
                power_w, phases_w = 0.0, tuple(0.0 for _ in phases_w)
            islanded = (self.islanded and self.told) or self.lies
            self.law.hear_meter(moment, moment, power_w, phases_w=phases_w, islanded=islanded)

    def _read_inverter(self, moment: float, name: str) -> None:
        inverter = self.plant.inverters[self._index[name]]
        curtailed = inverter.limit_w is not None and inverter.aim_w < min(
            inverter.available_w, inverter.model.rated_w
        )
        state = InverterState.THROTTLED if curtailed else InverterState.MPPT
        self.law.hear_inverter(name, moment, moment, inverter.power_w, state)

    def _write(self, moment: float) -> None:
        assert self.decision is not None
        for name, command_w in self.decision.commands_w.items():
            inverter = self.plant.inverters[self._index[name]]
            rated_w = inverter.model.rated_w
            wanted_w = math.floor(min(1.0, command_w / rated_w) * 10_000) / 10_000 * rated_w
            at, written_w = self._written[name]
            tightening = written_w - wanted_w > 0.005 * rated_w
            dead_w = 0.002 * rated_w / len(self.inverters)
            if tightening or (moment - at >= 1.0 and (wanted_w < written_w or wanted_w > written_w + dead_w)):
                self._written[name] = (moment, wanted_w)
                inverter.command(moment, wanted_w)
                self.law.hear_applied(name, moment, wanted_w)
