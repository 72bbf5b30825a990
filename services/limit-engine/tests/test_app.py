"""The engine on a fake bus: what it says, when, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from dynexport import messages as m
from dynexport import topics
from dynexport.clock import FakeClock
from dynexport.testing.builders import inverter_reading, limit, meter_reading, setpoint, site
from dynexport.testing.context import codes, fake_context
from dynexport.testing.fakebus import FakeBus
from limit_engine.app import Engine

OBLIGED = {
    "csip": {"kind": "obligation", "fallback": {"export_limit_w": 800}},
    "manual": {"kind": "preference"},
}


@dataclass
class Site:
    """An engine, its clock and its bus; `run` feeds a meter and an inverter and lets time pass."""

    engine: Engine
    bus: FakeBus
    clock: FakeClock

    def run(
        self, seconds: float, *, export_w: float = 1000.0, power_w: float = 4000.0, meter: bool = True
    ) -> None:
        for tick in range(round(seconds / 0.2)):
            now = self.clock.now()
            if meter:
                self.bus.deliver(topics.METER_READING, meter_reading(-export_w - tick % 2, now))
            self.bus.deliver(
                topics.INVERTER_READING, inverter_reading(power_w, now, available_w=9000.0), "roof"
            )
            self.step()
            self.clock.advance(0.2)

    def step(self) -> float:
        context = self.engine.context
        return self.engine.step(self.bus.drain(), context.moment())

    @property
    def active(self) -> m.Active:
        said = self.bus.last(topics.ACTIVE)
        assert isinstance(said, m.Active)
        return said

    @property
    def target_w(self) -> float:
        said = self.bus.last(topics.SETPOINT, "roof")
        assert isinstance(said, m.Setpoint)
        return said.target_w

    @property
    def codes(self) -> list[str]:
        return codes(self.bus, "limit-engine")


def started(**sections: Any) -> Site:
    clock = FakeClock()
    context, bus = fake_context("limit-engine", site(**sections), clock, muted=True)
    engine = Engine(context, "e-own")
    engine.start()
    engine.connected(context.moment())
    return Site(engine, bus, clock)


def test_it_listens_1_5_s_before_its_first_setpoint() -> None:
    home = started()
    home.run(1.4)
    assert home.bus.all(topics.SETPOINT, "roof") == []
    home.run(0.4)
    assert home.bus.all(topics.SETPOINT, "roof")


def test_the_first_setpoint_is_not_above_what_is_made_now() -> None:
    home = started()
    home.run(1.8, power_w=2500.0)
    first = home.bus.all(topics.SETPOINT, "roof")[0]
    assert isinstance(first, m.Setpoint)
    assert first.target_w <= 2500.0


def test_it_holds_the_agreement_in_closed_loop() -> None:
    home = started()
    home.run(15.0)
    assert home.active.mode is m.Mode.NORMAL
    assert home.active.export_limit_w == 5000
    assert home.active.export_limit_source == "agreement"
    assert home.active.target_w == pytest.approx(8000.0, abs=60.0)


def test_an_inverter_that_cannot_use_its_share_is_held_at_its_use_and_headroom() -> None:
    home = started()
    home.run(15.0)
    assert home.target_w == pytest.approx(4000.0 + 1000.0, abs=1.0)


def test_a_preference_tightens_within_one_step_and_the_reason_says_so() -> None:
    home = started()
    home.run(15.0)
    home.bus.deliver(
        topics.LIMIT, limit(home.clock.now(), export_limit_w=1500.0, reason="dear evening"), "manual"
    )
    home.step()
    assert home.target_w == pytest.approx(4500.0, abs=60.0)
    assert home.active.export_limit_source == "manual"
    assert "1500 W" in home.active.reason
    assert "dear evening" in home.active.reason


def test_without_a_meter_it_is_in_open_loop_after_4_s() -> None:
    home = started()
    home.run(15.0)
    home.run(4.4, meter=False)
    assert home.active.mode is m.Mode.OPEN_LOOP
    assert home.target_w <= 5000.0
    assert "mode_open_loop" in home.codes


def test_the_end_of_the_meters_deadline_is_not_slept_through() -> None:
    home = started()
    home.run(15.0)
    home.clock.advance(3.6)
    wish_s = home.step()
    assert 0.0 < wish_s < 0.2
    home.clock.advance(wish_s)
    home.step()
    assert home.active.mode is m.Mode.OPEN_LOOP


def test_until_the_meter_is_heard_it_is_in_failsafe() -> None:
    home = started()
    home.run(5.0, meter=False)
    assert home.active.mode is m.Mode.FAILSAFE
    assert home.target_w <= 1500.0
    assert "the meter is heard" in home.active.reason


def test_an_obligation_that_has_not_spoken_keeps_it_in_failsafe_until_its_deadline_then_its_fallback_counts() -> (
    None
):
    home = started(sources=OBLIGED)
    home.run(59.0)
    assert home.active.mode is m.Mode.FAILSAFE
    home.run(10.0)
    assert home.active.mode is m.Mode.NORMAL
    assert home.active.export_limit_w == 800
    assert home.active.export_limit_source == "csip"
    assert home.codes.count("source_silent") == 1, "the preference that never spoke is no news"


def test_an_obligation_that_speaks_lets_it_leave_failsafe_at_once() -> None:
    home = started(sources=OBLIGED)
    home.run(3.0)
    home.bus.deliver(topics.LIMIT, limit(home.clock.now(), export_limit_w=3000.0), "csip")
    home.run(1.0)
    assert home.active.mode is m.Mode.NORMAL
    assert home.active.export_limit_w == 3000


def test_a_stored_copy_of_an_obligation_does_not_count() -> None:
    home = started(sources=OBLIGED)
    home.bus.deliver(topics.LIMIT, limit(home.clock.now(), export_limit_w=3000.0), "csip", retained=True)
    home.run(3.0)
    assert home.active.mode is m.Mode.FAILSAFE
    assert "limit_refused" in home.codes


def test_an_unlisted_source_has_no_effect_and_is_said_once() -> None:
    home = started()
    for _ in range(5):
        home.bus.deliver(topics.LIMIT, limit(home.clock.now(), export_limit_w=0.0), "foo")
        home.run(2.0)
    assert home.active.export_limit_source == "agreement"
    assert home.codes.count("source_unlisted") == 1


def test_deenergize_disconnects_and_the_way_back_is_ramped() -> None:
    home = started()
    home.run(15.0)
    home.bus.deliver(topics.LIMIT, limit(home.clock.now(), energize=False), "manual")
    home.step()
    said = home.bus.last(topics.SETPOINT, "roof")
    assert isinstance(said, m.Setpoint)
    assert (said.connect, said.target_w) == (False, 0.0)
    home.bus.deliver(topics.LIMIT, None, "manual")
    home.run(0.4)
    assert home.target_w <= 2000.0 * (1.0 + 0.4) + 1.0, "a saved second and the time since"


def test_while_another_engine_speaks_it_stays_mute_and_says_so_once() -> None:
    home = started()
    for seq in range(40):
        home.bus.deliver(topics.SETPOINT, setpoint(1000.0, home.clock.now(), seq, engine_id="other"), "roof")
        home.run(0.4)
    assert home.bus.all(topics.SETPOINT, "roof") == []
    assert home.bus.all(topics.ACTIVE) == []
    assert home.codes.count("second_engine") == 1
    home.run(16.0)
    assert home.bus.all(topics.SETPOINT, "roof")


def test_of_two_that_speak_the_larger_id_stands_back() -> None:
    home = started()
    home.run(15.0)
    home.bus.deliver(topics.SETPOINT, setpoint(1000.0, home.clock.now(), 1, engine_id="a-smaller"), "roof")
    home.run(0.2)
    said = len(home.bus.all(topics.SETPOINT, "roof"))
    home.run(5.0)
    assert len(home.bus.all(topics.SETPOINT, "roof")) == said
    assert home.engine.context.muted


def test_a_meter_that_says_another_location_than_site_yaml_is_not_believed() -> None:
    home = started()
    for _ in range(30):
        reading = meter_reading(-1000.0, home.clock.now(), location=m.Location.CONSUMPTION)
        home.bus.deliver(topics.METER_READING, reading)
        home.run(0.2, meter=False)
    assert home.active.mode is m.Mode.FAILSAFE
    assert home.codes.count("meter_location") == 1


def test_a_stop_releases_the_lease_with_the_last_target() -> None:
    home = started()
    home.run(15.0)
    target_w = home.target_w
    home.engine.stop(home.engine.context.moment())
    said = home.bus.last(topics.SETPOINT, "roof")
    assert isinstance(said, m.Setpoint)
    assert said.release
    assert said.target_w == target_w


def test_setpoints_are_numbered_and_said_every_second_when_nothing_changes() -> None:
    home = started()
    home.run(20.0)
    said = [message for message in home.bus.all(topics.SETPOINT, "roof") if isinstance(message, m.Setpoint)]
    assert [message.seq for message in said] == sorted({message.seq for message in said})
    gaps = [(b.issued_at - a.issued_at).total_seconds() for a, b in pairwise(said)]
    assert max(gaps) <= 1.3


def test_a_pause_silences_a_preference_and_refuses_an_obligation() -> None:
    home = started(sources=OBLIGED)
    home.bus.deliver(topics.LIMIT, limit(home.clock.now(), export_limit_w=3000.0, ttl_s=300.0), "csip")
    home.bus.deliver(topics.LIMIT, limit(home.clock.now(), export_limit_w=0.0, ttl_s=300.0), "manual")
    home.run(5.0)
    assert home.active.export_limit_w == 0
    for source in ("manual", "csip"):
        request = m.Request(issued_at=home.clock.now(), source=source, for_s=60.0)
        home.bus.deliver(topics.REQUEST, request, "limit-engine", "pause")
    home.run(2.0)
    assert home.active.export_limit_w == 3000
    assert "pause_refused" in home.codes


def test_curtailed_watts_come_from_the_inverters_own_available_power() -> None:
    home = started()
    home.bus.deliver(topics.LIMIT, limit(home.clock.now(), export_limit_w=0.0, ttl_s=300.0), "manual")
    home.run(15.0, export_w=0.0, power_w=3000.0)
    assert home.active.curtailed_w == pytest.approx(6000.0, abs=50.0)
    assert home.active.curtailed_basis == "available power as the inverters report it"


def test_a_reading_from_an_unknown_inverter_is_ignored() -> None:
    home = started()
    home.bus.deliver(topics.INVERTER_READING, inverter_reading(9000.0, home.clock.now()), "stranger")
    home.run(3.0)
    assert set(home.engine.law.tracks) == {"roof"}


THREE_PHASES = {
    "site": {"name": "Test", "time_zone": "Australia/Adelaide", "clock": "trusted", "phases": 3},
    "agreement": {
        "export_limit_w": 5000,
        "failsafe_export_limit_w": 1500,
        "export_limit_per_phase_w": 1200,
    },
}


def on_phases(home: Site, seconds: float, *loads_w: float, phases: bool = True) -> None:
    """Let time pass with an inverter on all three phases that makes what it is told, and these loads."""
    power_w = 3000.0
    for tick in range(round(seconds / 0.2)):
        said = home.bus.all(topics.SETPOINT, "roof")
        power_w = said[-1].target_w if said and isinstance(said[-1], m.Setpoint) else power_w
        each = [load_w - power_w / 3.0 + tick % 2 for load_w in loads_w]
        named = dict(zip(("power_a_w", "power_b_w", "power_c_w"), each, strict=True)) if phases else {}
        home.bus.deliver(topics.METER_READING, meter_reading(sum(each), home.clock.now(), **named))
        home.run(0.2, power_w=power_w, meter=False)


def test_a_phase_that_binds_is_named_in_the_reason() -> None:
    home = started(**THREE_PHASES)
    on_phases(home, 30.0, 500.0, 200.0, 500.0)
    assert home.active.mode is m.Mode.NORMAL
    assert home.target_w == pytest.approx(3.0 * 1400.0, abs=60.0)
    assert home.active.export_limit_source == "agreement"
    assert "Phase b may export at most 1200 W by your connection agreement" in home.active.reason


def test_a_meter_that_does_not_say_the_phases_is_an_event_and_each_is_held_as_if_it_used_nothing() -> None:
    home = started(**THREE_PHASES)
    on_phases(home, 30.0, 500.0, 200.0, 500.0, phases=False)
    assert home.target_w == pytest.approx(3.0 * 1200.0, abs=10.0)
    assert home.codes.count("phases_unknown") == 1
    assert "each is held as if it used nothing" in home.active.reason
    on_phases(home, 30.0, 500.0, 200.0, 500.0)
    assert home.codes.count("phases_known") == 1
    assert home.target_w == pytest.approx(3.0 * 1400.0, abs=60.0)


def test_what_does_not_obey_us_counts_on_the_phase_that_it_feeds_while_the_phases_are_unknown() -> None:
    home = started(**THREE_PHASES, uncontrolled=[{"id": "shed", "rated_w": 700, "phase": "b"}])
    on_phases(home, 20.0, 500.0, 200.0, 500.0, phases=False)
    assert home.target_w == pytest.approx(3.0 * 500.0, abs=10.0)


def found(home: Site, limit_w: float | None, adopted: bool | None = False) -> None:
    """The writer's stored capability names a limit that it found."""
    capability = m.InverterCapability(
        issued_at=home.clock.now(), max_w=10_000.0, found_limit_w=limit_w, adopted=adopted
    )
    home.bus.deliver(topics.INVERTER_CAPABILITY, capability, "roof", retained=True)


