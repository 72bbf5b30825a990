"""A SunSpec meter over a real socket, served by pymodbus."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from dynexport import topics
from dynexport.clock import Clock, FakeClock, SystemClock
from dynexport.messages import Location, MeterReading
from dynexport.modbus.definitions import model
from dynexport.service import Context, HealthPart, Moment
from dynexport.testing import builders
from dynexport.testing.context import codes, fake_context
from dynexport.testing.fakebus import FakeBus
from meter_reader.app import Together, build
from meter_reader.modbus_meter import ModbusMeterReader

BASE, COMMON_LENGTH, METER = 40000, 66, 203
UNIT = 240
NOT_IMPLEMENTED = 0x8000
POINTS = {"W": -1234, "W_SF": 0, "WphA": -1234, "PhVphA": 2401, "V_SF": -1, "Hz": 5001, "Hz_SF": -2}


class Device:
    """A meter 203 behind a common model; `set` changes a register while it runs."""

    def __init__(self) -> None:
        definition = model(METER)
        self.start = 2 + 2 + COMMON_LENGTH
        body = [NOT_IMPLEMENTED] * (definition.length - 2)
        head = [0x5375, 0x6E53, 1, COMMON_LENGTH, *[0] * COMMON_LENGTH]
        self.registers = [*head, METER, len(body), *body, 0xFFFF, 0]
        for point in definition.points.values():
            if point.size == 2:  # an accumulator that is not implemented is 0
                at = self.start + point.offset
                self.registers[at : at + 2] = [0, 0]
        for name, value in POINTS.items():
            self.set(name, value)

    def set(self, name: str, value: int) -> None:
        offset = model(METER).points[name].offset
        (raw,) = struct.unpack(">H", struct.pack(">h", value))
        self.registers[self.start + offset] = raw

    def served(self) -> SimDevice:
        block = SimData(BASE, values=list(self.registers), datatype=DataType.REGISTERS)
        return SimDevice(UNIT, simdata=[block], action=self._show)

    async def _show(
        self, function: int, start: int, address: int, count: int, current: list[int], written: object
    ) -> None:
        current[BASE - start : BASE - start + len(self.registers)] = self.registers


class Server:
    """A pymodbus server in a thread of its own."""

    def __init__(self, device: Device, port: int) -> None:
        self.port = port
        self._device = device
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._listening.wait(5.0)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._shut_down(), self._loop).result(5.0)
        self._thread.join(5.0)

    async def _shut_down(self) -> None:
        await self._server.shutdown()  # type: ignore[no-untyped-call]

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._server = ModbusTcpServer(self._device.served(), address=("127.0.0.1", self.port))
        serving = asyncio.ensure_future(self._server.serve_forever())
        while self._server.transport is None and not serving.done():
            await asyncio.sleep(0.01)
        self._listening.set()
        await serving


class Bench:
    """A reader with its endpoint's thread, on a fake bus."""

    def __init__(self, port: int, clock: Clock, **settings: Any) -> None:
        meter = {
            "driver": "sunspec", "tcp": {"host": "127.0.0.1", "port": port}, "unit": UNIT, "poll_s": 0.2, **settings
        }  # fmt: skip
        self.clock = clock
        self.context: Context
        self.bus: FakeBus
        self.context, self.bus = fake_context("meter-reader", builders.site(meter=meter), clock)
        reader = build(self.context)
        assert isinstance(reader, ModbusMeterReader)
        self.reader = reader
        self.reader.start()

    @property
    def readings(self) -> list[MeterReading]:
        return [r for r in self.bus.all(topics.METER_READING) if isinstance(r, MeterReading)]

    @property
    def codes(self) -> list[str]:
        return codes(self.bus, "meter-reader")

    def step(self) -> None:
        self.reader.step([], Moment(self.clock.now(), self.clock.mono()))

    def until(self, holds: Callable[[], bool], within_s: float = 8.0) -> None:
        end = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < end, f"not within {within_s} s; events: {self.codes}"
            time.sleep(0.01)
            self.step()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def server(device: Device) -> Iterator[Server]:
    server = Server(device, free_port())
    yield server
    server.stop()


