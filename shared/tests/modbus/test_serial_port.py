"""The serial port itself: its settings, its one master, an adapter that is pulled out."""

from __future__ import annotations

import errno
import os
import subprocess
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dynexport.clock import SystemClock
from dynexport.modbus import wire
from dynexport.modbus.address import SerialAddress
from dynexport.modbus.endpoint import BadAnswer, Endpoint, ModbusError, Unreachable
from dynexport.modbus.worker import EndpointWorker

from .rtu_bus import Line

CLOCK = SystemClock()
NOBODY = 65534


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    made = Line(tmp_path / "ttyUSB0", baudrate=2400)
    yield made
    made.close()


@pytest.fixture
def master(line: Line) -> Iterator[Endpoint]:
    made = Endpoint(line.address, timeout_s=0.3)
    yield made
    made.close()


def test_the_ports_settings_are_those_of_the_file(tmp_path: Path) -> None:
    line = Line(tmp_path / "ttyUSB0")
    master = Endpoint(SerialAddress(str(line.link), 38400, "N", 2))
    assert master.read_holding(1, 40, 1) == (40,)
    descriptor = os.open(line.link, os.O_RDWR | os.O_NOCTTY)
    attributes = termios.tcgetattr(descriptor)
    os.close(descriptor)
    assert attributes[4:6] == [termios.B38400, termios.B38400]
    assert attributes[2] & termios.CSTOPB
    master.close()
    line.close()


@pytest.mark.parametrize(("parity", "stopbits", "bits"), [("N", 1, 10), ("E", 1, 11), ("O", 2, 12)])
def test_a_byte_takes_its_start_parity_and_stop_bits(parity: str, stopbits: int, bits: int) -> None:
    address = SerialAddress("/dev/x", 9600, parity, stopbits)  # type: ignore[arg-type]
    assert address.bits == bits
    assert address.seconds(96) == pytest.approx(bits / 100)


def test_a_silence_of_three_and_a_half_bytes_stands_before_each_question(
    line: Line, master: Endpoint
) -> None:
    for _ in range(5):
        master.read_holding(1, 40, 1)
    pauses = [asked - sent for sent, asked in zip(line.sent_at, line.asked_at[1:], strict=False)]
    assert min(pauses) >= 3.5 * 10 / 2400 - 0.002


def test_a_slow_lines_own_time_is_added_to_the_timeout(line: Line, master: Endpoint) -> None:
    line.answer = lambda request: [(0.5, line.good(request))]
    assert len(master.read_holding(1, 0, 100)) == 100  # 205 bytes take 0.85 s at 2400 baud


def test_a_second_master_is_refused_in_words(line: Line, master: Endpoint) -> None:
    master.read_holding(1, 40, 1)
    second = Endpoint(line.address, timeout_s=0.3)
    with pytest.raises(Unreachable, match=r"another program has locked it \(flock\): a bus has one master"):
        second.read_holding(1, 40, 1)
    assert master.read_holding(1, 41, 1) == (41,)
    master.close()
    assert second.read_holding(1, 40, 1) == (40,)
    second.close()


def test_a_timeout_keeps_the_lock(line: Line, master: Endpoint) -> None:
    line.answer = lambda request: []
    with pytest.raises(Unreachable):
        master.read_holding(1, 40, 1)
    with pytest.raises(Unreachable, match="locked"):
        Endpoint(line.address, timeout_s=0.3).read_holding(1, 40, 1)


def test_on_a_real_port_even_who_asks_for_no_lock_is_kept_out(
    line: Line, master: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TIOCEXCL does not stop root, so another user tries; a pseudo-terminal stands in for the port."""
    monkeypatch.setattr(wire, "_outlives_its_holder", lambda descriptor: False)
    master.read_holding(1, 40, 1)
    device = os.path.realpath(line.link)
    os.chmod(device, 0o666)
    user = NOBODY if os.geteuid() == 0 else None
    open_it = ["/bin/sh", "-c", f"exec 3<>{device}"]

    def opened() -> str:
        return subprocess.run(open_it, user=user, cwd="/", capture_output=True, text=True, check=False).stderr

    assert os.strerror(errno.EBUSY) in opened()
    master.close()
    assert opened() == ""


def test_a_pseudo_terminal_is_not_made_exclusive_for_good(line: Line, master: Endpoint) -> None:
    master.read_holding(1, 40, 1)
    descriptor = os.open(line.link, os.O_RDWR | os.O_NOCTTY)
    assert wire._outlives_its_holder(descriptor)
    os.close(descriptor)


def test_a_port_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="there is no such device: is the adapter plugged in"):
        Endpoint(SerialAddress(str(tmp_path / "ttyUSB9"))).read_holding(1, 40, 1)


def test_a_file_that_is_no_port_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(Unreachable, match="is no serial port"):
        Endpoint(SerialAddress(str(tmp_path / "x"))).read_holding(1, 40, 1)


def test_an_adapter_that_is_pulled_out_and_put_back_is_opened_again(line: Line, master: Endpoint) -> None:
    assert master.read_holding(1, 40, 1) == (40,)
    line.unplug()
    for _ in range(2):
        with pytest.raises(Unreachable, match="plugged in"):
            master.read_holding(1, 40, 1)
    line.plug()
    assert master.read_holding(1, 41, 1) == (41,)


def test_a_line_that_is_never_silent_is_told_as_that(line: Line, master: Endpoint) -> None:
    master.read_holding(1, 40, 1)
    stop = threading.Event()

    def babble() -> None:
        while not stop.is_set():
            line.send(b"\x55" * 4)
            CLOCK.sleep(0.002)

    talker = threading.Thread(target=babble)
    talker.start()
    try:
        with pytest.raises(BadAnswer):
            master.read_holding(1, 40, 1)
    finally:
        stop.set()
        talker.join()
    assert master.read_holding(1, 40, 1) == (40,)


class Reads:
    """Reads one register every 50 ms."""

    urgent = False

    def __init__(self, unit: int) -> None:
        self.unit = unit
        self.good = 0
        self.moments = [CLOCK.mono()]
        self._next = 0.0

    def due(self, mono: float) -> float:
        return self._next - mono

    def run(self, endpoint: Endpoint, mono: float) -> None:
        self._next = mono + 0.05
        endpoint.read_holding(self.unit, 40, 1)
        self.good += 1
        self.moments.append(CLOCK.mono())

    def failed(self, error: ModbusError, mono: float) -> None:
        assert isinstance(error, Unreachable)

    @property
    def longest_gap_s(self) -> float:
        return max(after - before for before, after in zip(self.moments, self.moments[1:], strict=False))


def test_a_silent_unit_does_not_starve_the_other_on_its_bus(line: Line, master: Endpoint) -> None:
    line.answer = lambda request: [] if request[0] == 1 else [(0.0, line.good(request))]
    silent, well = Reads(1), Reads(2)
    worker = EndpointWorker(master, [silent, well], CLOCK, lambda: None)
    worker.start()
    CLOCK.sleep(3.0)
    assert worker.stop(1.0)
    assert (silent.good, well.good > 20) == (0, True)
    assert well.longest_gap_s < 0.7


def test_a_bus_comes_back_by_itself_with_its_adapter(line: Line, master: Endpoint) -> None:
    job = Reads(2)
    worker = EndpointWorker(master, [job], CLOCK, lambda: None)
    worker.start()
    CLOCK.sleep(0.5)
    line.unplug()
    CLOCK.sleep(1.5)
    known = job.good
    line.plug()
    CLOCK.sleep(2.5)
    assert worker.stop(1.0)
    assert job.good > known > 0
