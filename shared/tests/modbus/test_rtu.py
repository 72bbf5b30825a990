"""The master of an RTU bus, over real pseudo-terminals and sockets: what lines, gateways and devices do to it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dynexport.cli.main import application
from dynexport.clock import SystemClock
from dynexport.modbus.endpoint import BadAnswer, Endpoint, Refused, Unreachable
from dynexport.modbus.rtu import seal

from .rtu_bus import Bus, Gateway, Line, registers

CLOCK = SystemClock()
TIMEOUT_S = 0.3


@pytest.fixture(params=["serial", "gateway"])
def bus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Line | Gateway]:
    made = Line(tmp_path / "ttyUSB0") if request.param == "serial" else Gateway()
    yield made
    made.close()


@pytest.fixture
def master(bus: Bus) -> Iterator[Endpoint]:
    made = Endpoint(bus.address, timeout_s=TIMEOUT_S)
    yield made
    made.close()


def test_a_frame_ends_with_the_checksum_of_the_standard() -> None:
    assert seal(bytes.fromhex("010300000001")).hex() == "010300000001840a"


def test_registers_are_read_and_written(bus: Bus, master: Endpoint) -> None:
    assert master.read_holding(1, 40, 3) == (40, 41, 42)
    master.write_registers(2, 100, [7, 8])
    assert bus.requests[-1] == seal(struct.pack(">BBHHBHH", 2, 16, 100, 2, 4, 7, 8))


def test_input_registers_are_read_and_one_register_is_written(bus: Bus, master: Endpoint) -> None:
    assert master.read_input(1, 40, 3) == (40, 41, 42)
    master.write_register(2, 100, 7)
    assert bus.requests == [seal(struct.pack(">BBHH", 1, 4, 40, 3)), seal(struct.pack(">BBHH", 2, 6, 100, 7))]


def test_after_a_silence_on_input_registers_it_is_asked_for_those_only(bus: Bus, master: Endpoint) -> None:
    """A meter that has input registers only may never answer function 3."""
    good, bus.answer = bus.answer, lambda request: []
    with pytest.raises(Unreachable):
        master.read_input(1, 40, 3)
    bus.answer = good
    assert master.read_input(1, 40, 3) == (40, 41, 42)
    assert {function for _, function, _, _ in bus.questions()} == {4}


def test_more_than_125_registers_are_read_in_parts(bus: Bus, master: Endpoint) -> None:
    assert master.read_holding(1, 0, 200) == tuple(range(200))
    assert [count for _, _, _, count in bus.questions()] == [125, 75]


def test_a_refusal_is_told_with_its_code(bus: Bus, master: Endpoint) -> None:
    bus.answer = lambda request: [(0.0, seal(bytes([request[0], request[1] | 0x80, 2])))]
    with pytest.raises(Refused) as refused:
        master.read_holding(1, 40, 3)
    assert refused.value.code == 2


def test_silence_is_unreachable_within_the_timeout(bus: Bus, master: Endpoint) -> None:
    bus.answer = lambda request: []
    began = CLOCK.mono()
    with pytest.raises(Unreachable, match="unit 1: read of 1 registers at 40: no answer"):
        master.read_holding(1, 40, 1)
    assert CLOCK.mono() - began < 1.0


def test_a_late_answer_is_never_taken_for_the_next_ones(bus: Bus, master: Endpoint) -> None:
    """Finding 2 of devices.md: asked for 222 got 111, asked for 333 got 222, for ever."""
    late = iter([TIMEOUT_S + 0.1])
    bus.answer = lambda request: [(next(late, 0.0), bus.good(request))]
    with pytest.raises(Unreachable):
        master.read_holding(1, 111, 1)
    assert master.read_holding(1, 222, 1) == (222,)
    assert master.read_holding(1, 333, 1) == (333,)


def test_a_late_answer_is_never_taken_for_a_write_that_was_done(bus: Bus, master: Endpoint) -> None:
    late = iter([TIMEOUT_S + 0.1])
    bus.answer = lambda request: [(next(late, 0.0), bus.good(request))]
    with pytest.raises(Unreachable):
        master.write_registers(1, 100, [1])
    master.write_registers(1, 100, [2])
    assert bus.requests[-1] == seal(struct.pack(">BBHHBH", 1, 16, 100, 1, 2, 2))
    assert [function for _, function, _, _ in bus.questions()] == [16, 3, 16]


def test_a_late_refusal_does_not_shift_the_answers_either(bus: Bus, master: Endpoint) -> None:
    answers = iter([[(TIMEOUT_S + 0.1, seal(b"\x01\x83\x02"))]])
    bus.answer = lambda request: next(answers, [(0.0, bus.good(request))])
    with pytest.raises(Unreachable):
        master.read_holding(1, 111, 1)
    seen: list[tuple[int, ...]] = []
    for _ in range(4):
        try:
            seen.append(master.read_holding(1, 222, 2))
        except (Refused, BadAnswer, Unreachable):
            continue
    assert set(seen) == {(222, 223)}


def test_a_unit_that_is_dead_all_night_is_asked_in_frames_of_the_usual_size(
    bus: Bus, master: Endpoint
) -> None:
    bus.answer = lambda request: []
    for _ in range(5):
        with pytest.raises(Unreachable):
            master.read_holding(1, 40, 3)
    assert max(count for _, _, _, count in bus.questions()) <= 5


def test_a_frame_with_a_wrong_checksum_is_refused_and_the_next_is_good(bus: Bus, master: Endpoint) -> None:
    spoilt = registers(1, 7)[:-1] + b"\x00"
    answers = iter([spoilt])
    bus.answer = lambda request: [(0.0, next(answers, bus.good(request)))]
    with pytest.raises(BadAnswer, match="bytes that are no answer: 01 03 02"):
        master.read_holding(1, 40, 1)
    assert master.read_holding(1, 40, 1) == (40,)


@pytest.mark.parametrize("noise", [b"\x00", b"\xff\x00\xff", b"\x01\x03", b"\x01\x03\x06"])
def test_noise_before_a_frame_costs_nothing(bus: Bus, master: Endpoint, noise: bytes) -> None:
    bus.answer = lambda request: [(0.0, noise + bus.good(request))]
    assert master.read_holding(1, 40, 3) == (40, 41, 42)
    assert len(bus.requests) == 1


def test_noise_after_a_frame_is_not_the_beginning_of_the_next(bus: Bus, master: Endpoint) -> None:
    bus.answer = lambda request: [(0.0, bus.good(request) + b"\x00\xff")]
    for _ in range(3):
        assert master.read_holding(1, 40, 3) == (40, 41, 42)


def test_bytes_that_are_no_frame_are_a_bad_answer(bus: Bus, master: Endpoint) -> None:
    bus.answer = lambda request: [(0.0, b"\x55" * 20)]
    with pytest.raises(BadAnswer, match="20 bytes that are no answer"):
        master.read_holding(1, 40, 3)


def test_a_frame_that_comes_in_parts_is_put_together(bus: Bus, master: Endpoint) -> None:
    bus.answer = lambda request: [(0.05, bus.good(request)[at : at + 3]) for at in range(0, 11, 3)]
    assert master.read_holding(1, 40, 3) == (40, 41, 42)


def test_the_answer_of_another_unit_is_not_taken(bus: Bus, master: Endpoint) -> None:
    bus.answer = lambda request: [(0.0, registers(2, 7, 8, 9))]
    with pytest.raises(Unreachable):
        master.read_holding(1, 40, 3)


def test_after_the_answer_of_another_unit_the_own_one_is_waited_for(bus: Bus, master: Endpoint) -> None:
    bus.answer = lambda request: [(0.0, registers(2, 7, 8, 9)), (0.05, bus.good(request))]
    assert master.read_holding(1, 40, 3) == (40, 41, 42)


def test_fewer_registers_than_asked_for_are_a_bad_answer(bus: Bus, master: Endpoint) -> None:
    bus.answer = lambda request: [(0.0, registers(1, 40))]
    with pytest.raises(BadAnswer, match="an answer to another question"):
        master.read_holding(1, 40, 3)


def test_an_answer_to_another_function_is_a_bad_answer(bus: Bus, master: Endpoint) -> None:
    bus.answer = lambda request: [(0.0, seal(b"\x01\x04\x02\x00\x07"))]
    with pytest.raises(BadAnswer):
        master.read_holding(1, 40, 1)


def test_a_write_that_is_confirmed_for_another_address_is_a_bad_answer(bus: Bus, master: Endpoint) -> None:
    bus.answer = lambda request: [(0.0, seal(struct.pack(">BBHH", 1, 16, 101, 1)))]
    with pytest.raises(BadAnswer, match="for another request"):
        master.write_registers(1, 100, [5])


def test_an_adapter_that_hears_itself_does_no_harm(bus: Bus, master: Endpoint) -> None:
    bus.answer = lambda request: [(0.0, request), (0.01, bus.good(request))]
    assert master.read_holding(1, 40, 3) == (40, 41, 42)
    master.write_registers(1, 100, [7, 8])


def test_what_came_unasked_is_dropped_before_the_next_question(bus: Bus, master: Endpoint) -> None:
    master.read_holding(1, 40, 1)
    bus.send(registers(1, 999))
    CLOCK.sleep(0.05)
    assert master.read_holding(1, 40, 1) == (40,)


def test_a_gateway_that_drops_the_connection_is_connected_again_at_once() -> None:
    gateway = Gateway()
    master = Endpoint(gateway.address, timeout_s=TIMEOUT_S)
    assert master.read_holding(1, 40, 1) == (40,)
    gateway.drop()
    assert master.read_holding(1, 41, 1) == (41,)
    master.close()
    gateway.close()
    with pytest.raises(Unreachable, match="no connection"):
        master.read_holding(1, 40, 1)


def test_a_device_behind_a_gateway_in_raw_mode_is_dumped(tmp_path: Path) -> None:
    gateway = Gateway()
    place = f"127.0.0.1:{gateway.address.port}"
    words = ["dump", place, "--rtu", "--registers", "40-42", "--config", str(tmp_path / "none.yaml")]
    done = CliRunner().invoke(application(), words)
    gateway.close()
    assert done.exit_code == 0, done.output
    assert "40: 0028 0029 002a" in done.output
