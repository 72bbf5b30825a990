"""The engine against the plant with loads and a battery: what LOA-01, -02, -13 and STO-03, -06 ask for."""

from __future__ import annotations

from itertools import pairwise

import pytest
from bench.home import Home
from bench.home_run import home_run

from dynexport import messages as m
from dynexport import topics
from dynexport.modbus.battery_values import Order
from dynexport.testing.plant import InverterModel, MeterModel
from dynexport.testing.plant_battery import BatteryModel, LoadModel, PlantBattery

SOURCES = {
    "csip": {"kind": "obligation", "fallback": {"export_limit_w": 1500}},
    "manual": {"kind": "preference"},
}
WIDE = {"export_limit_w": 20_000, "failsafe_export_limit_w": 1500}
SETTLES_S = 5.0


def home(**fields: object) -> Home:
    fields = {
        "inverters": [InverterModel(5000.0)],
        "sections": {"sources": SOURCES, "agreement": WIDE},
        **fields,
    }
    return Home(**fields)  # type: ignore[arg-type]


def night(one: Home) -> Home:
    for inverter in one.plant.inverters:
        inverter.available_w = 0.0
    return one


def told_w(one: Home, name: str) -> float:
    said = one.bus.last(topics.LOAD_SETPOINT, name)
    assert isinstance(said, m.Setpoint)
    return said.target_w


def battery_order(one: Home) -> m.BatterySetpoint:
    said = one.bus.last(topics.BATTERY_SETPOINT, "b0")
    assert isinstance(said, m.BatterySetpoint)
    return said


def worst_import_w(one: Home, since: float) -> float:
    return max(truth.site_w for truth in one.since(since))


def worst_export_w(one: Home, since: float) -> float:
    return max(-truth.site_w for truth in one.since(since))


def test_loa_01_an_import_limit_of_0_takes_a_load_off_and_one_of_200_percent_leaves_it() -> None:
    one = night(home(loads=[LoadModel(5000.0)], load_w=0.0))
    one.state("csip", export_limit_w=0.0, import_limit_w=10_000.0)
    one.run(60.0)
    assert one.truth.site_w == pytest.approx(5000.0, abs=50.0)
    one.state("csip", export_limit_w=0.0, import_limit_w=0.0)
    began = one.plant.now
    one.run(60.0)
    assert worst_import_w(one, began + SETTLES_S) < 0.05 * 5000.0


def test_loa_02_a_load_limit_counts_what_the_sun_covers() -> None:
    one = home(loads=[LoadModel(4000.0)], load_w=500.0)
    one.state("csip", export_limit_w=5000.0, load_limit_w=20_000.0)
    one.run(60.0)
    assert one.truth.loads_w[0] == pytest.approx(4000.0, abs=50.0)
    one.state("csip", export_limit_w=5000.0, load_limit_w=2000.0)
    one.run(30.0)
    assert one.truth.loads_w[0] == pytest.approx(1500.0, abs=60.0)
    assert one.truth.loads_w[0] <= 1500.0 + 5.0


def test_loa_13_20_percent_is_held_while_the_house_steps_0_20_10_and_0_percent() -> None:
    one = night(home(loads=[LoadModel(5000.0)], load_w=0.0))
    one.state("csip", export_limit_w=0.0, import_limit_w=10_000.0)
    one.run(60.0)
    one.state("csip", export_limit_w=0.0, import_limit_w=1000.0)
    for house_w in (0.0, 1000.0, 500.0, 0.0):
        one.plant.load_w = house_w
        stepped = one.plant.now
        one.run(60.0)
        assert worst_import_w(one, stepped + SETTLES_S) <= 1000.0 + 30.0
        assert one.truth.site_w == pytest.approx(1000.0, abs=60.0)


