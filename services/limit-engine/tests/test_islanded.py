"""A site cut off from the grid: its meter shows 0 whatever happens, and nothing may be concluded from that."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bench.loop import Loop

from dynexport import messages as m
from dynexport import topics
from dynexport.clock import FakeClock
from dynexport.service import Moment
from dynexport.testing import builders
from dynexport.testing.context import codes, fake_context
from dynexport.testing.plant import InverterModel, MeterModel
from limit_engine.app import Engine
from limit_engine.control import Bounds, ControlLaw, Plan
from limit_engine.phases import PhaseBounds


def cut_off(*, limit_w: float = 1500.0, **fields: Any) -> tuple[Loop, float]:
    """A site that held its limit and is cut off now, with its target at that moment."""
    loop = Loop([InverterModel()], MeterModel(), load_w=5000.0, bounds=Bounds(limit_w), **fields)
    loop.run(30.0)
    loop.islanded = True
    return loop, target(loop)


def target(loop: Loop) -> float:
    assert loop.decision is not None
    return loop.decision.target_w


@pytest.mark.parametrize("limit_w", [0.0, 1500.0])
def test_no_target_rises_while_islanded_however_little_the_meter_shows(limit_w: float) -> None:
    loop, before_w = cut_off(limit_w=limit_w)
    for load_w in (8000.0, 1000.0, 5000.0):
        loop.plant.load_w = load_w
        loop.run(20.0)
        assert target(loop) <= before_w + 50.0


def test_a_cloud_while_islanded_does_not_hold_the_roof_down_for_the_rest_of_the_outage() -> None:
    loop, before_w = cut_off(limit_w=0.0)
    loop.plant.inverters[0].available_w = 1000.0
    loop.run(20.0)
    loop.plant.inverters[0].available_w = 10_000.0
    loop.run(20.0)
    assert target(loop) == pytest.approx(before_w, abs=50.0)


def test_a_lower_limit_is_obeyed_while_islanded() -> None:
    loop, before_w = cut_off(limit_w=1500.0)
    loop.bounds = Bounds(0.0)
    loop.run(2.0)
    assert target(loop) <= before_w - 1450.0
    loop.bounds = Bounds(1500.0, generation_limit_w=2000.0)
    loop.run(2.0)
    assert target(loop) <= 2000.0


def test_a_reading_of_0_before_the_gateway_says_islanded_raises_nothing_for_good() -> None:
    loop, before_w = cut_off(limit_w=1500.0, poll_s=1.0)
    loop.told = False
    loop.run(1.0)
    loop.told = True
    loop.run(5.0)
    assert target(loop) <= before_w + 100.0


def test_back_on_the_grid_the_limit_is_kept_again_within_seconds_with_a_house_that_uses_less() -> None:
    loop, _ = cut_off(limit_w=1500.0)
    loop.run(60.0)
    loop.plant.load_w = 1000.0
    loop.islanded = False
    loop.run(8.0)
    since = loop.plant.now
    loop.run(5.0)
    assert max(export_w for moment, export_w in loop.trace if moment > since) <= 1550.0


def test_generation_that_the_meter_does_not_answer_to_is_no_reversed_or_frozen_meter_while_islanded() -> None:
    loop, _ = cut_off(limit_w=5000.0)
    for share in (0.2, 0.9, 0.1, 1.0, 0.3):
        loop.plant.inverters[0].available_w = share * 10_000.0
        loop.run(12.0)
    loop.islanded = False
    loop.run(12.0)
    assert loop.law.meter_wrong is None


def test_a_limit_per_phase_is_held_while_islanded() -> None:
    loop = Loop(
        [InverterModel()], MeterModel(), load_w=6000.0, load_share=(0.5, 0.25, 0.25),
        bounds=Bounds(5000.0, phases=PhaseBounds(500.0)),
    )  # fmt: skip
    loop.run(30.0)
    before_w, loop.islanded = target(loop), True
    loop.run(30.0)
    assert not loop.law.phases.unknown
    assert target(loop) <= before_w + 50.0


def test_an_engine_that_starts_while_islanded_counts_the_house_as_what_the_roof_makes_and_stays_there() -> (
    None
):
    loop = Loop([InverterModel()], MeterModel(), load_w=5000.0, bounds=Bounds(1500.0), islanded=True)
    loop.plant.inverters[0].available_w = 3000.0
    loop.run(10.0)
    before_w = target(loop)
    loop.plant.inverters[0].available_w = 10_000.0
    loop.run(60.0)
    assert target(loop) <= before_w + 50.0


def test_a_meter_of_the_houses_consumption_goes_on_telling_it_while_islanded() -> None:
    law = ControlLaw(Plan({"i0": 10_000.0}, location=m.Location.CONSUMPTION))
    targets = []
    for second, (load_w, islanded) in enumerate([(3000.0, False)] * 20 + [(1000.0, True)] * 5):
        mono = 100.0 + second
        law.hear_meter(mono, mono, load_w, islanded=islanded)
        law.hear_inverter("i0", mono, mono, 500.0, m.InverterState.MPPT)
        targets.append(law.decide(Bounds(0.0), mono, ready=True).target_w)
    assert targets[-6] > 2800.0
    assert targets[-1] < 1010.0


class Home:
    """The engine on a fake bus, fed once a second."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        context, self.bus = fake_context("limit-engine", builders.site(), self.clock)
        self.engine = Engine(context, "e1")
        self.engine.connected(Moment(self.clock.now(), self.clock.mono()))

    def run(
        self, seconds: int, *, islanded: bool | None, site_w: float = 0.0, power_w: float = 4000.0
    ) -> m.Active:
        for _ in range(seconds):
            self.clock.advance(1.0)
            now = self.clock.now()
            reading = builders.meter_reading(
                site_w, now, islanded=islanded, measured_at=now - timedelta(seconds=0.2)
            )
            self.bus.deliver(topics.METER_READING, reading)
            self.bus.deliver(topics.INVERTER_READING, builders.inverter_reading(power_w, now), "roof")
            self.engine.step(self.bus.drain(), Moment(now, self.clock.mono()))
        said = self.bus.last(topics.ACTIVE)
        assert isinstance(said, m.Active)
        return said


