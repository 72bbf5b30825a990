"""What an inverter behind MQTT says: any publisher's fields, the predecessor's payload, read-backs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from dynexport.mapping import Odd
from dynexport.messages import HardwareFallback, InverterState
from dynexport.settings.models import MqttInverter, ReadBack
from inverter_writer.mqtt_values import Ear, Held, held, identity_of

SETTINGS: dict[str, Any] = {"id": "barn", "driver": "mqtt", "rated_w": 5000, "topic": "barn/power"}
FIELDS = {
    "power_w": "ac.p",
    "reactive_var": "ac.q",
    "voltage_a_v": "ac.u.0",
    "frequency_hz": "hz",
    "energy_wh": "wh",
    "available_w": "could",
    "state": "state",
    "measured_at": "at",
}
DOCUMENT = {
    "ac": {"p": 1.5, "q": 0.1, "u": [231]},
    "hz": 50.02,
    "wh": 12345,
    "could": 4.0,
    "state": "throttled",
    "at": 1768442400,
}
PREDECESSOR = {
    "inverter": {
        "realPower": 2400,
        "reactivePower": -20,
        "voltagePhaseA": 230.5,
        "voltagePhaseB": None,
        "voltagePhaseC": None,
        "frequency": 50,
    },
    "nameplate": {"type": 4, "maxW": 5000, "maxVA": 5200, "maxVar": 2500},
    "settings": {"maxW": 5000, "maxVA": None, "maxVar": None},
    "status": {"operationalModeStatus": 2, "genConnectStatus": 7},
}


def settings(**changed: Any) -> MqttInverter:
    if changed.get("format") != "predecessor":
        changed = {"fields": FIELDS, **changed}
    return MqttInverter.model_validate({**SETTINGS, **changed})


def read(document: Any, **changed: Any) -> Any:
    return Ear(settings(**changed)).read(json.dumps(document).encode())


def test_any_publishers_fields_are_read_and_scaled() -> None:
    heard = read(DOCUMENT, scale=1000)
    assert (heard.values.power_w, heard.values.reactive_var, heard.status.available_w) == (
        1500.0,
        100.0,
        4000.0,
    )
    assert (heard.values.voltage_a_v, heard.values.frequency_hz, heard.values.energy_wh) == (
        231.0,
        50.02,
        12345.0,
    )
    assert heard.values.state is InverterState.THROTTLED
    assert heard.measured_at == datetime(2026, 1, 15, 2, 0, tzinfo=UTC)


def test_a_publisher_of_consumption_is_turned() -> None:
    assert read({"p": -800}, fields={"power_w": "p"}, invert=True).values.power_w == 800.0


@pytest.mark.parametrize(
    ("said", "power_w", "state"),
    [
        ("sleeping", 0.0, InverterState.SLEEPING),
        (4, 900.0, InverterState.MPPT),
        (7, 0.0, InverterState.FAULT),
        ("producing", 900.0, InverterState.MPPT),
        (9, 0.0, InverterState.STANDBY),
        (1.5, 0.0, InverterState.STANDBY),
        (None, 900.0, InverterState.MPPT),
        (None, -3.0, InverterState.STANDBY),
    ],
)
def test_a_state_is_taken_in_words_or_by_sunspecs_number_and_else_follows_from_the_power(
    said: Any, power_w: float, state: InverterState
) -> None:
    document = {"p": power_w, "s": said}
    assert read(document, fields={"power_w": "p", "state": "s"}).values.state is state


@pytest.mark.parametrize(
    "payload", [b"", b"[", b"{}", b'{"ac": {"p": "much"}, "at": 1}', b'{"ac": {"p": 5}}']
)
def test_a_message_without_power_or_its_mapped_time_is_none(payload: bytes) -> None:
    with pytest.raises(Odd):
        Ear(settings()).read(payload)


def test_the_predecessors_payload_tells_power_state_connection_and_nameplate() -> None:
    heard = read(PREDECESSOR, format="predecessor")
    assert (heard.values.power_w, heard.values.voltage_a_v, heard.values.voltage_b_v) == (2400.0, 230.5, None)
    assert heard.values.state is InverterState.MPPT
    assert (heard.status.connected, heard.status.available, heard.status.operating) == (True, True, True)
    identity = identity_of(settings(format="predecessor"), heard)
    assert (identity.max_w, identity.nameplate_w, identity.max_va, identity.max_var) == (
        5000,
        5000,
        5200,
        2500,
    )


@pytest.mark.parametrize(
    ("mode", "bits", "state"),
    [
        (1, 0, InverterState.OFF),
        (2, 16, InverterState.FAULT),
        (0, 7, InverterState.MPPT),
        (None, None, InverterState.MPPT),
    ],
)
def test_the_predecessors_state_is_ieee_2030_5s(mode: Any, bits: Any, state: InverterState) -> None:
    status = {"operationalModeStatus": mode, "genConnectStatus": bits}
    heard = read({**PREDECESSOR, "status": status}, format="predecessor")
    assert heard.values.state is state


def test_an_inverter_without_a_command_says_why_it_is_not_limited() -> None:
    identity = identity_of(settings(when_silent="releases_limit"), None)
    assert identity.why_not == "site.yaml gives no `command` for it: it is only read"
    assert identity.when_silent is HardwareFallback.RELEASES_LIMIT
    assert identity.can_disconnect is False


def test_the_step_of_a_small_inverter_is_no_finer_than_the_watts_that_are_sent() -> None:
    assert identity_of(settings(rated_w=500), None).resolution_pct == 0.4
    assert identity_of(settings(rated_w=10_000), None).resolution_pct == 0.1


@pytest.mark.parametrize(
    ("fields", "document", "expected"),
    [
        ({"limit_w": "l"}, {"l": 2500}, Held(50.0)),
        ({"limit_pct": "l"}, {"l": "33.5"}, Held(33.5)),
        ({"limit_w": "l"}, {"l": 9000}, Held(100.0)),
        ({"limit_w": "l", "connect": "c"}, {"l": 0, "c": False}, Held(0.0, False)),
        ({"limit_w": "l", "connect": "c"}, {"l": 0, "c": "ON"}, Held(0.0, True)),
        ({"limit_w": "l", "connect": "c"}, {"l": 0, "c": 1}, Held(0.0, True)),
    ],
)
def test_a_read_back_says_limit_and_connection(fields: Any, document: Any, expected: Held) -> None:
    read_back = ReadBack.model_validate({"topic": "t", "fields": fields})
    assert held(json.dumps(document).encode(), read_back, 5000.0) == expected


@pytest.mark.parametrize(
    "document", [{}, {"l": None}, {"l": -1}, {"l": True}, {"l": 5, "c": "maybe"}, {"l": 5}]
)
def test_a_read_back_without_a_limit_or_its_mapped_connection_is_none(document: Any) -> None:
    read_back = ReadBack.model_validate({"topic": "t", "fields": {"limit_w": "l", "connect": "c"}})
    with pytest.raises(Odd):
        held(json.dumps(document).encode(), read_back, 5000.0)
