"""What a bug report must not hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dynexport.cli.doctor.redact import Redactor, redactor, shortened

NOBODY = Redactor([], [], [])


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("tcp 192.168.1.7:502", "192.168.1.7"),
        ("at fe80:0:0:0:1234:5678:9abc:def0 now", "9abc"),
        ("mac 00:1b:44:11:3a:b7", "3a:b7"),
        ("shellyem3-a4cf12f1a2b3/emeter", "a4cf12f1a2b3"),
        ("mqtt://me:hunter2@broker/x", "hunter2"),
        ("Authorization: Bearer abc.def-123", "abc.def-123"),
        ("jane.doe@example.org wrote", "jane.doe"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "MIIE"),
        ("/home/jane/site.yaml", "jane"),
        ('{"port": "/dev/serial/by-id/usb-FTDI_A10KZP-if00"}', "A10KZP"),
    ],
)
def test_the_usual_shapes_of_addresses_and_secrets_are_taken_out(text: str, gone: str) -> None:
    assert gone not in NOBODY.text(text)


@pytest.mark.parametrize(
    "text", ["2026-01-15T02:00:00.000Z", "127.0.0.1:1883", "0.5 s late", "1e-05", "roof 5000 W"]
)
def test_what_a_report_needs_stays(text: str) -> None:
    assert NOBODY.text(text) == text


@pytest.mark.parametrize(
    "key", ["password", "mqtt_pasword", "api_key", "token", "user", "pin", "lfdi", "a_secret"]
)
def test_a_value_is_taken_out_by_the_name_of_its_key(key: str) -> None:
    assert "x1y2z3" not in str(NOBODY.data({"a": [{key: "x1y2z3"}]}))


def test_what_the_site_is_called_is_taken_out_and_its_zone_stays() -> None:
    shown = NOBODY.data({"site": {"name": "5 Sunny Street", "time_zone": "Australia/Perth"}})
    assert shown == {"site": {"name": "***", "time_zone": "Australia/Perth"}}


def test_a_secret_is_found_in_every_form_in_which_it_may_be_written() -> None:
    secret = 'pa"ss\\wörd/1'
    redact = Redactor([secret], [], [])
    for form in (secret, 'pa\\"ss\\\\w\\u00f6rd/1', repr(secret), "pa%22ss%5Cw%C3%B6rd/1"):
        assert redact.text(f"x {form} y").count("***") == 1
        assert "rd/1" not in redact.text(form)


def test_a_longer_secret_goes_before_a_shorter_one_that_it_holds() -> None:
    assert Redactor(["abc", "abcdef"], [], []).text("abcdef") == "***"


def test_one_host_has_one_name_throughout() -> None:
    redact = Redactor([], ["inverter.lan", "meter.lan"], [])
    assert redact.text("inverter.lan meter.lan inverter.lan") == "<name 1> <name 2> <name 1>"


def test_serial_numbers_are_shortened_also_where_they_stand_in_a_sentence() -> None:
    assert shortened("7E1234AB") == "…AB"
    redact = Redactor([], [], ["7E1234AB"])
    assert redact.text("device 7E1234AB answers") == "device …AB answers"
    assert redact.data({"serial": "12"}) == {"serial": "…"}


def test_settings_environment_and_files_give_the_secrets(tmp_path: Path) -> None:
    (tmp_path / "mqtt.txt").write_text("from-a-file\n")
    settings: dict[str, Any] = {
        "mqtt": {"password": "from-settings", "host": "broker.lan", "password_file": "mqtt.txt"}
    }
    redact = redactor(
        settings, tmp_path, {"DYNEXPORT__MQTT__PASSWORD": "from-env", "MY_TOKEN": "other"}, ["SN123456"]
    )
    said = redact.text("from-a-file from-settings from-env other broker.lan SN123456")
    assert said.startswith("*** *** *** *** <name ")
    assert said.endswith("> …56")
    assert "lan" not in said
