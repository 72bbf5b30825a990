"""Where devices answer: by TCP or by a serial port, and what devices on one bus must have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynexport.modbus.address import SerialAddress, TcpAddress, address_of

from .conftest import SiteFile

METER_TCP = "tcp: {host: 192.0.2.10}"
ROOF_TCP = "tcp: {host: 192.0.2.11}"
SECOND = "  - {{id: b, driver: sunspec, {place}, unit: {unit}, rated_w: 5000}}\nsources:"


def test_a_serial_port_takes_the_place_of_tcp_with_the_usual_line_settings(site_file: SiteFile) -> None:
    site = site_file.put(METER_TCP, "serial: {port: /dev/ttyUSB0}").load()
    assert address_of(site.meter) == SerialAddress("/dev/ttyUSB0", 9600, "N", 1)  # type: ignore[arg-type]
    assert not site.meter_behind_inverter


def test_a_gateway_that_passes_bytes_on_is_named_by_its_framing(site_file: SiteFile) -> None:
    site = site_file.put(ROOF_TCP, "tcp: {host: 192.0.2.11, port: 4196, framing: rtu}").load()
    assert address_of(site.inverters[0]) == TcpAddress("192.0.2.11", 4196, "rtu")


def test_a_device_without_tcp_and_serial_is_told_both(site_file: SiteFile) -> None:
    problem = site_file.put(f"{ROOF_TCP}, ", "").problem()
    assert (problem.line, problem.key, problem.message) == (8, "inverters[0].tcp", "is missing")
    assert problem.hint is not None
    assert "tcp: {host:" in problem.hint
    assert "serial: {port:" in problem.hint


def test_a_misspelt_serial_is_one_mistake(site_file: SiteFile) -> None:
    problem = site_file.put(METER_TCP, "serail: {port: /dev/ttyUSB0}").problem()
    assert (problem.key, problem.hint) == ("meter.serail", "did you mean serial?")


def test_a_device_with_tcp_and_serial_is_refused(site_file: SiteFile) -> None:
    problem = site_file.put(METER_TCP, f"{METER_TCP}, serial: {{port: /dev/ttyUSB0}}").problem()
    assert (problem.line, problem.key) == (6, "meter.tcp")
    assert problem.message == "the device answers by `tcp` or by `serial`, not by both: keep one"


@pytest.mark.parametrize(
    ("line", "key", "message", "value"),
    [
        (
            "port: /dev/x, baudrate: 9601", "baudrate",
            "must be one of 2400, 4800, 9600, 19200, 38400, 57600, 115200", "9601",
        ),
        ("port: /dev/x, parity: even", "parity", "must be one of N, E, O", "'even'"),
        ("port: /dev/x, stopbits: 3", "stopbits", "must be one of 1, 2", "3"),
        ("port: ttyUSB0", "port", "must be the path of a device, such as /dev/ttyUSB0", "'ttyUSB0'"),
        ("port: 3", "port", "must be text", "3"),
        ("baudrate: 9600", "port", "is missing", None),
        ("port: /dev/x, bits: 7", "bits", "no such setting", None),
    ],
)  # fmt: skip
def test_a_mistake_in_a_serial_line_is_told_with_what_is_allowed(
    site_file: SiteFile, line: str, key: str, message: str, value: str | None
) -> None:
    problem = site_file.put(METER_TCP, f"serial: {{{line}}}").problem()
    assert (problem.line, problem.key) == (6, f"meter.serial.{key}")
    assert (problem.message, problem.value) == (message, value)


def test_an_unknown_framing_is_refused(site_file: SiteFile) -> None:
    problem = site_file.put(METER_TCP, "tcp: {host: 192.0.2.10, framing: rtuu}").problem()
    assert (problem.key, problem.message) == ("meter.tcp.framing", "must be one of tcp, rtu")
    assert problem.hint == "did you mean rtu?"


def on_one_port(site_file: SiteFile, meter: str = "", roof: str = "", port: str = "/dev/ttyUSB0") -> SiteFile:
    site_file.put(METER_TCP, f"serial: {{port: /dev/ttyUSB0{meter}}}")
    return site_file.put(ROOF_TCP, f"serial: {{port: {port}{roof}}}")


def test_a_meter_on_an_inverters_bus_is_behind_it(site_file: SiteFile) -> None:
    assert on_one_port(site_file).load().meter_behind_inverter


def test_one_port_by_two_names_is_one_bus_and_doubted(site_file: SiteFile, tmp_path: Path) -> None:
    (tmp_path / "ttyUSB0").touch()
    (tmp_path / "by-id").symlink_to("ttyUSB0")
    site_file.put(METER_TCP, f"serial: {{port: {tmp_path}/by-id}}")
    site_file.put(ROOF_TCP, f"serial: {{port: {tmp_path}/ttyUSB0}}")
    assert site_file.load().meter_behind_inverter
    (warning,) = site_file.warnings()
    assert (warning.key, warning.level) == ("meter.serial.port", "warning")
    assert "the same device" in warning.message


@pytest.mark.parametrize(
    ("meter", "key"),
    [(", baudrate: 19200", "baudrate"), (", parity: E", "parity"), (", stopbits: 2", "stopbits")],
)
def test_devices_on_one_port_that_do_not_agree_about_it_are_refused(
    site_file: SiteFile, meter: str, key: str
) -> None:
    problem = on_one_port(site_file, meter).problem()
    assert (problem.line, problem.key) == (6, f"meter.serial.{key}")
    assert problem.message.startswith(f"inverters[0] is on the same port with `{key}: ")


def test_defaults_agree_with_what_is_written_out(site_file: SiteFile) -> None:
    assert on_one_port(site_file, roof=", baudrate: 9600, parity: N, stopbits: 1").load()


def test_one_endpoint_with_two_framings_is_refused(site_file: SiteFile) -> None:
    site_file.put(METER_TCP, "tcp: {host: 192.0.2.11, framing: rtu}")
    problem = site_file.problem()
    assert problem.key == "meter.tcp.framing"
    assert problem.message == "inverters[0] is on the same endpoint with `framing: tcp`"


def test_two_inverters_with_one_unit_on_a_port_are_refused(site_file: SiteFile) -> None:
    on_one_port(site_file)
    site_file.put("sources:", SECOND.format(place="serial: {port: /dev/ttyUSB0}", unit=1))
    problem = site_file.problem()
    assert (problem.line, problem.message) == (9, "has the same serial port and unit as inverters[0]")


def test_a_meter_may_be_a_model_in_an_inverters_own_map(site_file: SiteFile) -> None:
    assert on_one_port(site_file).put("unit: 240", "unit: 1").load().meter_behind_inverter
    problem = site_file.add("simulator: {sun: day}\n").problem()  # whose units are one device each
    assert (problem.key, problem.message) == ("meter", "has the same serial port and unit as inverters[0]")


def test_the_broadcast_unit_is_refused_on_a_bus_and_allowed_over_tcp(site_file: SiteFile) -> None:
    site_file.put("unit: 240", "unit: 0").load()
    site_file.put(METER_TCP, "serial: {port: /dev/ttyUSB0}")
    assert site_file.problem().key == "meter.unit"


def test_other_mistakes_are_told_beside_a_missing_place(site_file: SiteFile) -> None:
    site_file.put(f"{ROOF_TCP}, rated_w: 10000", "rated_w: 0")
    assert {problem.key for problem in site_file.problems()} == {"inverters[0].tcp", "inverters[0].rated_w"}


def test_a_line_too_slow_for_its_devices_is_doubted(site_file: SiteFile) -> None:
    assert on_one_port(site_file).warnings() == []
    site_file.put("port: /dev/ttyUSB0}, unit: 240", "port: /dev/ttyUSB0, baudrate: 2400}, unit: 240")
    site_file.put("port: /dev/ttyUSB0}, rated_w", "port: /dev/ttyUSB0, baudrate: 2400}, rated_w")
    (warning,) = site_file.warnings()
    assert (warning.key, warning.level) == ("inverters[0].serial.baudrate", "warning")
    assert warning.message.startswith("reading all 2 devices on this bus takes about 1.6 s")
