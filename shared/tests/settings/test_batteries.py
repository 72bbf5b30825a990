"""Where a battery is read: by Modbus at its own place or in an inverter's map, or from the bus; one of these."""

from __future__ import annotations

import pytest

from dynexport.modbus.address import TcpAddress, address_of

from .conftest import SiteFile

END = "\nsources:"


def with_battery(site_file: SiteFile, fields: str) -> SiteFile:
    return site_file.put(END, f"\nbatteries:\n  - {{id: home, rated_w: 5000, {fields}}}{END}")


def test_a_battery_has_a_place_of_its_own(site_file: SiteFile) -> None:
    fields = "sunspec: {tcp: {host: 192.0.2.30}, unit: 3}, control: charge_rate"
    (place,) = with_battery(site_file, fields).load().modbus_batteries
    assert (address_of(place), place.unit, place.alone) == (TcpAddress("192.0.2.30"), 3, True)
    assert place.battery.control == "charge_rate"


def test_a_hybrid_inverters_battery_is_read_where_the_inverter_is(site_file: SiteFile) -> None:
    site = with_battery(site_file, "inverter: roof").load()
    (place,) = site.modbus_batteries
    assert (address_of(place), place.alone) == (address_of(site.modbus_inverters[0]), False)
    assert place.battery.control == "none"


def test_a_battery_on_the_bus_has_no_modbus_place(site_file: SiteFile) -> None:
    site = with_battery(site_file, "topic: some/battery, fields: {power_w: p}").load()
    assert site.modbus_batteries == ()


def test_a_meter_behind_a_batterys_endpoint_is_the_writers(site_file: SiteFile) -> None:
    fields = "sunspec: {tcp: {host: 192.0.2.10}, unit: 3}"
    assert with_battery(site_file, fields).load().meter_behind_inverter


@pytest.mark.parametrize(
    ("fields", "key", "message"),
    [
        ("inverter: barn", "batteries[0].inverter", "names no inverter with `driver: sunspec`"),
        (
            "sunspec: {tcp: {host: 192.0.2.11}, unit: 1}", "batteries[0].sunspec",
            "has the same tcp and unit as inverters[0]",
        ),
        ("sunspec: {unit: 1}", "batteries[0].sunspec.tcp", "is missing"),
        (
            "inverter: roof, sunspec: {tcp: {host: 192.0.2.30}}", "batteries[0]",
            "it is read in one way only: keep one of `sunspec`, `inverter`",
        ),
    ],
)  # fmt: skip
def test_a_place_that_cannot_be_is_told(site_file: SiteFile, fields: str, key: str, message: str) -> None:
    problem = with_battery(site_file, fields).problem()
    assert (problem.key, problem.message) == (key, message)


def test_a_powerwall_takes_no_command(site_file: SiteFile) -> None:
    site_file.add("batteries: [{id: wall, rated_w: 5000, source: meter, control: charge_rate}]\n")
    assert any("is not for a Powerwall" in problem.message for problem in site_file.problems())