def test_a_limit_found_in_a_device_caps_that_inverter_and_the_reason_says_how_to_end_it() -> None:
    home = started()
    found(home, 3000.0)
    home.run(15.0)
    assert home.target_w == 3000.0
    assert "roof is held at 3000 W by a limit found in the device" in home.active.reason
    assert "device:roof" in home.active.reason
    assert "`dynexport adopt roof` loosens it" in home.active.reason
    found(home, 3000.0)
    home.run(5.0)
    assert home.codes.count("limit_found") == 1


@pytest.mark.parametrize(("limit_w", "adopted"), [(3000.0, True), (None, None)])
def test_a_limit_found_that_is_adopted_or_gone_is_left_by_the_ramp(
    limit_w: float | None, adopted: bool | None
) -> None:
    home = started()
    found(home, 3000.0)
    home.run(15.0, power_w=3000.0)
    found(home, limit_w, adopted)
    home.run(0.4, power_w=3000.0)
    assert 3000.0 < home.target_w <= 3000.0 + 2000.0 * 1.4
    assert home.codes.count("limit_found_over") == 1


def test_a_limit_found_above_the_rating_is_none() -> None:
    home = started()
    found(home, 10_000.0)
    home.run(15.0, power_w=7900.0)
    assert home.target_w > 7000.0
    assert "limit_found" not in home.codes


