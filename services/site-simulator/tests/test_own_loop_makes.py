"""Inverters that keep the site's export at a limit by themselves, as a client sees them over a real socket."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from simulated_roof import CLOCK, Roof, unpacked

from dynexport.modbus.endpoint import Refused, Unreachable

LIMIT_W = 3000
LOOP_S = 1.5
Words = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Make:
    """How a make is limited and read, in raw registers: `limit` is what to write where, in order."""

    inverter: str
    meter: str
    unit: int
    limit: tuple[tuple[int, Words], ...]
    power: tuple[str, int, str]
    export: tuple[str, int, str, int]
    bad_value: tuple[int, int]


MAKES = (
    Make("sungrow-sh", "sungrow-sh-meter", 1, ((13073, (LIMIT_W,)), (13086, (0xAA,))),
         ("input", 13033, "low"), ("input", 13009, "low", 1), (13086, 1)),
    Make("goodwe-et", "goodwe-et-meter", 247, ((47510, (LIMIT_W,)), (47509, (1,))),
         ("holding", 35138, "h"), ("holding", 36025, "i", 1), (47509, 2)),
    Make("goodwe-dt", "sdm630", 127, ((40336, (30,)), (40327, (1,))),
         ("holding", 30127, "i"), ("holding", 30195, "i", 1), (40327, 2)),
    Make("sigenergy", "sigenergy-meter", 247, ((40038, (0, LIMIT_W)),),
         ("holding", 30031, "i"), ("input", 30005, "i", -1), (40031, 9)),
    Make("huawei-sun2000", "huawei-meter", 1, ((47416, (0, LIMIT_W)), (47415, (6,))),
         ("holding", 32080, "i"), ("holding", 37113, "i", 1), (47415, 3)),
)  # fmt: skip


class Regulated(Roof):
    """A roof whose inverter regulates itself."""

    def __init__(self, make: Make) -> None:
        self.make = make
        super().__init__(make.inverter, make.meter, unit=make.unit, shared=make.meter != "sdm630")
        if make.inverter == "huawei-sun2000":
            self.settle()

    def settle(self) -> None:
        """Connect, and leave it alone as long as it wants to be."""
        with pytest.raises(Unreachable):
            self.endpoint.read_holding(self.unit, 30000, 1)
        self.stay_connected()

    def stay_connected(self) -> None:
        """A client that is patient: the endpoint's own connection would be closed by a timeout."""
        self.endpoint.close()
        self.endpoint._client.connect()
        CLOCK.sleep(1.2)

    def shown(self, function: str, address: int, form: str) -> float:
        read = self.endpoint.read_input if function == "input" else self.endpoint.read_holding
        words = read(self.unit, address, 1 if form == "h" else 2)
        return float(unpacked("i" if form == "low" else form, words[::-1] if form == "low" else words)[0])

    @property
    def power_w(self) -> float:
        return self.shown(*self.make.power)

    @property
    def export_w(self) -> float:
        function, address, form, sign = self.make.export
        return sign * self.shown(function, address, form)

    def limit(self) -> None:
        for address, words in self.make.limit:
            self.endpoint.write_registers(self.unit, address, words)


@pytest.fixture(params=MAKES, ids=lambda make: make.inverter)
def roof(request: pytest.FixtureRequest) -> Iterator[Regulated]:
    with Regulated(request.param) as running:
        yield running


def test_it_shows_its_power_and_the_export_and_has_no_limit_as_delivered(roof: Regulated) -> None:
    assert roof.power_w == pytest.approx(10_000, abs=5)
    assert roof.export_w == pytest.approx(8000, abs=5)


def test_the_export_stays_at_the_limit_when_the_house_uses_more_or_less(roof: Regulated) -> None:
    roof.limit()
    CLOCK.sleep(LOOP_S)
    assert roof.truth["export_w"] == pytest.approx(LIMIT_W, abs=10)
    assert roof.power_w == pytest.approx(LIMIT_W + 2000, abs=10)
    roof.ask("load_w", value=500.0)
    CLOCK.sleep(LOOP_S)
    assert roof.truth["export_w"] == pytest.approx(LIMIT_W, abs=10)
    roof.ask("load_w", value=9000.0)
    CLOCK.sleep(LOOP_S)
    assert roof.truth["generation_w"] == pytest.approx(10_000, abs=10)


def test_the_limit_is_in_flash_and_outlives_a_power_cut_and_each_write_is_counted(roof: Regulated) -> None:
    roof.limit()
    roof.ask("power_cycle", id="roof", value=0.1)
    CLOCK.sleep(LOOP_S)
    assert roof.truth["export_w"] == pytest.approx(LIMIT_W, abs=10)
    assert roof.device().writes == {address: 1 for address, _ in roof.make.limit}


