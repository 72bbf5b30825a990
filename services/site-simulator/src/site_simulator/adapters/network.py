"""The thread in which the Modbus servers and the simulated world live."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TextIO, TypeVar

from dynexport.modbus.address import Address, SerialAddress
from dynexport.sharing import PHASES
from site_simulator.adapters.rtu import PtyServer, RtuTcpServer
from site_simulator.adapters.server import ModbusServer, Server, Unit
from site_simulator.gateways.chosen import gateways
from site_simulator.layout import Layout, layout
from site_simulator.makes.catalogue import NoImage
from site_simulator.world import METER, World

STEP_S = 0.02
FLUSH_EVERY = 5
RESTART_S = 3.0
ANSWERS_WITHIN_S = 5.0
T = TypeVar("T")
Call = Callable[[], Any]


def server(address: Address, units: Mapping[int, Unit]) -> Server:
    """What serves an address of `site.yaml`."""
    if isinstance(address, SerialAddress):
        return PtyServer(address, units)
    kind = RtuTcpServer if address.framing == "rtu" else ModbusServer
    return kind(address.host, address.port, units)


class Network(threading.Thread):
    """Opens every endpoint that `site.yaml` names, steps the world every 20 ms, and records the truth."""

    def __init__(
        self, make_world: Callable[[Callable[[dict[str, Any]], None]], World], record: str | None
    ) -> None:
        super().__init__(name="simulator-network", daemon=True)
        self._record_path = record
        self._file: TextIO | None = None
        self._lines = 0
        self.world = make_world(self._write_line)
        self.problem: BaseException | None = None
        self.truth: dict[str, Any] = {}
        self._loop = asyncio.new_event_loop()
        self._opened = threading.Event()
        self._stopping = asyncio.Event()
        try:
            plan = layout(self.world)
        except NoImage as error:
            self.problem, plan = error, Layout()
        self.devices = plan.named
        self._behind = plan.behind
        self._resets: set[Address] = set()
        self._servers = {address: server(address, units) for address, units in plan.units.items()}
        self._gateways = gateways(self.world, self.ask)

    def run(self) -> None:
        """The thread."""
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._main())
        except BaseException as error:  # noqa: BLE001 - told to the service, which ends
            self.problem = error
        finally:
            self._opened.set()

    def wait_open(self, timeout_s: float) -> None:
        """Wait until every endpoint listens; raises what went wrong."""
        self._opened.wait(timeout_s)
        if self.problem is not None:
            raise self.problem

    def stop(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self.join(2.0)

    def call(self, action: Call, done: Callable[[BaseException | None], None]) -> None:
        """Run something in the world's thread; `done` is told how it went, there."""

        def run() -> None:
            try:
                action()
            except (KeyError, ValueError) as error:
                done(error)
            else:
                done(None)

        self._loop.call_soon_threadsafe(run)

    def ask(self, action: Callable[[], T]) -> T:
        """Run something in the world's thread; returns what it does. For threads of their own."""
        answer: Future[T] = Future()

        def run() -> None:
            try:
                answer.set_result(action())
            except Exception as error:  # noqa: BLE001 - raised in the thread that asked
                answer.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return answer.result(ANSWERS_WITHIN_S)

    def reset(self, device: str | None) -> None:
        """Break connections with RST; in the world's thread."""
        for each in self._gateways if device in (None, METER) else ():
            each.reset()
        self._resets |= {place for name, place in self._behind.items() if device in (None, name)}

    def revert(self, device: str | None) -> None:
        """Let a device, or all, forget what it was told; in the world's thread."""
        now = self.world.advance()
        for name, each in self.devices.items():
            if device in (None, name):
                each.revert(now)

    def power_cycle(self, device: str | None, dark_s: float | None) -> None:
        """Cut a device's power, or all devices'; in the world's thread. Raises ValueError for an unknown one."""
        if device is not None and device not in self.devices:
            raise ValueError(f"no device {device}; there are {', '.join(self.devices)}")
        now = self.world.advance()
        for name, each in self.devices.items():
            if device in (None, name):
                each.restart(now)
                self.world.faults.begin("silent", name, None, RESTART_S if dark_s is None else dark_s, now)

    async def _main(self) -> None:
        if self._record_path:
            self._file = Path(self._record_path).open("w", encoding="utf-8")  # noqa: SIM115
        try:
            for each in self._servers.values():
                await each.open()
            for gateway in self._gateways:
                gateway.start()
            self._opened.set()
            while not self._stopping.is_set():
                await self._step()
                await asyncio.sleep(STEP_S)
        finally:
            for each in self._servers.values():
                await each.close()
            for gateway in self._gateways:
                gateway.stop()
            if self._file is not None:
                self._file.close()

    async def _step(self) -> None:
        now = self.world.advance()
        for device in self.devices.values():
            device.tick(now)
        while self._resets:
            await self._servers[self._resets.pop()].reset()
        refusing = {
            place for name, place in self._behind.items() if self.world.faults.has("refuse", name, now)
        }
        for place, each in self._servers.items():
            await (each.close() if place in refusing else each.open())
        plant = self.world.plant
        phases = {f"site_{phase}_w": power_w for phase, power_w in zip(PHASES, plant.phases_w, strict=False)}
        stands = plant.beside
        beside = {"battery_w": stands.discharge_w} if stands.batteries else {}
        beside |= {"loads_w": stands.load_w} if stands.loads else {}
        self.truth = {
            "hour": round(self.world.hour, 3),
            "site_w": round(plant.site_w, 1),
            "export_w": round(max(0.0, -plant.site_w), 1),
            "load_w": round(plant.load_w, 1),
            "generation_w": round(plant.generation_w, 1),
            "available_w": round(sum(inverter.available_w for inverter in plant.inverters), 1),
            **{name: round(power_w, 1) for name, power_w in {**phases, **beside}.items()},
        }
        self._write_line(
            {
                "mono": now,
                "site_w": plant.site_w,
                "load_w": plant.load_w,
                "generation_w": plant.generation_w,
                **phases,
                **beside,
            }
        )

    def _write_line(self, line: dict[str, Any]) -> None:
        if self._file is None:
            return
        self._file.write(json.dumps(line) + "\n")
        self._lines += 1
        if self._lines % FLUSH_EVERY == 0 or "site_w" not in line:
            self._file.flush()
