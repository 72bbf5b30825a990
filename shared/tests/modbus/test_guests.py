"""Others' reads fit into the gaps between our own jobs: on a device in memory that takes 50 ms, on a fake clock."""

from __future__ import annotations

import itertools
from concurrent.futures import Future

import pytest

from dynexport.clock import FakeClock
from dynexport.modbus.endpoint import (
    Endpoint,
    ModbusError,
    Refused,
    SerialAddress,
    TcpAddress,
    Unreachable,
)
from dynexport.modbus.proxy.frames import NO_ANSWER, NO_PATH, Question, answer, refusal
from dynexport.modbus.proxy.guests import Guests
from dynexport.modbus.worker import EndpointWorker

ANSWER_S, TIMEOUT_S = 0.05, 1.0
OURS, SECOND, LISTED, FOREIGN = 1, 2, 7, 9


class Device(Endpoint):
    """Registers that say their own address; keeps who was asked when."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(TcpAddress("127.0.0.1", 1))
        self.clock = clock
        self.silent: set[int] = set()
        self.beyond_its_map: set[int] = set()
        self.refuses: set[int] = set()
        self.asked: list[tuple[float, int, int]] = []

    def read_holding(self, unit: int, address: int, count: int) -> tuple[int, ...]:
        self.asked.append((self.clock.mono(), unit, address))
        if unit in self.silent or address in self.beyond_its_map:
            self.clock.advance(TIMEOUT_S)
            raise Unreachable("no answer")
        self.clock.advance(ANSWER_S)
        self.on_answer()
        if address in self.refuses:
            raise Refused("no", 2)
        return tuple(range(address, address + count))

    def read_input(self, unit: int, address: int, count: int) -> tuple[int, ...]:
        return tuple(value + 1 for value in self.read_holding(unit, address, count))

    def count(self, unit: int) -> int:
        return sum(asked == unit for _, asked, _ in self.asked)


class Poll:
    """Our own reads of one unit: three requests every 0.5 s."""

    urgent = False

    def __init__(self, unit: int = OURS, reads: int = 3) -> None:
        self.unit = unit
        self.reads = reads
        self.began: list[float] = []
        self.late: list[float] = []
        self.next = float("-inf")

    def due(self, mono: float) -> float:
        return self.next - mono

    def run(self, endpoint: Endpoint, mono: float) -> None:
        self.late.append(mono - self.next)
        self.next = max(self.next + 0.5, mono + 0.25)
        self.began.append(mono)
        for number in range(self.reads):
            endpoint.read_holding(self.unit, number, 1)

    def failed(self, error: ModbusError, mono: float) -> None:
        """Nothing more."""


class Tightening:
    """A write that becomes urgent at a moment nobody could foresee."""

    unit = OURS

    def __init__(self, clock: FakeClock, every_s: float) -> None:
        self.clock = clock
        self.every_s = every_s
        self.wanted_at = clock.mono() + every_s
        self.waited: list[float] = []

    @property
    def urgent(self) -> bool:
        return self.clock.mono() >= self.wanted_at

    def due(self, mono: float) -> float:
        return 0.0 if mono >= self.wanted_at else float("inf")

    def run(self, endpoint: Endpoint, mono: float) -> None:
        self.waited.append(mono - self.wanted_at)
        self.wanted_at += self.every_s
        endpoint.read_holding(OURS, 1000, 1)

    def failed(self, error: ModbusError, mono: float) -> None:
        """Nothing more."""


class News:
    """Waiting moves the clock on, by 10 ms at most, as news that come meanwhile would end it."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock

    def wait(self, seconds: float) -> None:
        self.clock.advance(min(seconds, 0.01))

    def set(self) -> None:
        """Nobody sleeps."""


