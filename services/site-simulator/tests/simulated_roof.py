"""A running simulator of one inverter and one meter of another make, and a client for their raw registers."""

from __future__ import annotations

import struct
from typing import Any

from dynexport import topics
from dynexport.broker import free_port
from dynexport.clock import SystemClock
from dynexport.messages import Request
from dynexport.modbus.address import TcpAddress
from dynexport.modbus.endpoint import Endpoint
from dynexport.testing.builders import site
from dynexport.testing.context import fake_context
from site_simulator.app import Simulator
from site_simulator.makes.unit import RegisterUnit

CLOCK = SystemClock()
SETTLES_S = 0.5
RATED_W = 10_000


class Roof:
    """10 kW of sun and 2 kW of load, without noise and with a quick inverter; a meter of its own port, or the
    inverter's where it says `shared`.
    """

    def __init__(
        self,
        inverter: str,
        meter: str = "sdm630",
        *,
        unit: int = 1,
        shared: bool = False,
        phase: str = "abc",
        **simulator: Any,
    ) -> None:
        self.port = free_port()
        meter_port = self.port if shared else free_port()
        place = {"host": "127.0.0.1", "port": self.port}
        shape = site(
            meter={**driver(meter), "tcp": {"host": "127.0.0.1", "port": meter_port}, "unit": unit if shared else 1},
            inverters=[
                {
                    **driver(inverter), "id": "roof", "tcp": place, "unit": unit,
                    "rated_w": RATED_W, "phase": phase,
                }
            ],
            simulator={"sun": "script", "load_w": 2000, "meter_noise_w": 0, "tau_s": 0.05, **simulator},
        )  # fmt: skip
        context, self.bus = fake_context("site-simulator", shape, CLOCK)
        self.simulator = Simulator(context)
        self.simulator.start()
        self.unit = unit
        self.endpoint = Endpoint(TcpAddress("127.0.0.1", self.port), timeout_s=0.3)
        self.meter_port = meter_port
        self.meter = self.endpoint if shared else Endpoint(TcpAddress("127.0.0.1", meter_port), timeout_s=0.3)
        self.meter_unit = unit if shared else 1

    def __enter__(self) -> Roof:
        return self

    def __exit__(self, *_: object) -> None:
        self.endpoint.close()
        self.meter.close()
        self.simulator.stop(self.simulator.context.moment())

    @property
    def truth(self) -> dict[str, Any]:
        """The true powers, once they have settled."""
        CLOCK.sleep(SETTLES_S)
        return self.simulator.network.truth

    def device(self, name: str = "roof") -> RegisterUnit:
        """The simulated device itself."""
        device = self.simulator.network.devices[name]
        assert isinstance(device, RegisterUnit)
        return device

    def holding(self, address: int, form: str) -> tuple[Any, ...]:
        """Holding registers of the inverter, unpacked by a `struct` format with the high word first."""
        count = struct.calcsize(f">{form}") // 2
        return unpacked(form, self.endpoint.read_holding(self.unit, address, count))

    def write(self, address: int, form: str, *values: float) -> None:
        """Write packed values with the high word first, in one request."""
        data = struct.pack(f">{form}", *values)
        self.endpoint.write_registers(self.unit, address, struct.unpack(f">{len(data) // 2}H", data))

    def ask(self, fault: str, **fields: Any) -> None:
        """Ask the simulator for a fault."""
        request = Request(issued_at=CLOCK.now(), fault=fault, **fields)
        self.bus.deliver(topics.REQUEST, request, "site-simulator", "fault")
        self.simulator.step(self.bus.drain(), self.simulator.context.moment())
        CLOCK.sleep(0.15)


def driver(device: str) -> dict[str, str]:
    """The settings of a device by its name; `sunspec` is one that says itself what it has."""
    return {"driver": "sunspec"} if device == "sunspec" else {"driver": "registers", "device": device}


def unpacked(form: str, words: tuple[int, ...]) -> tuple[Any, ...]:
    """Registers by a `struct` format, the high word first."""
    return struct.unpack(f">{form}", struct.pack(f">{len(words)}H", *words))
