"""`share`: at a device's `tcp` or `serial`, one word for each endpoint, and a port that nothing else has."""

from __future__ import annotations

import pytest

from .conftest import SiteFile
from .test_buses import METER_TCP, ROOF_TCP, SECOND

ROOF_SHARED = "tcp: {host: 192.0.2.11, share: {port: 1502}}"


def second(place: str) -> str:
    return SECOND.format(place=place, unit=2)


def test_an_endpoint_is_shared_on_this_machine_only_unless_it_says_otherwise(site_file: SiteFile) -> None:
    place = site_file.put(ROOF_TCP, ROOF_SHARED).load().modbus_inverters[0].tcp
    assert place is not None
    assert place.share is not None
    assert (place.share.host, place.share.port, place.share.units) == ("127.0.0.1", 1502, ())


def test_nothing_is_shared_without_a_word(site_file: SiteFile) -> None:
    place = site_file.load().modbus_inverters[0].tcp
    assert place is not None
    assert place.share is None


def test_a_serial_bus_is_shared_with_more_units(site_file: SiteFile) -> None:
    share = "{port: 1502, host: 0.0.0.0, units: [3, 4]}"
    site = site_file.put(METER_TCP, f"serial: {{port: /dev/ttyUSB0, share: {share}}}").load()
    line = site.meter.serial  # type: ignore[union-attr]
    assert line is not None
    assert line.share is not None
    assert line.share.units == (3, 4)


@pytest.mark.parametrize(
    ("share", "key", "message"),
    [
        ("{host: 0.0.0.0}", "port", "is missing"),
        ("{port: 0}", "port", "must be 1 or more"),
        ("{port: 1502, units: [248]}", "units[0]", "must be 247 or less"),
        ("{port: 1502, write: true}", "write", "no such setting"),
    ],
)
def test_a_mistake_in_a_share_is_told_with_its_line(
    site_file: SiteFile, share: str, key: str, message: str
) -> None:
    problem = site_file.put(ROOF_TCP, f"tcp: {{host: 192.0.2.11, share: {share}}}").problem()
    assert (problem.line, problem.key) == (8, f"inverters[0].tcp.share.{key}")
    assert message in problem.message


def test_two_devices_on_one_endpoint_must_share_it_in_one_way(site_file: SiteFile) -> None:
    other = "tcp: {host: 192.0.2.11, share: {port: 1503}}"
    problem = site_file.put(ROOF_TCP, ROOF_SHARED).put("sources:", second(other)).problem()
    assert (problem.line, problem.key) == (9, "inverters[1].tcp.share")
    assert problem.message == "the same endpoint is shared differently at inverters[0]"


@pytest.mark.parametrize("share", ["", ", share: {port: 1502, host: 127.0.0.1, units: []}"])
def test_saying_it_once_or_the_same_at_each_device_is_one_way(site_file: SiteFile, share: str) -> None:
    other = f"tcp: {{host: 192.0.2.11{share}}}"
    site_file.put(ROOF_TCP, ROOF_SHARED).put("sources:", second(other)).load()


def test_two_endpoints_on_one_port_are_refused(site_file: SiteFile) -> None:
    site_file.put(METER_TCP, "serial: {port: /dev/ttyUSB0, share: {port: 1502}}")
    problem = site_file.put(ROOF_TCP, ROOF_SHARED).problem()
    assert (problem.line, problem.key) == (6, "meter.serial.share.port")
    assert problem.message == "another endpoint is shared on this port at inverters[0]"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "192.0.2.1"])
def test_the_port_of_a_device_on_this_machine_is_refused(site_file: SiteFile, host: str) -> None:
    site_file.put(METER_TCP, f"tcp: {{host: {host}, port: 1502}}")
    shared = "tcp: {host: 192.0.2.11, share: {port: 1502, host: 192.0.2.1}}"
    problem = site_file.put(ROOF_TCP, shared).problem()
    assert (problem.line, problem.key) == (8, "inverters[0].tcp.share.port")
    assert problem.message == "a device of this file answers on that port of this machine"


def test_the_port_of_a_device_elsewhere_is_no_doubt(site_file: SiteFile) -> None:
    shared = "tcp: {host: 192.0.2.11, port: 1502, share: {port: 1502}}"
    site_file.put(ROOF_TCP, shared).load()


@pytest.mark.parametrize("share", ["3", "[]", "{port: [1]}", "{port: {a: 1}}"])
def test_nonsense_in_a_share_is_a_mistake_and_no_crash(site_file: SiteFile, share: str) -> None:
    text = f"tcp: {{host: 192.0.2.11, share: {share}}}"
    assert site_file.put(ROOF_TCP, text).problem().key.startswith("inverters[0].tcp.share")
