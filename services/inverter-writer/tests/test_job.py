"""One inverter's job against a device in memory: order of reads and writes, first contact, stop."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from dynexport.clock import FakeClock
from dynexport.messages import ControlState, InverterState
from dynexport.modbus.endpoint import Endpoint, TcpAddress, Unreachable
from dynexport.modbus.sunspec_inverter import ControlValues, InverterIdentity, InverterStatus, InverterValues
from dynexport.testing.builders import site
from inverter_writer.acceptance import Accepted
from inverter_writer.describe import control_state
from inverter_writer.inverter import InverterJob
from inverter_writer.report import Rules

NOWHERE = Endpoint(TcpAddress("127.0.0.1", 1))


@dataclass
class Roof:
    """A 10 kW inverter in memory."""

    limit_pct: float = 100.0
    enabled: bool = False
    connected: bool = True
    power_w: float = 4000.0
    state: InverterState = InverterState.MPPT
    control_model: int | None = 123
    reachable: bool = True
    calls: list[str] = field(default_factory=list)

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if not self.reachable:
            raise Unreachable("no answer")

    def identify(self) -> InverterIdentity:
        self._call("identify")
        return InverterIdentity("M", "X", "1", 4, self.control_model, 10_000.0, 10_000.0, None, None, 0.01)

    def read(self) -> InverterValues:
        self._call("read")
        return InverterValues(self.power_w, self.state, None, None, None, None, 50.0, None)

    def read_status(self) -> InverterStatus:
        self._call("status")
        return InverterStatus(True, True, True, 8000.0)

    def read_control(self) -> ControlValues:
        self._call("control")
        return ControlValues(self.connected, self.limit_pct, self.enabled, 0)

    def write_limit(self, limit_pct: float, revert_s: int, revert_pct: float) -> None:
        self._call(f"limit {limit_pct:g} {revert_s}")
        self.limit_pct, self.enabled = limit_pct, True

    def write_connect(self, connect: bool) -> None:
        self._call(f"connect {connect}")
        self.connected = connect

    def release(self) -> None:
        self._call("release")
        self.enabled = False

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
        except Unreachable as error:
            self.job.failed(error, self.clock.mono())

    def setpoint(self, target_w: float, connect: bool = True, seq: int = 1) -> None:
        self.job.accepted = Accepted(target_w, connect, seq, "a", self.clock.mono() + 15.0)


def bench(roof: Roof | None = None, *, enabled: bool = True, on_stop: str = "failsafe") -> Bench:
    roof = roof or Roof()
    clock = FakeClock()
    rules = Rules(1500.0, enabled, 1, on_stop, False)
    job = InverterJob(site().inverters[0], rules, clock, lambda: None, lambda _endpoint, _unit: roof)
    return Bench(roof, job, clock)


def test_at_start_the_failsafe_share_is_written_before_the_first_reading() -> None:
    started = bench()
    started.turn()
    assert started.roof.calls == ["identify", "control", "limit 15 0", "read", "status"]


def test_at_start_a_tighter_limit_found_in_the_device_is_kept() -> None:
    started = bench(Roof(limit_pct=5.0, enabled=True))
    started.turn()
    assert started.roof.writes == ["limit 5 0"]
    started.turn(9.0)
    assert started.roof.limit_pct == 5.0, "silence never raises"


def test_a_limit_that_is_not_enabled_reads_as_none() -> None:
    started = bench(Roof(limit_pct=5.0, enabled=False))
    started.turn()
    assert started.roof.writes == ["limit 15 0"]


def test_a_tightening_is_written_before_anything_is_read() -> None:
    running = bench()
    running.setpoint(8000.0)
    running.turn()
    running.turn(1.5)
    running.setpoint(2000.0, seq=2)
    running.roof.calls.clear()
    assert running.job.urgent
    running.turn(0.0)
    assert running.roof.calls[0] == "limit 20 0"


def test_a_setpoint_above_the_rating_is_applied_as_the_rating() -> None:
    running = bench()
    running.setpoint(99_000.0)
    running.turn()
    assert running.roof.limit_pct == 100.0


def test_15_s_without_a_setpoint_is_the_failsafe_share() -> None:
    running = bench()
    running.setpoint(8000.0)
    running.turn()
    running.turn(15.1)
    assert running.roof.limit_pct == 15.0
    assert control_state(running.job, running.job.wanted(running.clock.mono())) is ControlState.FAILSAFE


def test_a_disconnect_stays_until_a_valid_setpoint_connects() -> None:
    running = bench()
    running.setpoint(0.0, connect=False)
    running.turn()
    assert not running.roof.connected
    running.turn(20.0)
    assert not running.roof.connected
    running.setpoint(5000.0, seq=2)
    running.turn(1.0)
    running.turn(1.0)
    assert running.roof.connected


def test_a_foreign_looser_value_is_overwritten_at_the_next_read() -> None:
    running = bench()
    running.setpoint(5000.0)
    running.turn()
    running.roof.limit_pct = 90.0
    running.turn()
    assert running.roof.limit_pct == 50.0


def test_a_foreign_tighter_value_is_left_and_shown_as_a_conflict() -> None:
    running = bench()
    running.setpoint(5000.0)
    running.turn()
    running.roof.limit_pct = 10.0
    for seq in range(2, 20):
        running.setpoint(5000.0, seq=seq)
        running.turn()
    assert running.roof.limit_pct == 10.0
    assert running.job.readback.conflict


def test_our_own_tighter_value_goes_in_even_during_a_conflict() -> None:
    running = bench()
    running.setpoint(5000.0)
    running.turn()
    running.roof.limit_pct = 10.0
    running.turn()
    running.setpoint(500.0, seq=2)
    running.turn()
    running.turn()
    assert running.roof.limit_pct == 5.0


def test_after_a_silence_the_next_contact_is_a_first_one() -> None:
    running = bench()
    running.setpoint(8000.0)
    running.turn()
    running.roof.reachable = False
    running.turn(6.0)
    running.roof.reachable, running.roof.limit_pct = True, 30.0
    running.setpoint(8000.0, seq=2)
    running.roof.calls.clear()
    running.turn()
    assert running.roof.calls[:2] == ["control", "limit 30 0"]


def test_with_writing_disabled_nothing_is_ever_written() -> None:
    shy = bench(enabled=False)
    shy.setpoint(2000.0)
    for _ in range(30):
        shy.turn(1.0)
    shy.job.begin_stop()
    shy.turn()
    assert shy.roof.writes == []
    assert control_state(shy.job, shy.job.wanted(shy.clock.mono())) is ControlState.DISABLED


def test_an_inverter_without_a_control_model_is_a_fault_and_still_read() -> None:
    old = bench(Roof(control_model=None))
    old.turn()
    assert old.roof.writes == []
    assert old.job.fault is not None
    assert any(report.values for report in old.job.reports)


@pytest.mark.parametrize(
    ("on_stop", "left_pct", "enabled"),
    [("failsafe", 15.0, True), ("hold", 80.0, True), ("release", 80.0, False)],
)
def test_a_stop_leaves_what_the_owner_chose(on_stop: str, left_pct: float, enabled: bool) -> None:
    running = bench(on_stop=on_stop)
    running.setpoint(8000.0)
    running.turn()
    running.job.begin_stop()
    running.turn()
    assert running.job.stopped
    assert (running.roof.limit_pct, running.roof.enabled) == (left_pct, enabled)


def test_a_stop_never_raises_a_tighter_target() -> None:
    running = bench()
    running.setpoint(700.0)
    running.turn()
    running.job.begin_stop()
    running.turn()
    assert running.roof.limit_pct == 7.0


def test_the_limit_is_refreshed_every_8_s() -> None:
    running = bench()
    running.setpoint(5000.0)
    running.turn()
    running.roof.calls.clear()
    for seq in range(2, 20):
        running.setpoint(5000.0, seq=seq)
        running.turn()
    assert running.roof.writes == ["limit 50 0"]


def test_at_night_an_inverter_that_was_allowed_to_make_and_made_nothing_is_asleep() -> None:
    dusk = bench(Roof(power_w=3.0, state=InverterState.MPPT))
    dusk.turn()
    assert dusk.job.asleep
