"""An inverter in memory, and its job on a clock that a test moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dynexport.clock import FakeClock
from dynexport.messages import InverterState
from dynexport.modbus.endpoint import Endpoint, ModbusError, Refused, TcpAddress, Unreachable
from dynexport.modbus.inverter_values import ControlValues, InverterIdentity, InverterStatus, InverterValues
from dynexport.testing.builders import SITE, site
from inverter_writer.acceptance import Accepted
from inverter_writer.handover import Handover
from inverter_writer.inverter import InverterJob
from inverter_writer.report import Rules
from inverter_writer.store import Store

NOWHERE = Endpoint(TcpAddress("127.0.0.1", 1))
SHARE_W = 1500.0


@dataclass
class Roof:
    """A 10 kW inverter in memory. Its timer, where it chooses, runs on the bench's clock."""

    limit_pct: float = 100.0
    enabled: bool = False
    connected: bool | None = True
    power_w: float = 4000.0
    state: InverterState = InverterState.MPPT
    control_model: int | None = 123
    chooses_revert: bool = False
    can_disconnect: bool = True
    serial: str | None = "1"
    max_w: float = 10_000.0
    reachable: bool = True
    loses_writes: bool = False
    loses_answers: bool = False
    holds_at_least_pct: float = 0.0
    foreign: bool = False
    never_enables: bool = False
    refuses_to_enable: bool = False
    revert: tuple[float, int] | None = None
    calls: list[str] = field(default_factory=list)

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if not self.reachable:
            raise Unreachable("no answer")

    def identify(self) -> InverterIdentity:
        self._call("identify")
        return InverterIdentity(
            "M", "X", self.serial, 4, self.control_model, self.max_w, 10_000.0, None, None, 0.01,
            self.chooses_revert, self.can_disconnect,
            why_not=None if self.control_model else "it has no control model",
        )  # fmt: skip

    def read(self) -> InverterValues:
        self._call("read")
        return InverterValues(self.power_w, self.state, None, None, None, None, 50.0, None)

    def read_status(self) -> InverterStatus:
        self._call("status")
        return InverterStatus(True, True, True, 8000.0)

    def read_control(self) -> ControlValues:
        self._call("control")
        if self.foreign:
            return ControlValues(self.connected, 0.0, True, 0, foreign=True)
        return ControlValues(self.connected, self.limit_pct, self.enabled, 0)

    def write_limit(self, limit_pct: float, revert_s: int, revert_pct: float) -> None:
        self._call(f"limit {limit_pct:g} {revert_s}")
        if self.loses_writes:
            raise Unreachable("no answer")
        self.foreign = False
        self.limit_pct = max(limit_pct, self.holds_at_least_pct)
        self.enabled, self.revert = not (self.never_enables or self.refuses_to_enable), (revert_pct, revert_s)
        if self.refuses_to_enable:
            raise Refused("no", 2)
        if self.loses_answers:
            raise Unreachable("no answer")

    def write_connect(self, connect: bool) -> None:
        self._call(f"connect {connect}")
        self.connected = connect

    def release(self) -> None:
        self._call("release")
        self.enabled = False

    def timer_runs_out(self) -> None:
        """Nobody has refreshed the limit: the revert value takes its place."""
        assert self.revert is not None
        self.limit_pct = self.revert[0]

    @property
    def writes(self) -> list[str]:
        return [call for call in self.calls if call.startswith(("limit", "connect", "release"))]


@dataclass
class Bench:
    """A job with its clock and its roof."""

    roof: Roof
    job: InverterJob
    clock: FakeClock

    def turn(self, seconds: float = 0.5) -> None:
        self.clock.advance(seconds)
        try:
            self.job.run(NOWHERE, self.clock.mono())
        except ModbusError as error:
            self.job.failed(error, self.clock.mono())

    def setpoint(self, target_w: float, connect: bool = True, seq: int = 1) -> None:
        self.job.accepted = Accepted(target_w, connect, seq, "a", self.clock.mono() + 15.0)

    def follow(self, target_w: float, turns: int, seconds: float = 0.5) -> None:
        """The engine repeats its setpoint before every turn."""
        for _ in range(turns):
            self.setpoint(target_w)
            self.turn(seconds)

    def hours(self, target_w: float, hours: float) -> int:
        """How often something was written in that time, looked at once a second, the engine speaking all the while."""
        before = len(self.roof.writes)
        for _ in range(round(hours * 3600)):
            self.setpoint(target_w)
            if self.job.due(self.clock.mono() + 1.0) <= 0.0:
                self.turn(1.0)
            else:
                self.clock.advance(1.0)
        return len(self.roof.writes) - before

    def stop(self) -> None:
        self.job.begin_stop()
        self.turn()


def start(
    *,
    roof: Roof | None = None,
    state_dir: Path | None = None,
    writing: bool = True,
    on_stop: str = "failsafe",
    settings: dict[str, Any] | None = None,
    **fields: Any,
) -> Bench:
    """A job of a roof with these fields; with a `state_dir` its limit registers persist."""
    roof = roof or Roof(**fields)
    clock = FakeClock()
    inverter = site(inverters=[{**SITE["inverters"][0], **(settings or {})}]).inverters[0]
    found = Handover(Store(state_dir, inverter.id) if state_dir else None)
    rules = Rules(SHARE_W, writing, 1, on_stop, False)
    job = InverterJob(inverter, rules, clock, lambda: None, lambda _endpoint, _unit: roof, found)
    return Bench(roof, job, clock)


@pytest.fixture
def bench() -> Callable[..., Bench]:
    return start
