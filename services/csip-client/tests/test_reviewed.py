"""What a review showed: clocks that step, numbers that no message holds, what is stated while no time is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from csip_builders import held, program
from csip_house import House

from csip_client.controls import control
from csip_client.model import Answer, Mode
from csip_client.statement import tightest
from csip_client.wire.document import V1_2, WireError, parse, whole
from dynexport.testing.context import codes
from dynexport.testing.pki import Pki
from utility_simulator.tree import stated, watts

FALLBACK = {"export_limit_w": 1500.0}


@pytest.fixture
def house(pki: Pki, tmp_path: Path) -> Iterator[House]:
    made = House(pki, tmp_path)
    yield made
    made.end()


@pytest.mark.parametrize("step_s", [7200.0, -7200.0])
def test_a_step_of_our_own_clock_ends_no_control_and_answers_nothing(house: House, step_s: float) -> None:
    house.turn(70.0)
    now = int(house.utility.now())
    order = house.utility.control("AA", now, 1800, watts("opModExpLimW", 0))
    house.utility.programs[0][0].controls["A"] = order
    house.turn(70.0)
    assert house.limit is not None
    assert house.limit.export_limit_w == 0.0
    utility_now = house.utility.now
    house.clock.step_wall(step_s)
    house.utility.now = lambda: utility_now() - step_s  # the server's clock does not step
    house.turn(600.0)
    assert house.limit is not None
    assert house.limit.export_limit_w == 0.0
    assert [status for _, status in house.utility.answers()] == [1, 2]
    assert house.client.lanes.clock_offset_s == pytest.approx(-step_s, abs=2.0)


@pytest.mark.parametrize(("value", "multiplier"), [(32767, 4), (32767, 9)])
def test_no_limit_by_a_number_that_no_message_holds_does_not_end_the_service(
    house: House, value: int, multiplier: int
) -> None:
    base = watts("opModExpLimW", value, multiplier) + watts("opModGenLimW", 4000)
    house.utility.programs[0][0].default = stated(base)
    house.turn(70.0)
    assert house.limit is not None
    assert house.limit.export_limit_w == 1e8
    assert house.limit.generation_limit_w == 4000.0


@pytest.mark.parametrize(
    "interval",
    [
        "<duration>99999999999</duration><start>0</start>",
        "<duration>60</duration><start>99999999999999</start>",
        "<duration>60</duration><start>-1</start>",
    ],
)
def test_a_control_beyond_every_calendar_cannot_be_read(interval: str) -> None:
    body = (
        f'<DERControl xmlns="urn:ieee:std:2030.5:ns"><mRID>AA</mRID><interval>{interval}</interval>'
        "<DERControlBase/></DERControl>"
    )
    with pytest.raises(WireError):
        control(parse(body.encode()), device="D", program="P", primacy=1, set_max_w=1.0, version=V1_2)


def test_while_the_time_is_not_known_an_event_states_nothing_looser_than_the_fallback() -> None:
    event = held("A", 0, 60, {Mode.EXPORT: 9000.0})
    assert tightest([event], [], FALLBACK).watts == {"export_limit_w": 1500.0}
    with_default = [program("P1", 1, {Mode.EXPORT: 4000.0})]
    assert tightest([event], with_default, FALLBACK).watts == {"export_limit_w": 4000.0}


@pytest.mark.parametrize("ended", [Answer.COMPLETED, Answer.CANCELLED])
def test_while_the_time_is_not_known_an_event_that_has_ended_does_not_count(ended: Answer) -> None:
    event = held("A", 0, 60, {Mode.CONNECT: False}, answered=frozenset({Answer.RECEIVED, ended}))
    assert tightest([event], [program("P1", 1, {Mode.EXPORT: 4000.0})], FALLBACK).switches == {}


def test_op_mod_max_lim_w_is_a_share_of_the_set_max_w_that_we_report(house: House) -> None:
    from dynexport import topics
    from dynexport.messages import InverterCapability

    met = InverterCapability(issued_at=house.clock.now(), max_w=8000.0)
    house.turn(5.0)
    house.bus.deliver(topics.INVERTER_CAPABILITY, met, "roof")
    house.utility.programs[0][0].default = stated("<opModMaxLimW>5000</opModMaxLimW>")
    house.turn(130.0)
    assert house.limit is not None
    assert house.limit.generation_limit_w == 4000.0


@pytest.mark.parametrize("word", ["-+5", "+-5", "--5", "", "-"])
def test_what_is_no_number_is_no_crash(word: str) -> None:
    with pytest.raises(WireError):
        whole(word, "value")


@pytest.mark.parametrize("encoding", ["shift_jis", "utf-7", "no-such"])
def test_an_encoding_that_cannot_be_read_is_no_crash(encoding: str) -> None:
    with pytest.raises(WireError):
        parse(f'<?xml version="1.0" encoding="{encoding}"?><Time/>'.encode())


@pytest.mark.parametrize("reply_to", ["http://localhost/rsp", "https://[x", None])
def test_an_answer_that_can_never_be_sent_is_dropped_and_the_next_ones_go(
    house: House, reply_to: str | None
) -> None:
    house.turn(10.0)
    now = int(house.utility.now())
    bad = house.utility.control("AA" if reply_to else "AAB", now, 120, watts("opModExpLimW", 100))
    house.utility.programs[0][0].controls["bad"] = (
        bad if reply_to is None else replace(bad, reply_to=reply_to)
    )
    good = house.utility.control("CC", now + 5, 120, watts("opModGenLimW", 100))
    house.utility.programs[0][0].controls["good"] = good
    house.turn(200.0)
    assert [status for mrid, status in house.utility.answers() if mrid == "CC"] == [1, 2, 3]
    assert "csip_answer_refused" in codes(house.bus, "csip-client")
