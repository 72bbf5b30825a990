"""The plant's battery and load: what they do by themselves, what they are told, and what a timer ends."""

from __future__ import annotations

import pytest

from dynexport.modbus.battery_values import Order
from dynexport.testing.plant import InverterModel, MeterModel, Plant
from dynexport.testing.plant_battery import BatteryModel, Beside, LoadModel

QUIET = MeterModel(noise_w=0.0)


def plant(load_w: float = 500.0, **beside: object) -> Plant:
    made = Plant([InverterModel(rated_w=5000.0)], load_w=load_w, meter=QUIET, beside=Beside(**beside))  # type: ignore[arg-type]
    made.inverters[0].available_w = 0.0
    made.settle()
    return made


def test_a_battery_covers_the_house_and_stores_what_is_too_much() -> None:
    site = plant(load_w=2000.0, batteries=[BatteryModel()])
    assert site.site_w == pytest.approx(0.0)
    site.inverters[0].available_w = 5000.0
    site.advance(10.0)
    assert site.site_w == pytest.approx(0.0, abs=5.0)
    assert site.beside.discharge_w == pytest.approx(-3000.0, abs=5.0)
    assert site.read_meter().power_w == pytest.approx(0.0, abs=5.0)


def test_what_it_stores_follows_its_power_and_ends_it() -> None:
    site = plant(load_w=6000.0, batteries=[BatteryModel(energy_wh=1000.0, reserve_wh=100.0)])
    site.advance(144.0)
    assert site.beside.batteries[0].stored_wh == pytest.approx(300.0, abs=1.0)
    site.advance(600.0)
    assert site.beside.discharge_w == pytest.approx(0.0, abs=1.0)
    assert site.site_w == pytest.approx(6000.0, abs=1.0)


@pytest.mark.parametrize(
    ("order", "power_w"),
    [
        (Order(target_w=-3000.0), -3000.0),
        (Order(max_discharge_w=800.0), 800.0),
        (Order(target_w=9000.0), 5000.0),
    ],
)
def test_it_does_what_it_is_told_until_its_timer_runs_out(order: Order, power_w: float) -> None:
    site = plant(load_w=2000.0, batteries=[BatteryModel()])
    site.beside.batteries[0].command(site.now, order, 25.0)
    site.advance(24.9)
    assert site.beside.discharge_w == pytest.approx(power_w, abs=1.0)
    site.advance(30.0)
    assert site.beside.discharge_w == pytest.approx(2000.0, abs=1.0)


def test_a_deaf_battery_does_what_it_does_by_itself() -> None:
    site = plant(load_w=2000.0, batteries=[BatteryModel()])
    site.beside.batteries[0].deaf = True
    site.beside.batteries[0].command(site.now, Order(target_w=0.0), 25.0)
    site.advance(10.0)
    assert site.beside.discharge_w == pytest.approx(2000.0)


@pytest.mark.parametrize(
    ("model", "limit_w", "power_w"),
    [
        (LoadModel(), None, 2000.0),
        (LoadModel(), 700.0, 700.0),
        (LoadModel(min_w=800.0), 700.0, 0.0),
        (LoadModel(switched=True), 1999.0, 0.0),
        (LoadModel(switched=True), 2000.0, 2000.0),
    ],
)
def test_a_load_uses_what_it_wants_as_far_as_it_may(
    model: LoadModel, limit_w: float | None, power_w: float
) -> None:
    site = plant(loads=[model])
    site.beside.loads[0].limit_w = limit_w
    site.advance(10.0)
    assert site.beside.load_w == pytest.approx(power_w, abs=1.0)
    assert site.site_w == pytest.approx(500.0 + power_w, abs=1.0)


def test_with_three_phases_each_has_its_part() -> None:
    beside = Beside([BatteryModel(phase="b")], [LoadModel(phase="a")])
    site = Plant([InverterModel()], load_w=900.0, load_share=(1 / 3,) * 3, meter=QUIET, beside=beside)
    site.inverters[0].available_w = 0.0
    site.settle()
    assert site.phases_w == pytest.approx((2300.0, -2600.0, 300.0))
    assert sum(site.phases_w) == pytest.approx(site.site_w)


def test_a_hybrid_inverters_limit_is_of_sun_and_battery_together() -> None:
    site = plant(load_w=4000.0, batteries=[BatteryModel()])
    site.beside.batteries[0].host = 0
    site.inverters[0].available_w = 3000.0
    site.inverters[0].command(site.now, 2000.0)
    site.beside.batteries[0].command(site.now, Order(target_w=1500.0))
    site.advance(20.0)
    assert site.beside.discharge_w == pytest.approx(1500.0, abs=1.0)
    assert site.generation_w == pytest.approx(500.0, abs=1.0)
    site.inverters[0].command(site.now, 800.0)
    site.advance(40.0)
    assert site.beside.discharge_w + site.generation_w == pytest.approx(800.0, abs=1.0)
