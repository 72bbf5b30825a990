"""Runs one procedure: its steps listen, its actions change the server, its criteria judge; virtual time throughout."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import xmlschema

from conformance.actions import Server, announce_1_3
from conformance.judge import Judge
from conformance.places import Places
from conformance.resolve import resolve
from conformance.rig import PIN, RATED_W, Rig
from conformance.scenes import Scene
from dynexport.identity import pin
from dynexport.testing.pki import Pki
from utility_simulator.document import Version
from utility_simulator.tree import Request

OPERATOR_S = 60.0  # until a person goes on, where the scene says nothing else
READY_WITHIN_S = 900.0
IN_BAND_PIN = 42424
METHODS = {f"{method}-request-received": method for method in ("GET", "POST", "PUT", "DELETE")}


@dataclass(slots=True)
class Run:
    """One procedure against a fresh client; `faults` is what was wrong, in words."""

    definition: Any
    scene: Scene
    version: Version
    schema: xmlschema.XMLSchema
    faults: list[str] = field(default_factory=list)
    rig: Rig = field(init=False)
    server: Server = field(init=False)
    _active: dict[str, float] = field(default_factory=dict)
    _done: dict[str, float] = field(default_factory=dict)
    _acted: set[int] = field(default_factory=set)
    _finished: bool = False
    _began: float = 0.0
    _complete_since: float = 0.0

    def prepare(self, pki: Pki, folder: Path, seed: int) -> None:
        """The rig and the server's side of it."""
        scene = self.scene
        self.rig = Rig(
            pki,
            folder,
            self.version,
            seed=seed,
            inverters=scene.inverters,
            pin=PIN if scene.pin else None,
            poll_s=scene.poll_s,
            battery=scene.battery,
            storage=scene.storage,
            boiler=scene.boiler,
        )
        utility = self.rig.utility
        places = Places(utility)
        judge = Judge(utility, places, lambda: self._began, pki.lfdi, unfinished=self._unfinished)
        self.server = Server(utility, places, judge, self._enable, self._remove, self._finish)
        utility.programs, utility.pin = [[]], pin(IN_BAND_PIN)
        utility.arriving, utility.seen = (
            partial(self._request, served=False),
            partial(self._request, served=True),
        )

    def run(self, longest_s: float) -> list[str]:
        """Everything that was wrong; empty is a pass."""
        before = self.definition.preconditions
        self.server.run(before.init_actions)
        if self.rig.utility.well_known is None:
            announce_1_3(self.rig.utility)
        self.rig.load(self.scene.load * RATED_W)
        if self.rig.house is not None:
            self.rig.house.begin(self.scene.own, runs=self.scene.runs)
        self.rig.boot()
        if not before.immediate_start and not self._ready(before.checks):
            return self.faults
        self._start(before)
        end = self.rig.now + longest_s
        while not self._finished and self.rig.now < end:
            self._turn()
        self._conclude()
        return self.faults

    def _ready(self, checks: Any) -> bool:
        """The phase before the start: the client does as it does until the preconditions hold."""
        end = self.rig.now + READY_WITHIN_S
        wrong = ["not begun"]
        while wrong and self.rig.now < end:
            self.rig.step()
            wrong = self.server.judge.faults(checks)
        self.faults += [f"before the start: {each}" for each in wrong]
        return not wrong

    def _start(self, before: Any) -> None:
        self._began = self._complete_since = self.rig.now
        self._enable([next(iter(self.definition.steps))])
        self.server.run(before.actions)
        self.rig.tick_s = self.scene.tick_s

    def _turn(self) -> None:
        self._operate()
        self.rig.step()
        for name in list(self._active):
            event = self.definition.steps[name].event
            waited = self.rig.now - self._active.get(name, self.rig.now)
            if waited >= self._lasts_s(name, event):
                self._fire(name)
        if self._unfinished():
            self._complete_since = self.rig.now
        elif self.rig.now - self._complete_since >= self.scene.settles_s:
            self._finished = True

    def _lasts_s(self, name: str, event: Any) -> float:
        """How long a step waits; one that listens for requests waits for ever."""
        match event.type:
            case "wait":
                return float(event.parameters["duration_seconds"])
            case "proceed":
                return (self.scene.proceed_s or {}).get(name, OPERATOR_S)
        return math.inf

    def _operate(self) -> None:
        """The operator's hands and the bystander's eyes, each once."""
        for (step, after_s), hand in (self.scene.hands or {}).items():
            if self._due(self._active.get(step), after_s, id(hand)):
                hand(self.rig)
        for sight in self.scene.sights:
            since = (self._done if sight.once_done else self._active).get(sight.step)
            if self._due(since, sight.after_s, id(sight)):
                fault = sight.fault(self.rig)
                self.faults += [fault] if fault else []

    def _due(self, since: float | None, after_s: float, number: int) -> bool:
        if number in self._acted or since is None or self.rig.now - since < after_s:
            return False
        self._acted.add(number)
        return True

    def _request(self, request: Request, *, served: bool) -> None:
        """A request came, or was answered: the first active step that it fits fires."""
        if request.method != "GET" and not served:
            self._validate(request)
        if self.scene.silent in self._active and not served:
            self.faults.append(f"{request.method} {request.name} during {self.scene.silent}")
        for name in list(self._active):
            event = self.definition.steps[name].event
            if METHODS.get(event.type) != request.method:
                continue
            if bool(event.parameters.get("serve_request_first")) is not served:
                continue
            endpoint = resolve(event.parameters["endpoint"], self.rig.utility)
            if self.server.places.matches(endpoint, request) and self._fire(name):
                return

    def _validate(self, request: Request) -> None:
        """The hidden criterion: one invalid body fails the run."""
        for error in self.schema.iter_errors(request.body.decode()):
            self.faults.append(f"{request.method} {request.name}: {error.reason}")

    def _fire(self, name: str) -> bool:
        step = self.definition.steps[name]
        if step.event.checks and self.server.judge.faults(step.event.checks):
            return False
        del self._active[name]
        self._done[name] = self.rig.now
        self.server.run(step.actions)
        return True

    def _enable(self, steps: list[str]) -> None:
        for name in steps:
            if name not in self._done:
                self._active.setdefault(name, self.rig.now)

    def _remove(self, steps: list[str]) -> None:
        for name in steps:
            self._active.pop(name, None)
            self._done[name] = self.rig.now

    def _finish(self, failed: str | None) -> None:
        self._finished = True
        if failed:
            self.faults.append(failed)

    def _unfinished(self) -> set[str]:
        return set(self.definition.steps) - set(self._done)

    def _conclude(self) -> None:
        criteria = self.definition.criteria
        self.faults += self.server.judge.faults(criteria.checks if criteria else None)
        unseen = [sight for sight in self.scene.sights if id(sight) not in self._acted]
        self.faults += [f"never came to {sight.after_s:.0f} s of {sight.step}" for sight in unseen]
        self.rig.end()