def test_the_last_load_is_shed_first_and_the_battery_stops_charging_before_any() -> None:
    one = night(
        home(
            loads=[LoadModel(2000.0, switched=True), LoadModel(3000.0, switched=True)],
            batteries=[BatteryModel()],
        )
    )
    one.plant.beside.batteries[0].stored_wh = 5000.0
    one.state("csip", import_limit_w=30_000.0, storage_target_w=-2000.0)
    one.run(40.0)
    assert one.truth.site_w == pytest.approx(7500.0, abs=50.0)
    seen = []
    for limit_w in (6000.0, 3000.0, 0.0):
        one.state("csip", import_limit_w=limit_w, storage_target_w=-2000.0)
        began = one.plant.now
        one.run(20.0)
        assert worst_import_w(one, began + SETTLES_S) <= max(500.0, limit_w) + 30.0
        seen.append((told_w(one, "l0"), told_w(one, "l1")))
    assert seen == [(2000.0, 3000.0), (2000.0, 0.0), (0.0, 0.0)]
    assert "l0, l1 may use less for it" in one.active.reason


def test_a_house_that_swings_at_the_limit_makes_no_contact_chatter() -> None:
    one = night(home(loads=[LoadModel(2000.0, switched=True)], load_w=500.0))
    one.state("csip", import_limit_w=3000.0)
    one.run(30.0)
    for second in range(240):
        one.plant.load_w = 500.0 if second % 10 < 5 else 1500.0
        one.run(1.0)
    said = [message.target_w for message in one.bus.all(topics.LOAD_SETPOINT, "l0")]
    changes = sum(1 for before, after in pairwise(said) if (before > 0) != (after > 0))
    assert 1 <= changes <= 9


@pytest.mark.parametrize(
    ("limits", "used_w"),
    [({"import_limit_w": 1000.0}, 3500.0), ({"load_limit_w": 2000.0}, 1500.0)],
)
def test_with_a_meter_of_the_houses_use_the_sun_counts_for_import_and_not_for_a_load_limit(
    limits: dict[str, float], used_w: float
) -> None:
    meter = {"driver": "sunspec", "tcp": {"host": "127.0.0.1", "port": 1502}, "unit": 240}
    sections = {"sources": SOURCES, "agreement": WIDE, "meter": {**meter, "location": "consumption"}}
    one = home(loads=[LoadModel(5000.0)], load_w=500.0, measures_use=True, sections=sections)
    one.plant.inverters[0].available_w = 3000.0
    one.state("csip", export_limit_w=5000.0, **limits)
    one.run(90.0)
    assert one.truth.loads_w[0] == pytest.approx(used_w, abs=100.0)


def test_a_battery_that_never_exports_is_told_no_more_than_the_house_takes() -> None:
    one = night(home(batteries=[BatteryModel()], battery={"exports": "never"}, load_w=1200.0))
    one.state("csip", export_limit_w=5000.0, storage_target_w=4000.0)
    one.run(40.0)
    assert one.truth.batteries_w[0] == pytest.approx(1200.0, abs=60.0)
    assert worst_export_w(one, 10.0) <= 30.0


def test_a_battery_left_alone_is_an_event_once_in_its_five_minutes() -> None:
    one = home(batteries=[BatteryModel()], load_w=400.0)
    one.plant.beside.batteries[0].deaf = True
    one.state("csip", export_limit_w=2500.0, connect=False)
    one.run(60.0)
    assert one.codes.count("battery_astray") <= 1


def test_loads_are_told_their_rating_while_nothing_limits_import_or_use() -> None:
    one = night(home(loads=[LoadModel(3000.0), LoadModel(2000.0, switched=True)]))
    one.run(10.0)
    assert (told_w(one, "l0"), told_w(one, "l1")) == (3000.0, 2000.0)
    one.meter_alive = False
    one.run(20.0)
    assert (told_w(one, "l0"), told_w(one, "l1")) == (3000.0, 2000.0)


def test_without_a_meter_loads_are_off_and_the_battery_does_not_charge_while_an_import_limit_is_in_force() -> (
    None
):
    one = night(home(loads=[LoadModel(3000.0)], batteries=[BatteryModel()]))
    one.state("csip", import_limit_w=20_000.0)
    one.run(20.0)
    assert told_w(one, "l0") == 3000.0
    one.meter_alive = False
    one.run(4.6)
    assert told_w(one, "l0") == 0.0
    assert battery_order(one).max_charge_w == 0.0
    one.meter_alive = True
    one.run(30.0)
    assert told_w(one, "l0") == 3000.0