def in_open_loop(home: Site, seconds: float = 8.0, **powers_w: float) -> float:
    """The target without a meter while these are heard on our own topics."""
    for _ in range(round(seconds / 0.2)):
        now = home.clock.now()
        for name, power_w in powers_w.items():
            if name == "garage":
                reading = m.BatteryReading(issued_at=now, measured_at=now, power_w=power_w)
                home.bus.deliver(topics.BATTERY_READING, reading, name)
            else:
                made = m.PowerReading(issued_at=now, measured_at=now, power_w=power_w)
                home.bus.deliver(topics.UNCONTROLLED_READING, made, name)
        home.run(0.2, power_w=4000.0, meter=False)
    assert home.active.mode is m.Mode.OPEN_LOOP
    return home.active.target_w or 0.0


OTHERS = {
    "batteries": [{"id": "garage", "rated_w": 2000}],
    "uncontrolled": [{"id": "shed", "rated_w": 1000}],
}


def test_open_loop_counts_a_fresh_reading_of_a_battery_and_a_generator_and_their_ratings_after_5_s() -> None:
    home = started(**OTHERS)
    home.run(15.0)
    assert in_open_loop(home, garage=500.0, shed=300.0) == pytest.approx(5000.0 - 800.0)
    assert in_open_loop(home, garage=-1500.0, shed=900.0) == pytest.approx(4100.0), "charging leaves no room"
    assert in_open_loop(home, 4.6) == pytest.approx(4100.0)
    assert in_open_loop(home, 1.0) == pytest.approx(5000.0 - 3000.0)


