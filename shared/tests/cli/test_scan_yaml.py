"""The file that `scan` prints: read as site.yaml it says what was found, and nothing more than is safe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dynexport.cli.scan_yaml import site_yaml, whole
from dynexport.messages import HardwareFallback, Scope
from dynexport.modbus.address import SerialAddress, TcpAddress
from dynexport.modbus.scan import Found, Kind
from dynexport.settings.load import load
from dynexport.settings.models import RegisterInverter, RegisterMeter, Site, SunSpecInverter, SunSpecMeter

PLACE = TcpAddress("192.0.2.10", 502)
METER = Found(PLACE, 240, Kind.METER, (1, 203), model="Meter")
ROOF = Found(
    PLACE, 1, Kind.INVERTER, (1, 103, 123), manufacturer="Maker", rated_w=8000.0, control_model=123,
    fallback=HardwareFallback.HOLDS_LAST,
)  # fmt: skip
HYBRID = Found(
    TcpAddress("192.0.2.11", 1502), 247, Kind.INVERTER, (), manufacturer="GoodWe", rated_w=5000.0, device="goodwe-et",
    scope=Scope.EXPORT, confidence="agreed", fallback=HardwareFallback.HOLDS_LAST,
)  # fmt: skip
UNSURE = Found(
    TcpAddress("192.0.2.12"), 1, Kind.INVERTER, (), manufacturer="Sungrow", rated_w=5000.0, device="sungrow-sh",
    scope=Scope.EXPORT, confidence="unconfirmed",
)  # fmt: skip
LINE = Found(SerialAddress("/dev/ttyUSB0", 19200, "E"), 3, Kind.METER, (), device="sma-core1-meter")


def loaded(tmp_path: Path, *devices: Found) -> Site:
    path = tmp_path / "site.yaml"
    path.write_text(site_yaml(devices))
    return load(path)


def test_what_was_found_can_be_loaded_and_lets_nothing_out(tmp_path: Path) -> None:
    site = loaded(tmp_path, METER, ROOF, HYBRID, UNSURE)
    assert isinstance(site.meter, SunSpecMeter)
    sunspec, hybrid, unsure = site.inverters
    assert isinstance(sunspec, SunSpecInverter)
    assert (sunspec.unit, sunspec.rated_w) == (1, 8000.0)
    assert isinstance(hybrid, RegisterInverter)
    assert (hybrid.device, hybrid.unit, hybrid.tcp and hybrid.tcp.port) == ("goodwe-et", 247, 1502)
    assert isinstance(unsure, RegisterInverter)
    assert not unsure.i_have_tested_this
    assert not site.control.enabled
    assert (site.agreement.export_limit_w, site.agreement.failsafe_export_limit_w) == (0.0, 0.0)
    assert site.site.phases == 3


def test_a_serial_line_and_a_described_meter_stand_as_they_were_asked(tmp_path: Path) -> None:
    site = loaded(tmp_path, LINE, ROOF)
    assert isinstance(site.meter, RegisterMeter)
    assert site.meter.serial is not None
    assert (site.meter.serial.baudrate, site.meter.serial.parity, site.meter.unit) == (19200, "E", 3)


@pytest.mark.parametrize(
    ("device", "said"),
    [
        (ROOF, "it holds its last limit for ever when Dynexport dies"),
        (HYBRID, "GoodWe; how sure its registers are: agreed"),
        (HYBRID, "its limit is one of the site's export"),
        (HYBRID, "it goes on holding the site's export by its own meter"),
        (UNSURE, "# i_have_tested_this: true"),
        (UNSURE, "does something that nobody knows"),
    ],
)
def test_each_inverter_says_its_fallback_its_scope_and_how_sure_it_is(device: Found, said: str) -> None:
    assert said in site_yaml([METER, device])


def test_of_two_meters_one_counts_and_the_other_is_a_comment(tmp_path: Path) -> None:
    text = site_yaml(
        [replace(LINE, behind=True), METER, ROOF]
    )  # its own meter before one that an inverter passes on
    assert YAML(typ="safe").load(text)["meter"]["driver"] == "sunspec"
    assert "# meter:" in text
    assert "CHANGE: the one at the grid connection" in text


def test_what_is_missing_is_said_in_its_place() -> None:
    assert whole([METER, ROOF])
    assert not whole([ROOF])
    assert "no meter was found" in site_yaml([ROOF])
    nameless = Found(PLACE, 1, Kind.INVERTER, (1, 103))
    assert not whole([METER, nameless])
    assert "does not say its rating: enter it by hand" in site_yaml([METER, nameless])


def test_a_meter_of_a_make_that_counts_export_as_positive_is_turned(tmp_path: Path) -> None:
    site = loaded(tmp_path, replace(METER, invert=True), ROOF)
    assert isinstance(site.meter, SunSpecMeter)
    assert site.meter.invert
    assert not loaded(tmp_path, METER, ROOF).meter.invert