def test_in_failsafe_the_import_limit_of_a_silent_obligations_fallback_counts() -> None:
    fallback = {"kind": "obligation", "fallback": {"export_limit_w": 1500, "import_limit_w": 2000}}
    one = night(home(loads=[LoadModel(3000.0)], sections={"sources": {"csip": fallback}, "agreement": WIDE}))
    one.run(10.0)
    assert one.active.mode is m.Mode.FAILSAFE
    assert told_w(one, "l0") == 0.0


def test_a_silent_load_that_was_shed_leaves_its_room_to_the_others_as_the_meter_shows_it() -> None:
    one = night(home(loads=[LoadModel(2000.0), LoadModel(3000.0, switched=True)], load_w=500.0))
    one.silent = {"l1"}
    one.state("csip", import_limit_w=3000.0)
    one.run(60.0)
    assert (told_w(one, "l0"), told_w(one, "l1")) == (2000.0, 0.0)
    assert one.truth.site_w == pytest.approx(2500.0, abs=50.0)


@pytest.mark.parametrize("sun_w", [0.0, 5000.0])
def test_sto_03_and_06_a_storage_target_is_followed_and_the_export_limit_wins(sun_w: float) -> None:
    one = home(batteries=[BatteryModel()], load_w=400.0)
    one.plant.inverters[0].available_w = sun_w
    one.state("csip", export_limit_w=0.0, import_limit_w=5000.0)
    one.run(40.0)
    for target_w, export_limit_w in ((5000, 10_000), (5000, 2500), (-5000, 2500), (0, 0), (1500, 5000)):
        one.state("csip", export_limit_w=export_limit_w, import_limit_w=5000.0, storage_target_w=target_w)
        began = one.plant.now
        one.run(40.0)
        assert worst_export_w(one, began + 10.0) <= export_limit_w + 30.0
        assert worst_import_w(one, began + 10.0) <= 5000.0 + 30.0
        reached_w = one.truth.batteries_w[0]
        expected_w = {5000: min(5000, export_limit_w + 400), -5000: -4600 if sun_w == 0 else -5000}.get(
            target_w, target_w
        )
        assert reached_w == pytest.approx(expected_w, abs=60.0)
        assert (one.active.storage_target_w, one.active.storage_target_source) == (target_w, "csip")


def test_a_storage_target_stays_inside_a_generation_limit() -> None:
    one = home(batteries=[BatteryModel()], load_w=400.0)
    one.plant.inverters[0].available_w = 1000.0
    one.state("csip", export_limit_w=20_000.0, generation_limit_w=3000.0, storage_target_w=5000.0)
    one.run(60.0)
    assert max(truth.generation_w + truth.batteries_w[0] for truth in one.since(10.0)) <= 3000.0 + 30.0


def test_a_battery_that_does_not_follow_is_given_up_and_the_sun_is_let_in_again() -> None:
    one = home(batteries=[BatteryModel()], load_w=400.0)
    one.plant.beside.batteries[0].deaf = True
    one.plant.beside.batteries[0].stored_wh = 13_500.0
    one.state("csip", export_limit_w=2500.0, storage_target_w=5000.0)
    one.run(45.0)
    assert one.codes.count("battery_astray") == 1
    assert battery_order(one).target_w is None
    assert one.truth.generation_w == pytest.approx(2900.0, abs=60.0)


def test_a_battery_that_waits_to_be_told_charges_what_would_be_curtailed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_itself = PlantBattery.aim_w
    monkeypatch.setattr(
        PlantBattery,
        "aim_w",
        lambda self, lack_w: 0.0 if self.order.target_w is None else by_itself(self, lack_w),
    )
    one = home(inverters=[InverterModel(8000.0)], batteries=[BatteryModel()], load_w=400.0)
    one.state("csip", export_limit_w=1500.0)
    one.run(120.0)
    assert one.truth.batteries_w[0] < -4000.0
    assert worst_export_w(one, 15.0) <= 1500.0 + 60.0
    assert one.truth.generation_w > 5800.0
    one.plant.inverters[0].available_w = 3000.0
    clouded = one.plant.now
    one.run(60.0)
    assert worst_export_w(one, clouded) <= 1500.0 + 100.0
    assert worst_import_w(one, clouded + 10.0) <= 100.0