class Bench:
    """A worker that is driven turn by turn, and as many greedy clients as a test wants."""

    def __init__(self, *jobs: object, clients: int = 0, unit: int = OURS) -> None:
        self.clock = FakeClock()
        self.device = Device(self.clock)
        self.jobs = jobs or (Poll(),)
        self.worker = EndpointWorker(self.device, self.jobs, self.clock, lambda: None)  # type: ignore[arg-type]
        self.worker._news = News(self.clock)  # type: ignore[assignment]
        self.guests = Guests({OURS, LISTED}, self.clock, self.worker.wake)
        self.worker.guest = self.guests
        self.unit = unit
        self.addresses = itertools.count(100)
        self.open: list[Future[bytes]] = [Future() for _ in range(clients)]
        for future in self.open:
            future.set_result(b"")

    def run(self, seconds: float) -> None:
        end = self.clock.mono() + seconds
        while self.clock.mono() < end:
            self.open = [self.ask() if future.done() else future for future in self.open]
            self.worker._turn()

    def ask(self, address: int | None = None, unit: int | None = None, function: int = 3) -> Future[bytes]:
        """One client's question; without an address one that nobody has asked yet."""
        place = next(self.addresses) if address is None else address
        return self.guests.ask(Question(self.unit if unit is None else unit, function, place, 2))

    @property
    def foreign(self) -> list[float]:
        return [mono for mono, _, address in self.device.asked if 100 <= address < 1000]


def test_eight_greedy_clients_take_no_read_from_us_and_delay_none_at_all() -> None:
    alone, crowded = Bench(), Bench(clients=8)
    alone.run(60.0)
    crowded.run(60.0)
    ours, theirs = alone.jobs[0], crowded.jobs[0]
    assert isinstance(ours, Poll)
    assert isinstance(theirs, Poll)
    assert len(ours.began) == len(theirs.began) > 115
    assert max(theirs.late[1:]) <= max(ours.late[1:]) + 0.01
    assert len(crowded.foreign) > 100


def test_an_urgent_write_waits_for_one_foreign_answer_at_most() -> None:
    bench = Bench(Poll(reads=1), clients=8)
    tightening = Tightening(bench.clock, 0.83)
    bench.worker.jobs.append(tightening)
    bench.run(60.0)
    assert len(tightening.waited) > 60
    assert max(tightening.waited) <= 3 * ANSWER_S + 0.01, (
        "our own cycle of three reads, never that and theirs"
    )


def test_nothing_is_asked_for_others_that_would_not_be_over_before_our_own_next_job() -> None:
    bench = Bench(clients=8)
    bench.run(30.0)
    (poll,) = bench.jobs
    assert isinstance(poll, Poll)
    for began in bench.foreign:
        assert not any(own < began + ANSWER_S - 0.001 and own > began for own in poll.began)


def test_a_bus_without_gaps_serves_nobody_else() -> None:
    bench = Bench(Poll(reads=20), clients=8)
    bench.run(20.0)
    assert bench.foreign == []


@pytest.mark.parametrize(("baudrate", "fits"), [(9600, False), (115200, True)])
def test_on_a_serial_line_the_time_of_the_bytes_counts_before_it_was_measured(
    baudrate: int, fits: bool
) -> None:
    bench = Bench(Poll(reads=4))
    bench.device.address = SerialAddress("/dev/ttyUSB0", baudrate)
    future = bench.guests.ask(Question(OURS, 3, 100, 125))
    bench.run(5.0)
    assert future.done() == fits, "263 bytes take 0.27 s at 9600 baud, and the gap is 0.3 s"


def test_others_get_10_reads_a_second_and_half_of_the_time_at_most() -> None:
    bench = Bench(Poll(reads=1), clients=8)
    bench.run(20.0)
    assert 100 < len(bench.foreign) <= 200
    gaps = [after - before for before, after in itertools.pairwise(bench.foreign)]
    assert min(gaps) >= 2 * ANSWER_S - 0.001


def test_the_same_read_by_many_is_one_question_to_the_device() -> None:
    bench = Bench()
    asked = [bench.ask(200) for _ in range(8)]
    bench.run(0.5)
    assert [future.result(0) for future in asked] == [answer(Question(OURS, 3, 200, 2), (200, 201))] * 8
    assert bench.ask(200).result(0)
    assert len(bench.foreign) == 1
    bench.clock.advance(1.0)
    assert not bench.ask(200).done(), "what is older than 0.75 s is asked anew"


def test_input_registers_are_told_from_holding_registers() -> None:
    bench = Bench()
    holding, inputs = bench.ask(300), bench.ask(300, function=4)
    bench.run(1.0)
    assert holding.result(0) != inputs.result(0)


