"""The makes that `scan` knows: told from each other by their own registers, at real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from dynexport.messages import HardwareFallback, Scope
from dynexport.modbus.registers.catalogue import description, names
from dynexport.modbus.scan import Kind, look

SUNS, END = (0x5375, 0x6E53), (0xFFFF, 0)


def text(words: str, size: int) -> list[int]:
    data = words.encode().ljust(2 * size, b"\0")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, 2 * size, 2)]


def sma(server: Any, unit: int) -> None:
    server.put(unit, 30053, 0, 9338)
    server.put(unit, 30057, 0x1234, 0x5678)
    server.put(unit, 30231, 0, 50000)


def huawei(server: Any, unit: int) -> None:
    server.put(unit, 30000, *text("SUN2000-5KTL-L1", 15), *text("HV123456", 10))
    server.put(unit, 30073, 0, 5000)


def test_an_sma_is_known_by_its_device_type(server: Any) -> None:
    sma(server, 3)
    (found,) = look(server.address, (1, 3), 0.3)
    assert (found.device, found.unit, found.kind, found.rated_w) == ("sma-core1", 3, Kind.INVERTER, 50000.0)
    assert (found.manufacturer, found.model, found.serial) == ("SMA", "9338", str(0x12345678))
    assert (found.scope, found.confidence, found.fallback) == (
        Scope.GENERATION, "agreed", HardwareFallback.UNKNOWN,
    )  # fmt: skip


def test_a_huawei_is_known_by_its_model_and_limits_export(server: Any) -> None:
    huawei(server, 1)
    (found,) = look(server.address, (1,), 0.3)
    assert (found.device, found.scope, found.rated_w) == ("huawei-sun2000", Scope.EXPORT, 5000.0)
    assert found.model == "SUN2000-5KTL-L1"


def test_a_solaredge_is_driven_by_its_own_block_though_it_speaks_sunspec(server: Any) -> None:
    common = [1, 65, *text("SolarEdge", 16), *text("SE10K", 16), *([0] * 16), *text("7E123456", 16), 1]
    server.put(1, 40000, *SUNS, *common, 103, 50, *([0] * 50), *END)
    server.put(1, 0xF304, 0x4000, 0x461C)  # 10000.0, low word first
    (found,) = look(server.address, (1,), 0.3)
    assert (found.device, found.rated_w, found.fallback) == ("solaredge", 10000.0, HardwareFallback.CHOSEN_W)


def test_a_device_type_of_another_sma_is_not_taken_for_a_core1(server: Any) -> None:
    server.put(3, 30053, 0, 9341)
    assert look(server.address, (3,), 0.3) == []


def test_a_rating_that_cannot_be_read_is_a_trouble_not_a_guess(server: Any) -> None:
    server.put(3, 30053, 0, 9338)
    server.put(3, 30057, 0, 1)
    (found,) = look(server.address, (3,), 0.3)
    assert found.rated_w is None
    assert "30231" in found.trouble


def test_the_meter_that_an_inverter_passes_on_is_found_with_it(server: Any) -> None:
    sma(server, 3)
    server.put(3, 31253, *([0] * 26))
    server.put(3, 31447, 0, 5000)
    devices = look(server.address, (3,), 0.3)
    assert [found.device for found in devices] == ["sma-core1", "sma-core1-meter"]
    assert devices[1].kind is Kind.METER


def test_a_meter_in_an_inverters_own_map_is_found_with_it(server: Any) -> None:
    common = [1, 66, *text("Maker", 16), *text("Thing", 16), *([0] * 16), *text("X1", 16), 1, 0]
    server.put(1, 40000, *SUNS, *common, 103, 50, *([0] * 50), 203, 105, *([0] * 105), *END)
    assert [found.kind for found in look(server.address, (1,), 0.3)] == [Kind.INVERTER, Kind.METER]


def test_a_silent_unit_is_asked_only_for_the_makes_whose_usual_unit_it_is(server: Any) -> None:
    server.mood = "silent"
    assert look(server.address, (2,), 0.1) == []
    assert len(server.requests) == 1
    assert look(server.address, (3,), 0.1) == []
    assert [address for unit, _, address, _ in server.requests if unit == 3] == [40000, 30053]


@pytest.mark.parametrize("name", names())
def test_whoever_can_be_recognised_says_its_rating(name: str) -> None:
    found = description(name)
    assert not found.recognise or found.rating.max_w is not None


def test_a_solaredges_own_meter_is_turned_because_it_counts_export_as_positive(server: Any) -> None:
    common = [1, 65, *text("SolarEdge", 16), *text("SE10K", 16), *([0] * 16), *text("7E123456", 16), 1]
    server.put(1, 40000, *SUNS, *common, 103, 50, *([0] * 50), 203, 105, *([0] * 105), *END)
    server.put(1, 0xF304, 0x4000, 0x461C)
    assert [found.invert for found in look(server.address, (1,), 0.3)] == [False, True]