def test_a_battery_that_we_may_not_command_is_told_nothing_and_its_control_is_off_by_default() -> None:
    one = home(batteries=[BatteryModel()], battery={"control": "none"})
    one.state("csip", export_limit_w=2500.0, import_limit_w=0.0, storage_target_w=5000.0)
    one.run(20.0)
    assert one.bus.all(topics.BATTERY_SETPOINT, "b0") == []


def test_a_disconnection_stops_the_battery() -> None:
    one = home(batteries=[BatteryModel()])
    one.state("csip", export_limit_w=2500.0, connect=False, storage_target_w=5000.0)
    one.run(20.0)
    order = battery_order(one)
    assert Order(order.target_w, order.max_charge_w, order.max_discharge_w) == Order(0.0, 0.0, 0.0)


def test_a_charge_buffer_lets_a_battery_begin_to_charge_under_a_self_imposed_zero_export() -> None:
    buffer = {"control": "none", "charge_buffer_w": 200.0}
    one = home(batteries=[BatteryModel()], battery=buffer, load_w=500.0)
    one.state("csip", export_limit_w=5000.0)
    one.state("manual", export_limit_w=0.0)
    one.run(150.0)
    assert one.truth.batteries_w[0] < -4000.0
    assert one.active.export_limit_w == 200.0
    one.state("csip", export_limit_w=0.0)
    one.run(2.0)
    assert one.active.export_limit_w == 0.0


def test_a_load_that_we_hold_against_the_sun_does_not_accuse_the_meter() -> None:
    one = home(loads=[LoadModel(5000.0)], load_w=500.0)
    one.plant.inverters[0].available_w = 4000.0
    one.state("csip", export_limit_w=5000.0, import_limit_w=500.0)
    one.run(60.0)
    for sun_w in (1000.0, 3500.0, 500.0, 3000.0, 1000.0, 4000.0):
        one.plant.inverters[0].available_w = sun_w
        one.run(30.0)
        assert one.truth.loads_w[0] == pytest.approx(sun_w, abs=200.0)
    assert one.engine.law.meter_wrong is None


def test_orders_are_leases_that_a_graceful_stop_releases() -> None:
    one = night(home(loads=[LoadModel(3000.0)], batteries=[BatteryModel()]))
    one.run(10.0)
    one.engine.stop(one.engine.context.moment())
    load = one.bus.last(topics.LOAD_SETPOINT, "l0")
    assert isinstance(load, m.Setpoint)
    assert (load.release, load.ttl_s) == (True, 15.0)
    assert (battery_order(one).release, battery_order(one).ttl_s) == (True, 15.0)


@pytest.mark.parametrize("refresh_s", [0.2, 1.0])
def test_a_house_that_takes_more_takes_it_from_the_loads_within_5_s(refresh_s: float) -> None:
    one = night(home(loads=[LoadModel(4000.0)], load_w=1000.0, meter=MeterModel(refresh_s, 0.5, 20.0)))
    one.state("csip", import_limit_w=3000.0)
    one.run(60.0)
    assert one.truth.site_w == pytest.approx(3000.0, abs=120.0)
    one.plant.load_w = 2500.0
    stepped = one.plant.now
    one.run(30.0)
    assert worst_import_w(one, stepped + SETTLES_S) <= 3000.0 + 60.0


@pytest.mark.parametrize("seed", range(12))
def test_nothing_that_obeys_keeps_a_limit_broken_whatever_happens(seed: int) -> None:
    assert home_run(seed)[1] is None


@pytest.mark.parametrize("said_w", [3000.0, 3e6, 1e8, -1e8, 0.0])
def test_a_load_whose_reading_is_wrong_takes_the_site_a_fifth_over_its_import_limit_at_most(
    said_w: float,
) -> None:
    one = night(
        home(
            loads=[LoadModel(3000.0)], batteries=[BatteryModel(5000.0, 5000.0)], load_w=1000.0, silent={"l0"}
        )
    )

    def lie(one: Home) -> None:
        now = one.clock.now()
        said = m.PowerReading(issued_at=now, measured_at=now, power_w=said_w)
        one.bus.deliver(topics.LOAD_READING, said, "l0")

    one.before_tick = lie
    one.state("csip", import_limit_w=2000.0, storage_target_w=-4000.0)
    one.run(60.0)
    assert worst_import_w(one, 30.0) <= 1.2 * 2000.0
