"""An inverter behind MQTT in the whole writer, on a bus in memory: it obeys the rules of every inverter."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynexport import topics
from dynexport.clock import FakeClock
from dynexport.messages import (
    ControlState,
    HardwareFallback,
    InverterCapability,
    InverterControl,
    InverterReading,
)
from dynexport.testing.builders import setpoint, site
from dynexport.testing.context import codes, fake_context
from inverter_writer.app import Writer

BARN: dict[str, Any] = {
    "id": "barn",
    "driver": "mqtt",
    "rated_w": 5000,
    "topic": "barn/power",
    "fields": {"power_w": "p"},
    "command": {
        "topic": "barn/limit",
        "payload": '{"w": ${limit_w}, "kw": ${limit_kw}, "pct": ${limit_pct}}',
    },
}
READ_BACK = {"topic": "barn/state", "fields": {"limit_w": "held"}}
SWITCHED = {
    "command": {"topic": "barn/limit", "payload": '{"w": ${limit_w}, "on": ${connect}}'},
    "read_back": {"topic": "barn/state", "fields": {"limit_w": "held", "connect": "on"}},
}
SHARE_W = 1500.0


class Barn:
    """A writer whose only inverter is behind MQTT; the failsafe share is 1500 W."""

    def __init__(self, *, sections: dict[str, Any] | None = None, **changed: Any) -> None:
        self.clock = FakeClock()
        shape = site(inverters=[{**BARN, **changed}], **(sections or {}))
        self.context, self.bus = fake_context("inverter-writer", shape, self.clock)
        self.writer = Writer(self.context)
        self.writer.start()
        self.power_w = 1000.0
        self.held: dict[str, Any] | None = None
        self.target_w: float | None = None
        self.connect = True
        self.speaks = True
        self._seq = 0

    def step(self) -> None:
        self.writer.step(self.bus.drain(), self.context.moment())

    def say(self, *, retained: bool = False, **document: Any) -> None:
        said = json.dumps(document or {"p": self.power_w}).encode()
        self.bus.deliver_raw("barn/power", said, retained=retained)

    def report(self, *, retained: bool = False, **document: Any) -> None:
        self.bus.deliver_raw("barn/state", json.dumps(document).encode(), retained=retained)

    def second(self) -> None:
        """Everybody speaks, then three quarters of a second without."""
        if self.speaks:
            self.say()
            if self.held is not None:
                self.report(**self.held)
        if self.target_w is not None:
            self._seq += 1
            said = setpoint(self.target_w, self.clock.now(), self._seq, connect=self.connect)
            self.bus.deliver(topics.SETPOINT, said, "barn")
        for _ in range(4):
            self.step()
            self.clock.advance(0.25)

    def seconds(self, number: int) -> None:
        for _ in range(number):
            self.second()

    @property
    def sent(self) -> list[dict[str, Any]]:
        assert {path for path, _ in self.bus.raw_published} <= {"barn/limit"}
        return [json.loads(payload) for _, payload in self.bus.raw_published]

    @property
    def watts(self) -> list[int]:
        return [each["w"] for each in self.sent]

    @property
    def control(self) -> InverterControl:
        last = self.bus.last(topics.INVERTER_CONTROL, "barn")
        assert isinstance(last, InverterControl)
        return last

    @property
    def readings(self) -> list[InverterReading]:
        found = self.bus.all(topics.INVERTER_READING, "barn")
        return [each for each in found if isinstance(each, InverterReading)]


def test_a_setpoint_is_sent_in_the_owners_words_rounded_down() -> None:
    barn = Barn()
    barn.target_w = 1238.0
    barn.seconds(3)
    assert barn.sent[-1] == {"w": 1235, "kw": 1.235, "pct": 24.7}
    assert (barn.control.state, barn.control.applied_w) == (ControlState.FOLLOWING, pytest.approx(1235.0))


def test_without_a_read_back_it_is_told_0_w_until_the_engine_speaks() -> None:
    barn = Barn()
    barn.seconds(3)
    assert set(barn.watts) == {0}
    barn.target_w = 4000.0
    barn.seconds(2)
    assert barn.watts[-1] == 4000
    assert barn.control.read_back_w is None


def test_nothing_is_sent_before_it_has_spoken_or_had_its_time_to() -> None:
    barn = Barn()
    barn.speaks = False
    barn.seconds(5)
    assert barn.sent == []
    barn.seconds(2)
    assert barn.watts[-1] == 0


def test_a_first_contact_keeps_the_smaller_of_what_it_holds_and_what_is_wanted() -> None:
    barn = Barn(read_back=READ_BACK)
    barn.held = {"held": 600}
    barn.second()
    assert barn.watts == [600]
    assert "first_contact" in codes(barn.bus, "inverter-writer")


def test_each_message_is_one_reading_with_the_moment_of_its_arrival() -> None:
    barn = Barn()
    barn.seconds(4)
    readings = barn.readings
    assert len(readings) == 4
    assert len({reading.measured_at for reading in readings}) == 4
    assert [reading.power_w for reading in readings] == [1000.0] * 4


def test_a_reading_published_again_with_its_old_time_ages() -> None:
    barn = Barn(fields={"power_w": "p", "measured_at": "at"})
    at = barn.clock.now().isoformat()
    for _ in range(8):
        barn.speaks = False
        barn.say(p=900.0, at=at)
        barn.second()
    assert len(barn.readings) == 1
    assert "device_error" in codes(barn.bus, "inverter-writer")


def test_a_stored_copy_is_no_reading_and_no_read_back() -> None:
    barn = Barn(read_back=READ_BACK)
    barn.speaks = False
    barn.say(retained=True)
    barn.report(retained=True, held=5000)
    barn.seconds(7)
    assert barn.readings == []
    assert set(barn.watts) == {0}
    assert barn.bus.counters.rejected == 2


def test_what_waited_while_the_process_was_frozen_is_no_reading() -> None:
    barn = Barn()
    barn.seconds(2)
    barn.clock.advance(20.0)
    barn.say(p=3000.0)
    barn.step()
    assert [reading.power_w for reading in barn.readings] == [1000.0, 1000.0]
    barn.clock.advance(1.5)
    barn.say(p=2000.0)
    barn.step()
    assert barn.readings[-1].power_w == 2000.0


def test_a_silent_engine_leaves_the_smaller_of_the_last_target_and_the_share() -> None:
    barn = Barn()
    barn.target_w = 4000.0
    barn.seconds(3)
    barn.target_w = None
    barn.seconds(17)
    assert (barn.control.state, barn.watts[-1]) == (ControlState.FAILSAFE, int(SHARE_W))
    assert "engine_lost" in codes(barn.bus, "inverter-writer")


def test_a_silent_engine_never_raises_what_was_told() -> None:
    barn = Barn()
    barn.target_w = 300.0
    barn.seconds(3)
    barn.target_w = None
    before = len(barn.watts)
    barn.seconds(30)
    assert set(barn.watts[before:]) == {300}


def test_a_silent_publisher_is_no_reading_and_its_limit_is_still_drawn_in() -> None:
    barn = Barn()
    barn.target_w = 4000.0
    barn.seconds(3)
    barn.speaks, barn.target_w = False, 500.0
    barn.seconds(12)
    assert barn.watts[-1] == 500
    assert len(barn.readings) == 3
    barn.target_w = 4500.0
    before = len(barn.watts)
    barn.seconds(60)
    assert set(barn.watts[before:]) == {500}
    assert len(barn.watts) - before <= 10
    barn.target_w = 4500.0
    barn.speaks = True
    barn.seconds(4)
    assert barn.watts[-1] == 4500


def test_a_silent_publisher_that_says_what_it_holds_is_drawn_in_to_the_share_at_a_start() -> None:
    barn = Barn(read_back=READ_BACK)
    barn.speaks = False
    for _ in range(10):
        barn.report(held=4000)
        barn.second()
    assert set(barn.watts) == {int(SHARE_W)}


def test_a_limit_is_repeated_every_8_s() -> None:
    barn = Barn()
    barn.target_w = 2000.0
    barn.seconds(3)
    before = len(barn.watts)
    barn.seconds(24)
    assert barn.watts[before:] == [2000, 2000, 2000]


def test_a_tightening_goes_at_once_and_a_raise_a_second_later() -> None:
    barn = Barn()
    barn.target_w = 3000.0
    barn.seconds(10)
    barn.target_w = 1000.0
    barn.bus.deliver(topics.SETPOINT, setpoint(1000.0, barn.clock.now(), 1000), "barn")
    barn.step()
    assert barn.watts[-1] == 1000


def test_somebody_elses_looser_limit_is_overwritten_and_told() -> None:
    barn = Barn(read_back=READ_BACK)
    barn.target_w, barn.held = 2000.0, {"held": 2000}
    barn.seconds(8)
    before = len(barn.watts)
    barn.held = {"held": 4500}
    barn.seconds(3)
    assert set(barn.watts[before:]) == {2000}
    assert len(barn.watts) - before >= 2
    assert barn.control.conflict is True
    assert barn.control.read_back_w == 4500.0


def test_somebody_elses_tighter_limit_stands_for_5_minutes() -> None:
    barn = Barn(read_back=READ_BACK)
    barn.target_w, barn.held = 2000.0, {"held": 2000}
    barn.seconds(8)
    barn.held = {"held": 700}
    barn.seconds(8)
    before = len(barn.watts)
    barn.target_w = 2500.0
    barn.seconds(60)
    assert barn.watts[before:] == []


def test_a_report_that_lags_behind_a_command_is_no_conflict() -> None:
    barn = Barn(read_back=READ_BACK)
    barn.target_w, barn.held = 2000.0, {"held": 2000}
    barn.seconds(8)
    barn.target_w = 1000.0
    barn.seconds(2)
    barn.held = {"held": 1000}
    barn.seconds(5)
    assert barn.control.conflict is False
    assert "conflict" not in codes(barn.bus, "inverter-writer")


def test_a_disconnect_is_said_where_the_payload_has_a_word_for_it() -> None:
    barn = Barn(**SWITCHED)
    barn.held, barn.target_w = {"held": 2000, "on": True}, 2000.0
    barn.seconds(3)
    assert barn.sent[-1] == {"w": 2000, "on": True}
    barn.connect = False
    barn.seconds(2)
    assert barn.sent[-1]["on"] is False
    assert barn.control.connect is False


def test_without_a_word_for_it_a_disconnect_is_0_w() -> None:
    barn = Barn()
    barn.target_w, barn.connect = 2000.0, False
    barn.seconds(3)
    assert barn.watts[-1] == 0
    assert "held at 0 W instead" in str(barn.control.reason)


def test_silence_never_connects_what_is_disconnected() -> None:
    barn = Barn(**SWITCHED)
    barn.held = {"held": 2000, "on": False}
    barn.seconds(20)
    assert {each["on"] for each in barn.sent} == {False}


def test_what_cannot_be_sent_is_not_said_to_be_applied() -> None:
    barn = Barn()
    barn.target_w = 3000.0
    barn.seconds(3)
    barn.bus.online = False
    barn.target_w = 500.0
    barn.seconds(2)
    barn.bus.online = True
    assert barn.writer.jobs["barn"].applied_w == 3000.0
    barn.seconds(2)
    assert (barn.watts[-1], barn.control.applied_w) == (500, 500.0)


def test_with_writing_disabled_nothing_is_sent() -> None:
    barn = Barn(sections={"control": {"enabled": False}})
    barn.target_w = 3000.0
    barn.seconds(5)
    barn.writer.stop(barn.context.moment())
    assert barn.sent == []
    assert barn.control.state is ControlState.DISABLED


def test_an_inverter_without_a_command_is_read_and_says_that_it_is_not_limited() -> None:
    barn = Barn(command=None)
    barn.target_w = 3000.0
    barn.seconds(3)
    assert barn.sent == []
    assert barn.control.state is ControlState.FAULT
    assert barn.readings[-1].power_w == 1000.0


@pytest.mark.parametrize(("on_stop", "left"), [("failsafe", 1500), ("hold", 3000), ("release", 5000)])
def test_a_stop_leaves_what_site_yaml_says(on_stop: str, left: int) -> None:
    barn = Barn(sections={"control": {"enabled": True, "on_stop": on_stop}})
    barn.target_w = 3000.0
    barn.seconds(3)
    barn.writer.stop(barn.context.moment())
    assert barn.watts[-1] == left
    assert "stop_not_written" not in codes(barn.bus, "inverter-writer")


def test_what_the_other_side_does_when_we_die_stands_in_the_capability() -> None:
    barn = Barn(when_silent="holds_last")
    barn.second()
    capability = barn.bus.last(topics.INVERTER_CAPABILITY, "barn")
    assert isinstance(capability, InverterCapability)
    assert (capability.driver, capability.hardware_fallback) == ("mqtt", HardwareFallback.HOLDS_LAST)
    assert (capability.max_w, capability.can_disconnect, capability.persistent) == (5000.0, False, False)


def test_a_message_that_is_no_reading_is_dropped_and_told_once() -> None:
    barn = Barn()
    for _ in range(5):
        barn.say(q=1.0)
        barn.step()
    assert barn.readings == []
    assert codes(barn.bus, "inverter-writer").count("inverter_refused") == 1
    assert barn.writer.health().device_errors == 5


EVENTS = st.sampled_from(
    ["engine", "no engine", "speaks", "silent", "reports", "no report", "broker", "freeze"]
)


@settings(max_examples=60, deadline=None)
@given(
    st.booleans(),
    st.lists(st.tuples(EVENTS, st.integers(0, 5000), st.integers(1, 25)), min_size=3, max_size=12),
)
def test_a_raise_was_always_told_by_a_live_setpoint(reports: bool, story: list[tuple[str, int, int]]) -> None:
    barn = Barn(read_back=READ_BACK) if reports else Barn()
    told: list[tuple[float, float]] = []
    sent, standing_w, seen_w = False, 0.0, 0.0
    for event, value_w, seconds in story:
        match event:
            case "engine":
                barn.target_w = float(value_w)
            case "no engine":
                barn.target_w = None
            case "speaks" | "silent":
                barn.speaks = event == "speaks"
            case "reports" | "no report":
                barn.held = {"held": value_w} if reports and event == "reports" else None
            case "broker":
                barn.bus.online = not barn.bus.online
            case "freeze":
                barn.clock.advance(float(seconds))
        for _ in range(seconds):
            if barn.target_w is not None:
                told.append((barn.clock.mono(), barn.target_w))
            barn.bus.raw_published.clear()
            barn.second()
            live_w = max((w for at, w in told if barn.clock.mono() - at <= 16.5), default=0.0)
            if barn.held is not None and barn.speaks and not sent:
                seen_w = barn.held["held"]
            for sent_w in barn.watts if barn.bus.online else []:
                assert sent_w <= max(standing_w, live_w, seen_w) + 1.0
                sent, standing_w, seen_w = True, float(sent_w), 0.0
