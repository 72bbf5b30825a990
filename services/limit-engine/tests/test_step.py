"""doctor's 5 % step: it only lowers, nobody makes up for it, and it gives way by the ramp."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynexport import messages as m
from dynexport import topics
from dynexport.clock import FakeClock
from dynexport.testing.builders import inverter_reading, meter_reading, site
from dynexport.testing.context import fake_context
from limit_engine.app import Engine
from limit_engine.inverters import Track
from limit_engine.ramp import Ramp
from limit_engine.step import Refused, Stepper
from limit_engine.terms import Decision

RATED_W = {"roof": 6000.0, "shed": 4000.0}
MONO = 100.0


def tracks(mono: float = MONO, **powers_w: float) -> dict[str, Track]:
    made = {}
    for name, rated_w in RATED_W.items():
        made[name] = Track(name, rated_w, Ramp(0.0, 0.2 * rated_w))
        made[name].hear(mono, mono, powers_w.get(name, 3000.0), m.InverterState.MPPT, None)
    return made


def decision(mode: m.Mode = m.Mode.NORMAL, **commands_w: float) -> Decision:
    commands = {"roof": 3500.0, "shed": 3000.0, **commands_w}
    return Decision(mode, sum(commands.values()), commands, commands, 500.0)


def capability(**fields: Any) -> m.InverterCapability:
    return m.InverterCapability(issued_at=FakeClock().now(), max_w=6000.0, **fields)


def stepping(seconds: float | None = None, **powers_w: float) -> tuple[Stepper, dict[str, Track]]:
    stepper, roofs = Stepper(), tracks(**powers_w)
    stepper.apply(decision(), roofs, MONO)
    stepper.ask(roofs["roof"], None, seconds, MONO)
    return stepper, roofs


def test_it_is_5_percent_of_the_rating_below_what_the_inverter_makes() -> None:
    stepper, roofs = stepping()
    done = stepper.apply(decision(), roofs, MONO + 1)
    assert done.commands_w == {"roof": 3000.0 - 300.0, "shed": 3000.0}


def test_while_it_lasts_no_other_inverter_makes_up_for_it() -> None:
    stepper, roofs = stepping()
    done = stepper.apply(decision(roof=6000.0, shed=4000.0), roofs, MONO + 9)
    assert done.commands_w == {"roof": 2700.0, "shed": 3000.0}


def test_what_the_law_lowers_meanwhile_is_lowered_at_once() -> None:
    stepper, roofs = stepping()
    assert stepper.apply(decision(roof=100.0, shed=50.0), roofs, MONO + 1).commands_w == {
        "roof": 100.0,
        "shed": 50.0,
    }


def test_afterwards_it_gives_way_by_the_ramp_and_is_forgotten() -> None:
    stepper, roofs = stepping(10.0)
    seen = []
    for tick in range(61):
        seen.append(stepper.apply(decision(), roofs, MONO + tick * 0.2).commands_w["roof"])
    assert seen[50] == 2700.0
    assert seen[51] == pytest.approx(2700.0 + 0.2 * 1200.0)
    assert seen[54] == 3500.0
    assert stepper.caps_w == {}


def test_a_turn_that_comes_late_does_not_count_the_step_as_time_of_the_ramp() -> None:
    stepper, roofs = stepping(10.0)
    stepper.apply(decision(), roofs, MONO + 2)
    late = stepper.apply(decision(roof=6000.0), roofs, MONO + 10.5).commands_w["roof"]
    assert late == pytest.approx(2700.0 + 0.5 * 1200.0)


@pytest.mark.parametrize(("asked_s", "lasts_s"), [(None, 10.0), (0.0, 3.0), (12.0, 12.0), (1e9, 30.0)])
def test_it_lasts_as_asked_between_3_and_30_s(asked_s: float | None, lasts_s: float) -> None:
    stepper, _ = stepping(asked_s)
    assert stepper.until == MONO + lasts_s


@given(
    wanted=st.lists(st.tuples(st.floats(0, 6000), st.floats(0, 4000)), min_size=1, max_size=50),
    gap_s=st.floats(0.0, 5.0),
)
def test_it_never_raises_what_the_law_commands(wanted: list[tuple[float, float]], gap_s: float) -> None:
    stepper, roofs = stepping(3.0)
    for number, (roof, shed) in enumerate(wanted, start=1):
        done = stepper.apply(decision(roof=roof, shed=shed), roofs, MONO + number * gap_s).commands_w
        assert done["roof"] <= roof
        assert done["shed"] <= shed


def refusal(stepper: Stepper, roofs: dict[str, Track], mono: float = MONO, **fields: Any) -> str:
    with pytest.raises(Refused) as refused:
        stepper.ask(roofs["roof"], capability(**fields) if fields else None, None, mono)
    assert stepper.caps_w == {}
    return str(refused.value)


@pytest.mark.parametrize("mode", [m.Mode.OPEN_LOOP, m.Mode.FAILSAFE])
def test_it_is_refused_in_any_mode_but_normal(mode: m.Mode) -> None:
    stepper, roofs = Stepper(), tracks()
    stepper.apply(decision(mode), roofs, MONO)
    assert mode.value.replace("_", " ") in refusal(stepper, roofs)


def test_it_is_refused_before_the_first_decision() -> None:
    assert "failsafe" in refusal(Stepper(), tracks())


@pytest.mark.parametrize(
    ("powers_w", "mono", "fields", "said"),
    [
        ({"roof": 590.0}, MONO, {}, "too little"),
        ({}, MONO + 5.1, {}, "does not answer"),
        ({"roof": 800.0}, MONO, {"min_limit_pct": 10.0}, "standby"),
        ({}, MONO, {"scope": m.Scope.EXPORT}, "its own meter"),
    ],
)
def test_it_is_refused_where_it_would_prove_nothing(
    powers_w: dict[str, float], mono: float, fields: dict[str, Any], said: str
) -> None:
    stepper, roofs = Stepper(), tracks(**powers_w)
    stepper.apply(decision(), roofs, MONO)
    assert said in refusal(stepper, roofs, mono, **fields)


def test_one_step_at_a_time_and_only_of_a_listed_inverter() -> None:
    stepper, roofs = stepping()
    with pytest.raises(Refused, match="not over yet"):
        stepper.ask(roofs["shed"], None, None, MONO + 1)
    with pytest.raises(Refused, match="listed inverter"):
        Stepper().ask(None, None, None, MONO)


class Home:
    """An engine on a fake bus at its limit; `run` feeds it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.context, self.bus = fake_context("limit-engine", site(), self.clock)
        self.engine = Engine(self.context, "e-own")
        self.engine.start()
        self.engine.connected(self.context.moment())

    def run(self, seconds: float, *, export_w: float = 5000.0, power_w: float = 5500.0) -> None:
        for tick in range(round(seconds / 0.2)):
            now = self.clock.now()
            self.bus.deliver(topics.METER_READING, meter_reading(-export_w - tick % 2, now))
            self.bus.deliver(topics.INVERTER_READING, inverter_reading(power_w, now), "roof")
            self.engine.step(self.bus.drain(), self.context.moment())
            self.clock.advance(0.2)

    def ask(self, **fields: Any) -> m.Event:
        request = m.Request(issued_at=self.clock.now(), **fields)
        self.bus.deliver(topics.REQUEST, request, "limit-engine", "step")
        self.run(0.2)
        event = self.bus.last(topics.EVENT, "limit-engine")
        assert isinstance(event, m.Event)
        return event

    @property
    def target_w(self) -> float:
        said = self.bus.last(topics.SETPOINT, "roof")
        assert isinstance(said, m.Setpoint)
        return said.target_w


def test_a_request_lowers_the_setpoint_for_some_seconds_and_an_event_says_so() -> None:
    home = Home()
    home.run(15.0)
    before_w = home.target_w
    event = home.ask(id="roof", for_s=5.0)
    assert event.code == "step_begun"
    assert event.data["target_w"] == pytest.approx(5000.0, abs=2.0)
    assert home.target_w == pytest.approx(5000.0, abs=2.0)
    home.run(4.0)
    assert home.target_w == pytest.approx(5000.0, abs=2.0)
    home.run(6.0)
    assert home.target_w == pytest.approx(before_w, abs=20.0)


@pytest.mark.parametrize("fields", [{}, {"id": "nobody"}])
def test_a_request_for_no_inverter_is_refused_by_an_event(fields: dict[str, Any]) -> None:
    home = Home()
    home.run(15.0)
    assert home.ask(**fields).code == "step_refused"