def test_a_reading_that_was_measured_too_long_ago_counts_as_none() -> None:
    home = started(**OTHERS)
    home.run(15.0)
    for _ in range(40):
        now = home.clock.now()
        stale = m.BatteryReading(issued_at=now, measured_at=now - timedelta(seconds=6), power_w=0.0)
        home.bus.deliver(topics.BATTERY_READING, stale, "garage")
        home.run(0.2, power_w=4000.0, meter=False)
    assert home.active.target_w == pytest.approx(5000.0 - 3000.0)


@pytest.mark.parametrize("oddity", ["stored", "skewed", "of another kind", "unlisted"])
def test_a_battery_reading_that_may_not_count_leaves_its_rating_in_force(oddity: str) -> None:
    home = started(**OTHERS)
    home.run(15.0)
    for _ in range(40):
        now = home.clock.now() - timedelta(seconds=6 if oddity == "skewed" else 0)
        reading = m.BatteryReading(issued_at=now, measured_at=now, power_w=0.0)
        made = m.PowerReading(issued_at=now, measured_at=now, power_w=0.0)
        if oddity == "of another kind":
            home.bus.deliver(topics.UNCONTROLLED_READING, made, "garage")
        else:
            name = "stranger" if oddity == "unlisted" else "garage"
            home.bus.deliver(topics.BATTERY_READING, reading, name, retained=oddity == "stored")
        home.run(0.2, power_w=4000.0, meter=False)
    assert home.active.target_w == pytest.approx(5000.0 - 3000.0)


def test_a_generation_limit_leaves_room_for_uncontrolled_pv_by_its_reading_else_its_rating() -> None:
    home = started(**OTHERS)
    home.bus.deliver(topics.LIMIT, limit(home.clock.now(), generation_limit_w=3000.0, ttl_s=300.0), "manual")
    home.run(15.0)
    assert home.active.target_w == pytest.approx(3000.0 - 1000.0)
    for _ in range(15):
        now = home.clock.now()
        made = m.PowerReading(issued_at=now, measured_at=now, power_w=200.0)
        home.bus.deliver(topics.UNCONTROLLED_READING, made, "shed")
        home.run(0.2)
    assert home.active.target_w == pytest.approx(3000.0 - 200.0)