@pytest.fixture
def bench(server: Server) -> Iterator[Bench]:
    bench = Bench(server.port, SystemClock())
    yield bench
    bench.reader.stop(bench.context.moment())


def test_what_the_meter_says_is_published_with_the_middle_of_the_request(bench: Bench) -> None:
    bench.until(lambda: len(bench.readings) >= 3)
    reading = bench.readings[-1]
    assert reading.power_w == -1234
    assert reading.power_a_w == -1234
    assert reading.power_b_w is None
    assert reading.voltage_a_v == pytest.approx(240.1)
    assert reading.frequency_hz == pytest.approx(50.01)
    assert 0.0 <= (reading.issued_at - reading.measured_at).total_seconds() < 0.5
    assert bench.codes == []


def test_a_reading_wakes_the_loop_so_that_it_is_published_at_once(bench: Bench) -> None:
    bench.until(lambda: len(bench.readings) >= 2)
    assert bench.bus.woken >= 2


def test_readings_come_every_poll(bench: Bench) -> None:
    bench.until(lambda: len(bench.readings) >= 6)
    moments = [reading.measured_at for reading in bench.readings[1:]]
    gaps = [(b - a).total_seconds() for a, b in pairwise(moments)]
    assert sum(gaps) / len(gaps) == pytest.approx(0.2, abs=0.1)


@pytest.mark.parametrize(("name", "value"), [("W", -32768), ("W_SF", 32767), ("W_SF", -32768)])
def test_an_odd_reading_is_dropped_and_nothing_is_published_in_its_place(
    bench: Bench, device: Device, name: str, value: int
) -> None:
    bench.until(lambda: len(bench.readings) >= 1)
    device.set(name, value)
    bench.until(lambda: bench.codes == ["meter_refused"])
    before = len(bench.readings)
    device.set(name, POINTS[name])
    bench.until(lambda: len(bench.readings) > before)
    assert all(reading.power_w == -1234 for reading in bench.readings)
    assert bench.reader.health().device_errors >= 1


def test_a_meter_that_makes_sense_again_for_5_s_is_an_event(bench: Bench, device: Device) -> None:
    device.set("W_SF", 99)
    bench.until(lambda: bench.codes == ["meter_refused"])
    device.set("W_SF", 0)
    bench.until(lambda: bench.codes == ["meter_refused", "meter_back"])


def test_a_power_beyond_the_contract_is_refused_and_the_process_lives(bench: Bench, device: Device) -> None:
    bench.until(lambda: len(bench.readings) >= 1)
    device.set("W_SF", 10)
    bench.until(lambda: bench.codes == ["meter_refused"])
    assert all(reading.power_w == -1234 for reading in bench.readings)


def test_a_meter_that_goes_away_is_said_and_read_again_when_it_is_back(device: Device) -> None:
    first = Server(device, free_port())
    bench = Bench(first.port, SystemClock())
    bench.until(lambda: len(bench.readings) >= 1)
    first.stop()
    bench.until(lambda: bench.codes == ["meter_error"])
    before = len(bench.readings)
    second = Server(device, first.port)
    bench.until(lambda: len(bench.readings) > before)
    bench.reader.stop(bench.context.moment())
    second.stop()


def test_invert_and_location_are_passed_on(server: Server) -> None:
    bench = Bench(server.port, SystemClock(), invert=True, location="consumption")
    bench.until(lambda: len(bench.readings) >= 1)
    bench.reader.stop(bench.context.moment())
    assert bench.readings[0].power_w == 1234
    assert bench.readings[0].location is Location.CONSUMPTION


def test_an_endpoint_that_is_stuck_for_10_s_ends_the_process_with_70() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        clock = FakeClock()
        bench = Bench(silent.getsockname()[1], clock)
        bench.until(lambda: bench.reader.worker._busy_since is not None)
        clock.advance(9.0)
        bench.step()
        assert bench.context.exit_code is None
        clock.advance(1.1)
        bench.step()
        assert bench.context.exit_code == 70
        bench.reader.stop(bench.context.moment())