def test_active_says_islanded_in_words_with_no_amount_curtailed_and_events_mark_both_ends() -> None:
    home = Home()
    assert home.run(10, islanded=None, site_w=-1000.0).islanded is None
    active = home.run(30, islanded=True)
    assert active.islanded is True
    assert active.mode is m.Mode.NORMAL
    assert "cut off from the grid" in active.reason
    assert active.curtailed_w is None
    active = home.run(10, islanded=False, site_w=-1000.0)
    assert active.islanded is False
    assert "cut off" not in active.reason
    said = codes(home.bus, "limit-engine")
    assert said.index("islanded") < said.index("grid_back")
    assert "meter_implausible" not in said


def test_a_meter_that_falls_silent_while_islanded_leaves_the_state_unknown_and_open_loop() -> None:
    home = Home()
    home.run(10, islanded=True)
    for _ in range(6):
        home.clock.advance(1.0)
        home.engine.step([], Moment(home.clock.now(), home.clock.mono()))
    active = home.bus.last(topics.ACTIVE)
    assert isinstance(active, m.Active)
    assert (active.islanded, active.mode) == (None, m.Mode.OPEN_LOOP)


def test_a_gateway_that_says_islanded_while_the_meter_shows_an_export_is_not_believed() -> None:
    loop = Loop([InverterModel()], MeterModel(), load_w=5000.0, bounds=Bounds(1500.0), lies=True)
    loop.run(30.0)
    loop.plant.load_w = 500.0
    loop.run(12.0)
    assert loop.plant.inverters[0].power_w <= 500.0 + 1500.0 + 60.0