def test_a_wrong_value_is_refused_with_3_and_a_measurement_cannot_be_written(roof: Regulated) -> None:
    address, value = roof.make.bad_value
    with pytest.raises(Refused, match="exception 3"):
        roof.endpoint.write_register(roof.unit, address, value)
    with pytest.raises(Refused, match="exception 2"):
        roof.endpoint.write_register(roof.unit, roof.make.power[1], 1)


def test_a_scale_error_of_the_plant_does_not_get_past_its_own_loop() -> None:
    with Regulated(MAKES[1]) as roof:
        roof.ask("gain", value=1.1)
        roof.limit()
        CLOCK.sleep(LOOP_S)
        assert roof.truth["export_w"] == pytest.approx(LIMIT_W, abs=10)


def test_a_ratio_goes_before_the_watts_of_a_sungrow_hybrid_and_its_cap_holds_its_own_output() -> None:
    with Regulated(MAKES[0]) as roof:
        roof.limit()
        roof.endpoint.write_registers(1, 13087, [100])  # 10 % of 10 kW
        CLOCK.sleep(LOOP_S)
        assert roof.truth["export_w"] == pytest.approx(1000, abs=10)
        roof.endpoint.write_registers(1, 13088, [0xAA, 200])
        assert roof.truth["generation_w"] == pytest.approx(2000, abs=10)


def test_a_single_phase_goodwe_dt_is_limited_in_watts() -> None:
    with Roof("goodwe-dt", unit=127, phase="a") as roof:
        roof.write(40328, "I", 2500)
        roof.write(40327, "H", 1)
        CLOCK.sleep(LOOP_S)
        assert roof.truth["export_w"] == pytest.approx(2500, abs=10)


def test_sigenergys_panel_limit_counts_in_remote_control_only() -> None:
    with Regulated(MAKES[3]) as roof:
        roof.write(40036, "I", 4000)
        assert roof.truth["generation_w"] == pytest.approx(10_000, abs=10)
        roof.write(40031, "H", 5)
        roof.write(40029, "H", 1)
        assert roof.truth["generation_w"] == pytest.approx(4000, abs=10)


def test_a_huawei_says_nothing_for_a_second_and_throws_the_older_client_out() -> None:
    with Regulated(MAKES[4]) as roof:
        assert roof.power_w == pytest.approx(10_000, abs=5)
        with socket.create_connection(("127.0.0.1", roof.port), timeout=1.0) as second:
            CLOCK.sleep(1.2)
            second.sendall(bytes.fromhex("000100000006010375300001"))
            assert second.recv(16)[7] == 3
            with pytest.raises(Unreachable):
                roof.endpoint.read_holding(1, 30000, 1)


@pytest.mark.parametrize(
    ("limited_by", "left_w"),
    [
        (((40125, (250,)),), 2500.0),
        (((40126, (0, 1500)),), 1500.0),
        (((47418, (100,)), (47415, (7,))), 3000.0),
    ],
)
def test_a_huawei_can_be_derated_and_limited_by_a_percentage(
    limited_by: tuple[tuple[int, Words], ...], left_w: float
) -> None:
    with Regulated(MAKES[4]) as roof:
        for address, words in limited_by:
            roof.endpoint.write_registers(1, address, words)
        CLOCK.sleep(LOOP_S)
        assert roof.truth["generation_w"] == pytest.approx(left_w, abs=10)


def test_a_sungrow_string_inverter_follows_tenths_of_a_percent_and_is_dark_at_night() -> None:
    with Roof("sungrow-sg") as roof:

        def power_w() -> float:
            return float(unpacked("I", roof.endpoint.read_input(1, 5030, 2)[::-1])[0])

        roof.write(5007, "H", 355)
        assert power_w() == pytest.approx(10_000, abs=5)
        roof.write(5006, "H", 0xAA)
        assert roof.truth["generation_w"] == pytest.approx(3550, abs=5)
        assert power_w() == pytest.approx(3550, abs=5)
        with pytest.raises(Refused, match="exception 3"):
            roof.write(5007, "H", 1101)
        roof.ask("power_cycle", id="roof", value=0.1)
        assert roof.truth["generation_w"] == pytest.approx(3550, abs=5)
        roof.write(5005, "H", 0xCE)
        assert roof.truth["generation_w"] == pytest.approx(0, abs=5)
        roof.ask("night")
        with pytest.raises(Unreachable):
            power_w()


def test_a_gavazzi_has_the_low_word_first_and_answers_both_functions() -> None:
    for name in ("em24", "em340"):
        with Roof("sma-core1", name) as roof:
            reads: tuple[Callable[[int, int, int], Words], ...] = (
                roof.meter.read_input,
                roof.meter.read_holding,
            )
            for read in reads:
                assert unpacked("i", read(1, 0x28, 2)[::-1])[0] == pytest.approx(-80_000, abs=50)
            assert roof.meter.read_holding(1, 0x33, 1) == (500,)