def test_a_refusal_of_the_device_is_passed_on_with_its_code() -> None:
    bench = Bench()
    bench.device.refuses.add(400)
    future = bench.ask(400)
    bench.run(0.5)
    assert future.result(0) == refusal(3, 2)


def test_a_unit_that_is_not_listed_is_never_asked() -> None:
    bench = Bench()
    assert bench.ask(unit=FOREIGN).result(0) == refusal(3, NO_PATH)
    bench.run(2.0)
    assert bench.device.count(FOREIGN) == 0


def test_a_silent_unit_costs_one_time_out_a_minute_and_is_answered_at_once_meanwhile() -> None:
    bench = Bench(clients=8, unit=LISTED)
    bench.device.silent.add(LISTED)
    bench.run(59.0)
    assert bench.device.count(LISTED) == 1
    assert bench.ask().result(0) == refusal(3, NO_ANSWER)
    bench.run(60.0)
    assert bench.device.count(LISTED) == 2


def test_a_read_that_is_never_answered_costs_less_and_less_while_the_unit_answers_others() -> None:
    bench = Bench()
    bench.device.beyond_its_map.add(500)
    answered = 0
    for _ in range(3600):
        bench.ask(500)
        good = bench.ask(600)
        bench.run(1.0)
        answered += good.done() and good.result(0)[0] == 3
    lost = [mono - bench.device.asked[0][0] for mono, _, address in bench.device.asked if address == 500]
    waits = [after - before for before, after in itertools.pairwise(lost)]
    assert waits == pytest.approx([61, 121, 241, 481, 961, 961], abs=5)
    assert answered > 3000


def test_after_a_time_out_nothing_foreign_is_asked_for_5_s_and_ours_goes_on() -> None:
    bench = Bench()
    bench.device.silent.add(LISTED)
    lost, other = bench.ask(unit=LISTED), bench.ask()
    bench.run(4.0)
    assert lost.result(0) == refusal(3, NO_ANSWER)
    assert not other.done()
    assert bench.device.count(OURS) > 15
    bench.run(3.0)
    assert other.done()


def test_while_our_own_unit_does_not_answer_others_ask_it_nothing() -> None:
    bench = Bench(clients=8)
    bench.run(2.0)
    bench.device.silent.add(OURS)
    before = len(bench.foreign)
    bench.run(30.0)
    assert len(bench.foreign) <= before + 1
    assert bench.ask().result(0) == refusal(3, NO_ANSWER)


def test_a_silent_unit_of_ours_leaves_the_other_units_readable() -> None:
    bench = Bench(Poll(), Poll(SECOND))
    bench.device.silent.add(SECOND)
    bench.guests.units |= {SECOND}
    bench.run(5.0)
    silent, well = bench.ask(unit=SECOND), bench.ask()
    before = bench.device.count(SECOND)
    bench.worker._turn()
    assert silent.result(0) == refusal(3, NO_ANSWER)
    bench.run(10.0)
    assert well.result(0)
    assert bench.device.count(SECOND) <= before + 3, "our own tries only"


def test_a_question_that_was_given_up_is_not_asked() -> None:
    bench = Bench()
    assert bench.ask().cancel()
    bench.run(2.0)
    assert bench.foreign == []


def test_a_closed_door_lets_nobody_through() -> None:
    bench = Bench(clients=8)
    bench.guests.close()
    bench.run(2.0)
    assert bench.foreign == []


@pytest.mark.parametrize("clients", [0, 8])
def test_a_call_for_others_counts_as_a_call_that_may_be_stuck(clients: int) -> None:
    bench = Bench(clients=clients)
    seen = []
    read = bench.device.read_holding

    def look(unit: int, address: int, count: int) -> tuple[int, ...]:
        bench.clock.advance(0.02)
        seen.append((address >= 100, bench.worker.busy_for(bench.clock.mono())))
        return read(unit, address, count)

    bench.device.read_holding = look  # type: ignore[method-assign]
    bench.run(2.0)
    assert any(foreign for foreign, _ in seen) == bool(clients)
    assert all(busy_s > 0.0 for _, busy_s in seen)
    assert bench.worker.busy_for(bench.clock.mono()) == 0.0
