"""The SolarEdge as a client sees it, over a real socket: SunSpec to read, its own registers to limit."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from simulated_roof import CLOCK, Roof

from dynexport.modbus.endpoint import Refused
from dynexport.modbus.sunspec import discover
from dynexport.modbus.sunspec_meter import SunSpecMeter

ADVANCED, COMMIT, LIMIT_PCT = 0xF142, 0xF100, 0xF001
DYNAMIC, TIMEOUT_S, FALLBACK_PCT, DYNAMIC_PCT = 0xF300, 0xF310, 0xF312, 0xF322


def low_word_first(form: str, value: float) -> tuple[int, int]:
    high, low = struct.unpack(">HH", struct.pack(f">{form}", value))
    return low, high


class SolarEdge(Roof):
    """With what its control registers need."""

    def put(self, address: int, form: str, value: float) -> None:
        """A 32 bit value, the low word first."""
        self.endpoint.write_registers(1, address, low_word_first(form, value))

    def commit(self) -> None:
        self.put(ADVANCED, "i", 1)
        self.write(COMMIT, "h", 1)


@pytest.fixture
def roof() -> Iterator[SolarEdge]:
    with SolarEdge("solaredge", "sunspec", shared=True) as running:
        yield running


def test_it_is_a_sunspec_inverter_without_controls_and_its_meter_counts_export_as_positive(
    roof: SolarEdge,
) -> None:
    assert set(discover(roof.endpoint, 1).models) == {1, 103, 203}
    assert roof.holding(40083, "h")[0] == pytest.approx(10_000, abs=5)
    assert roof.holding(40107, "H") == (4,)
    assert SunSpecMeter(roof.endpoint, 1).read().power_w == pytest.approx(8000, abs=5)


def test_the_simple_limit_needs_advanced_control_and_a_commit(roof: SolarEdge) -> None:
    roof.write(LIMIT_PCT, "H", 30)
    assert roof.truth["generation_w"] == pytest.approx(10_000, abs=5)
    roof.put(ADVANCED, "i", 1)
    assert roof.truth["generation_w"] == pytest.approx(10_000, abs=5)
    roof.write(COMMIT, "h", 1)
    assert roof.truth["generation_w"] == pytest.approx(3000, abs=5)
    assert roof.holding(40107, "H") == (5,)


def test_the_dynamic_limit_takes_the_place_of_the_simple_one(roof: SolarEdge) -> None:
    roof.commit()
    roof.write(LIMIT_PCT, "H", 30)
    roof.put(DYNAMIC_PCT, "f", 12.5)
    assert roof.truth["generation_w"] == pytest.approx(3000, abs=5)
    roof.write(DYNAMIC, "H", 1)
    assert roof.truth["generation_w"] == pytest.approx(1250, abs=5)
    assert roof.endpoint.read_holding(1, DYNAMIC_PCT, 2) == low_word_first("f", 12.5)
    assert roof.endpoint.read_holding(1, 0xF304, 2) == low_word_first("f", 10_000)


def test_without_a_new_command_in_time_it_goes_to_its_fallback(roof: SolarEdge) -> None:
    roof.commit()
    roof.put(TIMEOUT_S, "I", 1)
    roof.put(FALLBACK_PCT, "f", 5.0)
    roof.put(DYNAMIC_PCT, "f", 50.0)
    roof.write(DYNAMIC, "H", 1)
    for _ in range(3):
        CLOCK.sleep(0.6)
        roof.put(DYNAMIC_PCT, "f", 50.0)
    assert roof.truth["generation_w"] == pytest.approx(5000, abs=5)
    CLOCK.sleep(1.0)
    assert roof.truth["generation_w"] == pytest.approx(500, abs=5)


def test_the_fallback_as_delivered_is_no_limit_at_all(roof: SolarEdge) -> None:
    assert roof.endpoint.read_holding(1, FALLBACK_PCT, 2) == low_word_first("f", 100.0)
    assert roof.endpoint.read_holding(1, TIMEOUT_S, 2) == low_word_first("I", 60)


def test_a_wrong_address_is_refused_with_2_and_a_wrong_value_with_4(roof: SolarEdge) -> None:
    with pytest.raises(Refused, match="exception 2"):
        roof.write(40083, "h", 1)
    with pytest.raises(Refused, match="exception 2"):
        roof.write(DYNAMIC_PCT, "H", 1)  # half of a float
    with pytest.raises(Refused, match="exception 4"):
        roof.put(DYNAMIC_PCT, "f", 120.0)


def test_a_power_cut_switches_the_dynamic_control_off_and_leaves_what_was_committed(roof: SolarEdge) -> None:
    roof.commit()
    roof.put(FALLBACK_PCT, "f", 5.0)
    roof.put(DYNAMIC_PCT, "f", 50.0)
    roof.write(DYNAMIC, "H", 1)
    assert roof.truth["generation_w"] == pytest.approx(5000, abs=5)
    roof.ask("power_cycle", id="roof", value=0.2)
    assert roof.truth["generation_w"] == pytest.approx(10_000, abs=5)
    assert roof.holding(DYNAMIC, "H") == (0,)
    assert roof.endpoint.read_holding(1, ADVANCED, 2) == low_word_first("i", 1)
    assert roof.endpoint.read_holding(1, FALLBACK_PCT, 2) == low_word_first("f", 5.0)


def test_a_second_client_waits_until_the_first_one_goes(roof: SolarEdge) -> None:
    roof.holding(40083, "h")
    with socket.create_connection(("127.0.0.1", roof.port), timeout=0.3) as second:
        second.sendall(bytes.fromhex("00010000000601039c930001"))
        with pytest.raises(TimeoutError):
            second.recv(16)
        roof.endpoint.close()
        second.settimeout(2.0)
        assert second.recv(16)[7] == 3


def test_a_scale_factor_gone_mad_shows_in_the_inverter_alone(roof: SolarEdge) -> None:
    roof.ask("absurd_scale", id="roof")
    assert roof.holding(40084, "H") == (0x7FFF,)
    assert roof.holding(40210, "h") == (0,)
