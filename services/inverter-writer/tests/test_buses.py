"""One thread and one master for each bus."""

from __future__ import annotations

from typing import Any

import pytest

from dynexport.clock import FakeClock
from dynexport.testing.builders import site
from dynexport.testing.context import fake_context
from inverter_writer.app import Writer

SERIAL = {"serial": {"port": "/dev/ttyUSB0", "baudrate": 19200}}
OTHER = {"serial": {"port": "/dev/ttyUSB1"}}
GATEWAY = {"tcp": {"host": "192.0.2.1", "port": 4196, "framing": "rtu"}}
TCP = {"tcp": {"host": "192.0.2.2"}}


def units_by_bus(meter: dict[str, Any], *inverters: dict[str, Any]) -> dict[str, list[int]]:
    """Which units each endpoint's thread of the writer serves."""
    shape = site(
        meter={"driver": "sunspec", "unit": 240, **meter},
        inverters=[
            {"id": f"i{unit}", "driver": "sunspec", "unit": unit, "rated_w": 5000, **place}
            for unit, place in enumerate(inverters, start=1)
        ],
    )
    context, _ = fake_context("inverter-writer", shape, FakeClock())
    workers = Writer(context).workers
    return {str(worker.endpoint.address): [job.unit for job in worker.jobs] for worker in workers}


@pytest.mark.parametrize("place", [SERIAL, GATEWAY, TCP], ids=["serial", "gateway", "tcp"])
def test_all_units_of_a_bus_and_the_meter_share_one_thread(place: dict[str, Any]) -> None:
    assert list(units_by_bus(place, place, place).values()) == [[1, 2, 240]]


def test_each_bus_has_its_own_thread() -> None:
    assert units_by_bus(OTHER, SERIAL, GATEWAY, TCP, OTHER) == {
        "/dev/ttyUSB0": [1],
        "192.0.2.1:4196": [2],
        "192.0.2.2:502": [3],
        "/dev/ttyUSB1": [4, 240],
    }


def test_a_meter_on_a_bus_of_its_own_is_not_the_writers() -> None:
    assert units_by_bus(OTHER, SERIAL) == {"/dev/ttyUSB0": [1]}
