"""The endpoint against odd answers, on real sockets: devices.md, findings 2 to 4."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from dynexport.broker import free_port
from dynexport.clock import FakeClock, SystemClock
from dynexport.modbus.endpoint import (
    BackOff,
    BadAnswer,
    Endpoint,
    ModbusError,
    Refused,
    TcpAddress,
    Unreachable,
)
from dynexport.modbus.worker import EndpointWorker

CLOCK = SystemClock()


def test_registers_are_read(server: Any, endpoint: Endpoint) -> None:
    server.put(1, 100, 7, 8, 9)
    assert endpoint.read_holding(1, 100, 3) == (7, 8, 9)


def test_more_than_125_registers_are_read_in_parts(server: Any, endpoint: Endpoint) -> None:
    server.put(1, 0, *range(300))
    assert endpoint.read_holding(1, 0, 300) == tuple(range(300))
    assert [count for _, _, _, count in server.requests] == [125, 125, 50]


def test_silence_is_unreachable_within_the_timeout_and_closes_the_socket(
    server: Any, endpoint: Endpoint
) -> None:
    server.put(1, 100, 7)
    endpoint.read_holding(1, 100, 1)
    server.mood = "silent"
    began = CLOCK.mono()
    with pytest.raises(Unreachable, match="unit 1: read of 1 registers at 100"):
        endpoint.read_holding(1, 100, 1)
    assert CLOCK.mono() - began < 1.0
    server.mood = "fine"
    assert endpoint.read_holding(1, 100, 1) == (7,)
    assert server.connections == 2, "a late answer to the old question must not be taken for the next one's"


@pytest.mark.parametrize("mood", ["short", "wrong_function"])
def test_an_answer_that_does_not_fit_is_refused_and_closes_the_socket(
    server: Any, endpoint: Endpoint, mood: str
) -> None:
    server.put(1, 100, 7, 8)
    server.mood = mood
    with pytest.raises(BadAnswer):
        endpoint.read_holding(1, 100, 2)
    server.mood = "fine"
    assert endpoint.read_holding(1, 100, 2) == (7, 8)
    assert server.connections == 2


def test_a_modbus_exception_is_told_with_its_code_and_keeps_the_connection(
    server: Any, endpoint: Endpoint
) -> None:
    with pytest.raises(Refused) as refused:
        endpoint.read_holding(1, 100, 1)
    assert refused.value.code == 2
    server.put(1, 100, 7)
    assert endpoint.read_holding(1, 100, 1) == (7,)
    assert server.connections == 1


def test_a_connection_that_was_reset_meanwhile_is_opened_again_at_once(
    server: Any, endpoint: Endpoint
) -> None:
    server.put(1, 100, 7)
    endpoint.read_holding(1, 100, 1)
    server.drop()
    assert endpoint.read_holding(1, 100, 1) == (7,)


def test_a_port_that_nobody_serves_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="no connection"):
        Endpoint(TcpAddress("127.0.0.1", free_port()), timeout_s=0.3).read_holding(1, 0, 1)


def test_registers_are_written_in_one_request(server: Any, endpoint: Endpoint) -> None:
    endpoint.write_registers(1, 100, [1, 2, 3])
    assert server.writes == [(1, 100, [1, 2, 3])]


def test_input_registers_are_others_than_holding_registers(server: Any, endpoint: Endpoint) -> None:
    server.put(1, 100, 7)
    server.put_input(1, 100, 8)
    assert endpoint.read_input(1, 100, 1) == (8,)
    assert endpoint.read_holding(1, 100, 1) == (7,)
    assert [function for _, function, _, _ in server.requests] == [4, 3]


def test_one_register_is_written_by_function_6(server: Any, endpoint: Endpoint) -> None:
    endpoint.write_register(1, 100, 0xAA)
    assert server.requests == [(1, 6, 100, 0xAA)]
    assert server.writes == [(1, 100, [0xAA])]


@pytest.mark.parametrize("value", [-1, 65536])
def test_a_single_value_beyond_16_bit_is_refused_before_it_is_sent(
    server: Any, endpoint: Endpoint, value: int
) -> None:
    with pytest.raises(ValueError, match=r"0\.\.65535"):
        endpoint.write_register(1, 100, value)
    assert server.requests == []


@pytest.mark.parametrize("value", [-1, 65536])
def test_a_value_beyond_16_bit_is_refused_before_it_is_sent(
    server: Any, endpoint: Endpoint, value: int
) -> None:
    with pytest.raises(ValueError, match=r"0\.\.65535"):
        endpoint.write_registers(1, 100, [value])
    assert server.requests == []


def test_a_unit_that_fails_is_left_alone_longer_and_longer() -> None:
    back_off, mono, waits = BackOff(), 0.0, []
    for _ in range(7):
        back_off.failed(mono)
        waits.append(back_off.until - mono)
        mono = back_off.until
    assert waits == [0, 1, 2, 4, 8, 10, 10]
    back_off.succeeded()
    assert back_off.ready(mono)


class Job:
    """Counts its runs; fails when told."""

    def __init__(self, unit: int, fails: bool = False) -> None:
        self.unit = unit
        self.urgent = False
        self.fails = fails
        self.runs = 0
        self.failures = 0

    def due(self, mono: float) -> float:
        return 0.0

    def run(self, endpoint: Endpoint, mono: float) -> None:
        self.runs += 1
        CLOCK.sleep(0.005)
        if self.fails:
            raise Unreachable("no answer")

    def failed(self, error: ModbusError, mono: float) -> None:
        self.failures += 1


def worker_of(endpoint: Endpoint, *jobs: Any) -> EndpointWorker:
    worker = EndpointWorker(endpoint, list(jobs), CLOCK, lambda: None)
    worker.start()
    return worker


def test_a_unit_that_does_not_answer_does_not_starve_the_others(endpoint: Endpoint) -> None:
    sick, well = Job(1, fails=True), Job(2)
    worker = worker_of(endpoint, sick, well)
    CLOCK.sleep(0.5)
    assert worker.stop(1.0)
    assert sick.runs == sick.failures <= 3
    assert well.runs > 20


def test_an_urgent_job_goes_first(endpoint: Endpoint) -> None:
    patient, urgent = Job(1), Job(2)
    urgent.urgent = True
    worker = worker_of(endpoint, patient, urgent)
    CLOCK.sleep(0.3)
    worker.stop(1.0)
    assert urgent.runs > 20
    assert patient.runs == 0


def test_what_is_no_modbus_error_is_kept_for_the_service_to_see(endpoint: Endpoint) -> None:
    class Broken(Job):
        def run(self, endpoint: Endpoint, mono: float) -> None:
            raise ZeroDivisionError

    ended = threading.Event()
    worker = EndpointWorker(endpoint, [Broken(1)], CLOCK, ended.set)
    worker.start()
    assert ended.wait(2.0)
    worker.join(1.0)
    assert isinstance(worker.crashed, ZeroDivisionError)


def test_a_long_job_over_a_slow_device_is_not_a_stuck_call(server: Any, endpoint: Endpoint) -> None:
    clock, stuck = FakeClock(), []

    class Slow(Job):
        def run(self, endpoint: Endpoint, mono: float) -> None:
            for _ in range(5):
                clock.advance(3.0)
                endpoint.read_holding(1, 100, 1)
                stuck.append(worker.busy_for(clock.mono()))
            clock.advance(11.0)
            stuck.append(worker.busy_for(clock.mono()))
            raise ZeroDivisionError

    server.put(1, 100, 7)
    worker = EndpointWorker(endpoint, [Slow(1)], clock, lambda: None)
    worker.start()
    worker.join(2.0)
    assert stuck == [0.0, 0.0, 0.0, 0.0, 0.0, 11.0]