def test_what_was_read_before_a_freeze_is_too_old_to_publish(server: Server) -> None:
    clock = FakeClock()
    bench = Bench(server.port, clock)
    end = time.monotonic() + 5.0
    while not bench.bus.woken:
        assert time.monotonic() < end
        time.sleep(0.01)
    clock.advance(4.1)
    bench.step()
    bench.reader.stop(bench.context.moment())
    assert bench.readings == []
    assert bench.codes == ["meter_stale"]


def test_a_crash_of_the_endpoints_thread_is_not_swallowed(bench: Bench) -> None:
    bench.reader.worker.crashed = RuntimeError("a mistake of ours")
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        bench.step()


def by_two_names(folder: Path) -> list[str]:
    """An adapter, by its device and by its id."""
    (folder / "ttyUSB0").touch()
    (folder / "by-id").symlink_to("ttyUSB0")
    return [str(folder / "by-id"), str(folder / "ttyUSB0")]


@pytest.mark.parametrize("kind", ["tcp", "rtu over tcp", "serial", "serial by another name"])
def test_a_meter_behind_an_inverters_endpoint_is_left_to_inverter_writer(tmp_path: Path, kind: str) -> None:
    meter_port, inverter_port = by_two_names(tmp_path) if "name" in kind else ["/dev/ttyUSB0"] * 2
    tcp = {"host": "127.0.0.1", "port": 1503, "framing": "rtu" if "rtu" in kind else "tcp"}
    of_meter, of_inverter = [
        {"serial": {"port": port}} if "serial" in kind else {"tcp": tcp}
        for port in (meter_port, inverter_port)
    ]
    shape = builders.site(
        meter={"driver": "sunspec", **of_meter, "unit": UNIT},
        inverters=[{"id": "roof", "driver": "sunspec", **of_inverter, "rated_w": 5000}],
    )
    context, bus = fake_context("meter-reader", shape, FakeClock())
    service = build(context)
    service.start()
    assert codes(bus, "meter-reader") == ["idle"]
    service.connected(context.moment())
    assert service.step([], context.moment()) > 0
    service.stop(context.moment())
    assert service.health().device_errors == 0
    assert codes(bus, "meter-reader") == ["idle"]
    assert bus.all(topics.METER_READING) == []


def test_a_meter_on_a_serial_port_of_its_own_is_read_here() -> None:
    meter = {"driver": "sunspec", "serial": {"port": "/dev/ttyUSB0"}, "unit": UNIT}
    context, _ = fake_context("meter-reader", builders.site(meter=meter), FakeClock())
    reader = build(context)
    assert isinstance(reader, ModbusMeterReader)
    assert str(reader.worker.endpoint.address) == "/dev/ttyUSB0"


def test_a_meter_that_is_shared_is_read_by_others_through_us_and_never_written(device: Device) -> None:
    server, share = Server(device, free_port()), {"port": free_port()}
    bench = Bench(server.port, SystemClock(), tcp={"host": "127.0.0.1", "port": server.port, "share": share})
    bench.until(lambda: len(bench.readings) >= 2 and "share_open" in bench.codes)
    with socket.create_connection(("127.0.0.1", share["port"]), 3.0) as client:
        client.settimeout(3.0)
        client.sendall(struct.pack(">HHHBBHH", 1, 0, 6, UNIT, 3, BASE, 2))
        assert client.recv(13, socket.MSG_WAITALL)[-4:] == b"SunS"
        client.sendall(struct.pack(">HHHBBHH", 2, 0, 6, UNIT, 6, BASE, 9))
        assert client.recv(9, socket.MSG_WAITALL)[-2:] == bytes([0x86, 1])
    bench.until(lambda: "share_write_refused" in bench.codes)
    (counts,) = bench.reader.health().learned["shared"].values()
    assert (counts["reads"], counts["refused_writes"]) == (1, 1)
    bench.reader.stop(bench.context.moment())
    server.stop()


def test_what_two_parts_of_the_reader_have_to_say_of_their_health_is_joined() -> None:
    class Part:
        def __init__(self, errors: int, **learned: int) -> None:
            self.found = HealthPart(errors, dict(learned))

        def health(self) -> HealthPart:
            return self.found

    both = Together(Part(1, shared=1), Part(2))  # type: ignore[arg-type]
    assert both.health() == HealthPart(3, {"shared": 1})
