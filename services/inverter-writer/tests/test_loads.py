"""Loads that the writer commands, on a bus in memory."""

from __future__ import annotations

from typing import Any

from dynexport import topics
from dynexport.clock import FakeClock
from dynexport.messages import ControlState, LoadControl
from dynexport.testing.builders import setpoint, site
from dynexport.testing.context import codes, fake_context
from inverter_writer.app import Writer

BOILER: dict[str, Any] = {
    "id": "boiler",
    "rated_w": 2000,
    "command": {"topic": "boiler/relay", "on": "ON", "off": "OFF"},
}
CHARGER: dict[str, Any] = {
    "id": "car",
    "rated_w": 7000,
    "control": "watts",
    "min_w": 1400,
    "command": {"topic": "car/limit", "payload": '{"w": ${limit_w}, "kw": ${limit_kw}, "go": ${on}}'},
}


class House:
    """A writer with loads and one inverter that nobody asks."""

    def __init__(self, *loads: dict[str, Any], **sections: Any) -> None:
        self.clock = FakeClock()
        self.context, self.bus = fake_context(
            "inverter-writer", site(loads=list(loads) or [BOILER], **sections), self.clock
        )
        self.writer = Writer(self.context)
        self.writer.loads.start()
        self._seq = 0

    def allow(self, load: str, target_w: float, **fields: Any) -> None:
        self._seq += 1
        said = setpoint(target_w, self.clock.now(), self._seq, **fields)
        self.bus.deliver(topics.LOAD_SETPOINT, said, load)

    def run(self, seconds: float = 0.25) -> None:
        for _ in range(max(1, round(seconds / 0.25))):
            self.writer.step(self.bus.drain(), self.context.moment())
            self.clock.advance(0.25)

    def sent(self) -> list[tuple[str, str]]:
        found = [(path, payload.decode()) for path, payload in self.bus.raw_published]
        self.bus.raw_published.clear()
        return found

    def control(self, load: str) -> LoadControl:
        last = self.bus.last(topics.LOAD_CONTROL, load)
        assert isinstance(last, LoadControl)
        return last


def test_a_switch_is_told_on_once_and_off_at_once_and_again() -> None:
    house = House()
    house.allow("boiler", 2000.0)
    house.run()
    assert house.sent() == [("boiler/relay", "ON")]
    house.run(9.0)
    assert house.sent() == []
    house.allow("boiler", 1200.0)
    house.run()
    assert house.sent() == [("boiler/relay", "OFF")]
    house.run(8.0)
    assert house.sent() == [("boiler/relay", "OFF")]
    control = house.control("boiler")
    assert (control.state, control.requested_w, control.applied_w) == (ControlState.FOLLOWING, 1200.0, 0.0)


def test_watts_are_told_in_the_owners_words_and_none_below_the_least() -> None:
    house = House(CHARGER)
    house.allow("car", 3456.7)
    house.run()
    house.allow("car", 1399.0)
    house.run()
    assert house.sent() == [
        ("car/limit", '{"w": 3456, "kw": 3.456, "go": true}'),
        ("car/limit", '{"w": 0, "kw": 0, "go": false}'),
    ]


def test_nothing_is_told_before_anybody_has_spoken() -> None:
    house = House()
    house.run(30.0)
    assert house.sent() == []
    assert house.control("boiler").state is ControlState.FAILSAFE
    assert "load_engine_lost" not in codes(house.bus, "inverter-writer")


def test_a_silent_engine_leaves_what_was_told_last() -> None:
    house = House(CHARGER)
    house.allow("car", 3000.0)
    house.run()
    house.sent()
    house.run(30.0)
    assert {payload for _, payload in house.sent()} == {'{"w": 3000, "kw": 3, "go": true}'}
    assert house.control("car").state is ControlState.FAILSAFE
    assert "load_engine_lost" in codes(house.bus, "inverter-writer")


def test_a_silent_engine_switches_off_what_is_to_be_off_then() -> None:
    command = {**BOILER["command"], "when_silent": "off"}
    house = House({**BOILER, "command": command})
    house.allow("boiler", 2000.0)
    house.run(14.0)
    assert house.sent() == [("boiler/relay", "ON")]
    house.run(2.0)
    assert house.sent() == [("boiler/relay", "OFF")]


def test_a_stop_switches_off_only_what_is_to_be_off_when_it_is_silent() -> None:
    command = {**BOILER["command"], "when_silent": "off"}
    house = House({**BOILER, "command": command}, CHARGER)
    house.allow("boiler", 2000.0)
    house.allow("car", 7000.0)
    house.run()
    house.sent()
    house.writer.loads.finish(house.context.moment())
    assert house.sent() == [("boiler/relay", "OFF")]


def test_another_engine_can_only_tighten_while_the_lease_is_held() -> None:
    house = House(CHARGER)
    house.allow("car", 3000.0)
    house.run()
    house.allow("car", 7000.0, engine_id="e2")
    house.run(2.0)
    assert house.control("car").applied_w == 3000.0
    house.allow("car", 2000.0, engine_id="e2")
    house.run()
    assert house.control("car").applied_w == 2000.0


def test_a_setpoint_out_of_order_is_refused_and_told() -> None:
    house = House()
    house.allow("boiler", 2000.0)
    house.run()
    said = setpoint(0.0, house.clock.now(), 0)
    house.bus.deliver(topics.LOAD_SETPOINT, said, "boiler")
    house.run()
    assert house.control("boiler").applied_w == 2000.0
    assert "setpoint_refused" in codes(house.bus, "inverter-writer")


def test_disconnected_is_off() -> None:
    house = House()
    house.allow("boiler", 2000.0, connect=False)
    house.run()
    assert house.sent() == [("boiler/relay", "OFF")]


def test_with_writing_disabled_nothing_is_told() -> None:
    house = House(control={"enabled": False})
    house.allow("boiler", 0.0)
    house.run(20.0)
    assert house.sent() == []
    assert house.control("boiler").state is ControlState.DISABLED


def test_after_a_reconnect_each_is_told_again() -> None:
    house = House()
    house.allow("boiler", 2000.0)
    house.run()
    house.sent()
    house.writer.connected(house.context.moment())
    assert house.sent() == [("boiler/relay", "ON")]


def test_what_could_not_be_sent_is_not_said_to_be_told() -> None:
    house = House()
    house.bus.online = False
    house.allow("boiler", 0.0)
    house.run(1.0)
    house.bus.online = True
    house.bus.raw_published.clear()
    house.run()
    assert house.sent() == [("boiler/relay", "OFF")]
    assert house.control("boiler").applied_w == 0.0


def test_a_load_without_a_command_is_left_to_its_own_program() -> None:
    house = House({"id": "boiler", "rated_w": 2000})
    house.allow("boiler", 2000.0)
    house.run(2.0)
    assert house.sent() == []
    assert topics.LOAD_SETPOINT not in house.bus.subscribed
    assert house.bus.all(topics.LOAD_CONTROL, "boiler") == []
