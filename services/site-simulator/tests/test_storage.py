"""A simulated battery as its driver sees it, over real sockets, and simulated loads on the bus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sunspec2.modbus.client as pysunspec2

from dynexport import topics
from dynexport.broker import free_port
from dynexport.clock import SystemClock
from dynexport.messages import BatteryState, PowerReading, Request
from dynexport.modbus.battery_values import Order
from dynexport.modbus.endpoint import Endpoint, TcpAddress
from dynexport.modbus.sunspec_battery import SunSpecBattery
from dynexport.testing.builders import SITE, setpoint, site
from dynexport.testing.context import codes, fake_context
from site_simulator.app import Simulator

CLOCK = SystemClock()


class Home:
    """A site at night with a battery that may discharge 5 kW and charge 4 kW, and a boiler of 2 kW."""

    def __init__(self, *, hybrid: bool = False, **settings: Any) -> None:
        self.port = port = free_port()
        place: dict[str, Any] = {"tcp": {"host": "127.0.0.1", "port": port}, "unit": 7}
        where = {"inverter": "roof"} if hybrid else {"sunspec": place}
        inverter = {
            **SITE["inverters"][0],
            "tcp": {"host": "127.0.0.1", "port": port if hybrid else free_port()},
        }
        shape = site(
            meter={**SITE["meter"], "tcp": {"host": "127.0.0.1", "port": free_port()}},
            inverters=[inverter],
            batteries=[{"id": "home", "rated_w": 5000, "max_charge_w": 4000, "energy_wh": 10_000, **where}],
            loads=[{"id": "boiler", "rated_w": 2000, "control": "watts"}],
            simulator={
                "sun": "script", "available_pct": 1, "load_w": 1000, "meter_noise_w": 0, "tau_s": 0.05, **settings,
            },
        )  # fmt: skip
        context, self.bus = fake_context("site-simulator", shape, CLOCK)
        self.simulator = Simulator(context)
        self.simulator.start()
        endpoint = Endpoint(TcpAddress("127.0.0.1", port), timeout_s=0.3)
        self.battery = SunSpecBattery(endpoint, 1 if hybrid else 7, alone=not hybrid)
        self.ask("load_w", id="boiler", value=0.0)
        CLOCK.sleep(1.5)

    def turn(self) -> None:
        self.simulator.step(self.bus.drain(), self.simulator.context.moment())
        CLOCK.sleep(0.6)

    def ask(self, fault: str, **fields: Any) -> None:
        request = Request(issued_at=CLOCK.now(), fault=fault, **fields)
        self.bus.deliver(topics.REQUEST, request, "site-simulator", "fault")
        self.turn()

    @property
    def power_w(self) -> float:
        return self.battery.read().power_w


@pytest.fixture
def homes() -> Iterator[Any]:
    running: list[Home] = []

    def make(**settings: Any) -> Home:
        running.append(Home(**settings))
        return running[-1]

    yield make
    for home in running:
        home.simulator.stop(home.simulator.context.moment())


MAPS = [{}, {"map": "float"}, {"map": "der"}, {"hybrid": True}, {"hybrid": True, "map": "der"}]
SHAPES = pytest.mark.parametrize("settings", MAPS, ids=["integer", "float", "der", "hybrid", "hybrid der"])


@SHAPES
def test_a_battery_covers_the_house_and_says_so(homes: Any, settings: dict[str, Any]) -> None:
    home = homes(**settings)
    reading = home.battery.read()
    assert reading.power_w == pytest.approx(900.0, abs=30)
    assert reading.soc_pct == pytest.approx(50.0, abs=1)
    assert reading.energy_wh == pytest.approx(5000.0, abs=50)
    assert reading.state in (BatteryState.DISCHARGING, None)
    identity = home.battery.identify()
    assert (identity.max_charge_w, identity.serial) == (4000.0, "roof" if settings.get("hybrid") else "home")


@SHAPES
def test_it_does_what_it_is_told_until_its_timer_runs_out(homes: Any, settings: dict[str, Any]) -> None:
    home = homes(**settings)
    home.battery.identify()
    home.battery.write_order(Order(target_w=-2000.0), 2)
    CLOCK.sleep(0.6)
    assert home.power_w == pytest.approx(-2000.0, abs=20)
    assert home.battery.read_order().window_w == (pytest.approx(2000.0), pytest.approx(-2000.0))
    CLOCK.sleep(2.2)
    assert home.power_w == pytest.approx(900.0, abs=30)
    assert home.battery.read_order().frees


def test_bounds_hold_it_down_and_a_release_frees_it(homes: Any) -> None:
    home = homes()
    home.battery.identify()
    home.battery.write_order(Order(max_discharge_w=300.0), 25)
    CLOCK.sleep(0.6)
    assert home.power_w == pytest.approx(300.0, abs=10)
    home.battery.release()
    CLOCK.sleep(0.6)
    assert home.power_w == pytest.approx(900.0, abs=30)


def test_a_deaf_battery_keeps_its_order_and_does_as_it_does(homes: Any) -> None:
    home = homes()
    home.battery.identify()
    home.ask("deaf", id="home")
    home.battery.write_order(Order(target_w=-2000.0), 25)
    CLOCK.sleep(0.6)
    assert home.power_w == pytest.approx(900.0, abs=30)
    assert home.battery.read_order() == Order(target_w=pytest.approx(-2000.0))


def test_its_charge_can_be_set_and_an_empty_one_gives_nothing(homes: Any) -> None:
    home = homes()
    home.ask("soc_pct", id="home", value=0.0)
    assert (home.power_w, home.battery.read().soc_pct) == (pytest.approx(0.0, abs=5), pytest.approx(0.0))


def test_a_load_obeys_its_setpoint_and_says_what_it_uses(homes: Any) -> None:
    home = homes()
    home.ask("load_w", id="boiler", value=1800.0)
    CLOCK.sleep(1.2)
    home.turn()
    assert home.simulator.network.truth["loads_w"] == pytest.approx(1800.0, abs=20)
    home.bus.deliver(topics.LOAD_SETPOINT, setpoint(500.0, CLOCK.now(), 1), "boiler")
    home.turn()
    CLOCK.sleep(1.5)
    home.turn()
    reading = home.bus.last(topics.LOAD_READING, "boiler")
    assert isinstance(reading, PowerReading)
    assert reading.power_w == pytest.approx(500.0, abs=20)
    home.bus.deliver(topics.LOAD_SETPOINT, setpoint(500.0, CLOCK.now(), 2, connect=False), "boiler")
    home.turn()
    CLOCK.sleep(1.5)
    assert home.simulator.network.truth["loads_w"] == pytest.approx(0.0, abs=5)


def test_a_device_that_is_not_there_is_told_with_those_that_are(homes: Any) -> None:
    home = homes()
    home.ask("soc_pct", id="shed", value=3.0)
    home.turn()
    assert "fault_refused" in codes(home.bus, "site-simulator")


def device(home: Home) -> Any:
    """The battery as pysunspec2, a package of others, finds it."""
    found = pysunspec2.SunSpecModbusClientDeviceTCP(slave_id=7, ipaddr="127.0.0.1", ipport=home.port)
    found.scan()
    return found


def test_pysunspec2_reads_and_charges_it_by_124_and_802_and_our_driver_agrees(homes: Any) -> None:
    home = homes()
    there = device(home)
    bank, storage = there.models[802][0], there.models[124][0]
    reading = home.battery.read()
    assert bank.W.cvalue == pytest.approx(reading.power_w, abs=10)
    assert bank.SoC.cvalue == storage.ChaState.cvalue == pytest.approx(reading.soc_pct, abs=0.2)
    storage.OutWRte.cvalue, storage.InWRte.cvalue = -50.0, 50.0  # of 5000 W, of 4000 W
    storage.InOutWRte_RvrtTms.cvalue = 25
    storage.StorCtl_Mod.cvalue = 3
    storage.write()
    CLOCK.sleep(0.6)
    bank.read()
    assert bank.W.cvalue == home.power_w == pytest.approx(-2000.0, abs=10)
    home.battery.identify()
    assert home.battery.read_order() == Order(target_w=pytest.approx(-2000.0))


def test_pysunspec2_reads_and_charges_it_by_713_714_and_704_and_our_driver_agrees(homes: Any) -> None:
    home = homes(map="der")
    there = device(home)
    capacity, ports, controls = (there.models[number][0] for number in (713, 714, 704))
    reading = home.battery.read()
    assert ports.DCW.cvalue == pytest.approx(reading.power_w, abs=10)
    assert (capacity.SoC.cvalue, capacity.WHAvail.cvalue) == (
        pytest.approx(reading.soc_pct, abs=0.2),
        pytest.approx(reading.energy_wh, abs=5),
    )
    controls.WSet.cvalue, controls.WSetMod.value, controls.WSetRvrtTms.value = -1500, 1, 25
    controls.WSetEna.value = 1
    controls.write()
    CLOCK.sleep(0.6)
    ports.read()
    assert ports.DCW.cvalue == home.power_w == pytest.approx(-1500.0, abs=10)
    home.battery.identify()
    assert home.battery.read_order() == Order(target_w=-1500.0)
