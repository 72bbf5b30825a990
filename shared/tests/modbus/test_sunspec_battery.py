"""SunSpec batteries on real sockets: 124, 802, 713 and 714 read, 124 and 704 commanded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dynexport.messages import BatteryState
from dynexport.modbus.battery_values import BatteryValues, Order
from dynexport.modbus.definitions import model
from dynexport.modbus.endpoint import Endpoint
from dynexport.modbus.sunspec import BadValue, NotSunSpec
from dynexport.modbus.sunspec_battery import SunSpecBattery

from .test_sunspec_der import BASE, CONTROLS, GAP, OLD, block

STORAGE = {"WChaMax": 500, "WChaMax_SF": 1, "StorCtl_Mod": 0, "ChaState": 620, "ChaState_SF": -1, "ChaSt": 4}
STORAGE |= {"OutWRte": 10000, "InWRte": 10000, "InOutWRte_WinTms": 0, "InOutWRte_RvrtTms": 0}
STORAGE |= {"InOutWRte_RmpTms": 0, "InOutWRte_SF": -2, "ChaGriSet": 0}
BANK = {"WHRtg": 1350, "WHRtg_SF": 1, "SoC": 620, "SoC_SF": -1, "ChaSt": 4, "W": 1200, "W_SF": 0}
CAPACITY = {"WHRtg": 1350, "WHAvail": 800, "SoC": 600, "WH_SF": 1, "Pct_SF": -1}
PORTS = {"NPrt": 0, "DCW": -120, "DCW_SF": 1}
SET = {**CONTROLS, "WSetEna": 0, "WSetMod": 0, "WSet": 0, "WSetRvrt": 0, "WSetPct": 0, "WSetPctRvrt": 0}
SET |= {"WSetEnaRvrt": 0, "WSetRvrtTms": 0, "WSet_SF": 1, "WSetPct_SF": -1}


class Battery:
    """A device with these models; `after` are registers that repeat at the end of a model."""

    def __init__(
        self,
        server: Any,
        endpoint: Endpoint,
        models: Mapping[int, Mapping[str, int]],
        *,
        alone: bool = False,
        after: Mapping[int, list[int]] | None = None,
    ) -> None:
        self.server = server
        self.starts: dict[int, int] = {}
        registers = [0x5375, 0x6E53]
        for model_id, values in models.items():
            self.starts[model_id] = BASE + len(registers)
            more = (after or {}).get(model_id, [])
            made = block(model_id, values)
            made[1] += len(more)
            registers += made + more
        server.put(1, BASE, *registers, 0xFFFF)
        self.driver = SunSpecBattery(endpoint, 1, alone=alone)

    def writes(self, model_id: int) -> list[tuple[str, list[int]]]:
        """(first point, registers) of each write so far."""
        names = {point.offset: name for name, point in model(model_id).points.items()}
        return [(names[at - self.starts[model_id]], values) for _, at, values in self.server.writes]


def test_802_tells_power_charge_energy_and_state(server: Any, endpoint: Endpoint) -> None:
    reading = Battery(server, endpoint, {103: OLD, 124: STORAGE, 802: BANK}).driver.read()
    assert reading == BatteryValues(-1200.0, 62.0, pytest.approx(8370.0), BatteryState.CHARGING)


@pytest.mark.parametrize(("state", "raw", "power_w"), [(3, -900, 900.0), (4, 900, -900.0), (6, -3, -3.0)])
def test_the_sign_of_802_power_is_what_the_battery_says_it_does(
    server: Any, endpoint: Endpoint, state: int, raw: int, power_w: float
) -> None:
    battery = Battery(server, endpoint, {124: STORAGE, 802: {**BANK, "ChaSt": state, "W": raw}})
    assert battery.driver.read().power_w == power_w


def test_713_and_714_tell_energy_and_dc_power(server: Any, endpoint: Endpoint) -> None:
    reading = Battery(server, endpoint, {713: CAPACITY, 714: PORTS, 704: SET}).driver.read()
    assert reading == BatteryValues(-1200.0, 60.0, 8000.0, None)


def test_of_714_only_the_storage_ports_count(server: Any, endpoint: Endpoint) -> None:
    def port(kind: int, power_w: int) -> list[int]:
        return [kind, *[0] * 11, power_w & 0xFFFF, *[0] * 12]

    ports = {714: [*port(0, 400), *port(1, -70), *port(5, 10)]}
    battery = Battery(server, endpoint, {713: CAPACITY, 714: {**PORTS, "NPrt": 3}}, after=ports)
    assert battery.driver.read().power_w == -600.0


def test_124_alone_takes_its_power_from_the_storage_modules_of_160(server: Any, endpoint: Endpoint) -> None:
    def module(name: str, power_w: int) -> list[int]:
        data = name.encode().ljust(16, b"\0")
        words = [int.from_bytes(data[at : at + 2], "big") for at in range(0, 16, 2)]
        return [1, *words, 0, 0, power_w, *[0] * 8]

    modules = {160: [*module("MPPT 1", 3000), *module("StCha 3", 250), *module("StDisCha 4", 0)]}
    battery = Battery(server, endpoint, {103: OLD, 124: STORAGE, 160: {"N": 3, "DCW_SF": 1}}, after=modules)
    assert battery.driver.read() == BatteryValues(-2500.0, 62.0, None, BatteryState.CHARGING)


def test_a_battery_inverter_of_its_own_tells_its_ac_power(server: Any, endpoint: Endpoint) -> None:
    battery = Battery(server, endpoint, {103: {**OLD, "W": -800}, 124: STORAGE}, alone=True)
    assert battery.driver.read().power_w == -800.0


def test_in_an_inverters_map_124_without_any_power_is_not_guessed(server: Any, endpoint: Endpoint) -> None:
    with pytest.raises(NotSunSpec, match="no model tells the battery's power"):
        Battery(server, endpoint, {103: OLD, 124: STORAGE}).driver.read()


def test_a_map_without_a_battery_says_what_it_has(server: Any, endpoint: Endpoint) -> None:
    with pytest.raises(NotSunSpec, match=r"no battery .* among the models 103"):
        Battery(server, endpoint, {103: OLD}).driver.identify()


def test_bounds_go_into_124_as_percentages_rounded_down_with_the_timer(
    server: Any, endpoint: Endpoint
) -> None:
    battery = Battery(server, endpoint, {124: STORAGE, 802: BANK})
    assert battery.driver.identify().control_model == 124
    battery.driver.write_order(Order(max_charge_w=1234.7), 25)
    assert battery.writes(124) == [("OutWRte", [10000, 2469, 0, 25, 0]), ("StorCtl_Mod", [1])]
    assert battery.driver.read_order() == Order(max_charge_w=pytest.approx(1234.5))


def test_a_rate_is_a_window_of_124_with_both_ends_on_it(server: Any, endpoint: Endpoint) -> None:
    battery = Battery(server, endpoint, {124: STORAGE, 802: BANK})
    for target_w in (2000.0, -2000.0):
        battery.driver.write_order(Order(target_w=target_w), 25)
        assert battery.driver.read_order() == Order(target_w=pytest.approx(target_w))
    assert battery.writes(124)[0] == ("OutWRte", [4000, 0x10000 - 4000, 0, 25, 0])


def test_of_two_bases_of_a_discharge_the_larger_makes_the_smaller_percentage(
    server: Any, endpoint: Endpoint
) -> None:
    nameplate = {"MaxDisChaRte": 800, "MaxDisChaRte_SF": 1}
    battery = Battery(server, endpoint, {120: nameplate, 124: STORAGE, 802: BANK})
    battery.driver.write_order(Order(max_discharge_w=4000.0), 25)
    assert battery.writes(124)[0] == ("OutWRte", [5000, 10000, 0, 25, 0])


def test_a_released_124_has_no_rate_and_no_timer(server: Any, endpoint: Endpoint) -> None:
    battery = Battery(server, endpoint, {124: {**STORAGE, "StorCtl_Mod": 3}, 802: BANK})
    battery.driver.release()
    assert battery.writes(124) == [("StorCtl_Mod", [0]), ("OutWRte", [10000, 10000, 0, 0, 0])]
    assert battery.driver.read_order().frees


def test_a_rate_goes_into_704_in_one_write_with_its_timer(server: Any, endpoint: Endpoint) -> None:
    battery = Battery(server, endpoint, {713: CAPACITY, 714: PORTS, 704: SET, 124: STORAGE})
    identity = battery.driver.identify()
    assert (identity.control_model, identity.bounds) == (704, False)
    battery.driver.write_order(Order(target_w=-2505.0), 25)
    assert battery.writes(704) == [("WSetEna", [1, 1, 0xFFFF, 0x10000 - 250, 0, 0, 0, 0, 0, 0, 25])]
    assert battery.driver.read_order() == Order(target_w=-2500.0)
    battery.driver.release()
    assert battery.driver.read_order().frees


@pytest.mark.parametrize(
    ("models", "why"),
    [
        ({124: {**STORAGE, "InOutWRte_RvrtTms": GAP}, 802: BANK}, "124 has no InOutWRte_RvrtTms"),
        ({713: CAPACITY, 714: PORTS, 704: {**SET, "WSetRvrtTms": GAP}}, "704 has no WSetRvrtTms"),
        ({802: BANK}, "it has neither 704 nor 124"),
    ],
)
def test_a_battery_without_a_timer_of_its_own_is_not_commanded(
    server: Any, endpoint: Endpoint, models: Mapping[int, Mapping[str, int]], why: str
) -> None:
    battery = Battery(server, endpoint, models)
    identity = battery.driver.identify()
    assert (identity.control_model, identity.why) == (None, why)
    with pytest.raises(BadValue, match=why):
        battery.driver.write_order(Order(target_w=0.0), 25)
    assert not server.writes


def test_a_scale_factor_that_cannot_say_100_percent_ends_nothing_but_the_command(
    server: Any, endpoint: Endpoint
) -> None:
    battery = Battery(server, endpoint, {124: {**STORAGE, "InOutWRte_SF": 3}, 802: BANK})
    with pytest.raises(BadValue, match="scale factor of InWRte is 3"):
        battery.driver.write_order(Order(target_w=0.0), 25)
    assert battery.driver.read().power_w == -1200.0
