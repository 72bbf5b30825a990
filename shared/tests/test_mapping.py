"""What counts as a number, a time and a reading in somebody else's JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynexport.mapping import Mapping, Odd, find, moment
from dynexport.settings.models import MqttMeter

PREDECESSOR = {
    "realPower": {"type": "perPhaseNet", "phaseA": -1000.5, "phaseB": -500, "phaseC": None, "net": -1500.5},
    "reactivePower": {"type": "noPhase", "net": 30},
    "voltage": {"type": "perPhase", "phaseA": 240.1, "phaseB": None, "phaseC": None},
    "frequency": 50.01,
}


def mapping(fields: dict[str, str] | None = None, **settings: Any) -> Mapping:
    fields = {"power_w": "power"} if fields is None else fields
    return Mapping(MqttMeter.model_validate({"driver": "mqtt", "topic": "m", "fields": fields, **settings}))


def predecessor(**settings: Any) -> Mapping:
    return Mapping(
        MqttMeter.model_validate({"driver": "mqtt", "topic": "m", "format": "predecessor", **settings})
    )


@pytest.mark.parametrize(
    ("path", "document", "expected"),
    [
        ("power", {"power": -5}, -5.0),
        ("power", {"power": "-123.4"}, -123.4),
        ("power", {"power": " +1.5e3 "}, 1500.0),
        ("em:0.total_act_power", {"em:0": {"total_act_power": 12.5}}, 12.5),
        ("emeters.1.power", {"emeters": [{"power": 1}, {"power": 2}]}, 2.0),
        ("1-0:16.7.0", {"1-0:16.7.0": 7}, 7.0),
    ],
)
def test_a_field_is_found_by_its_path(path: str, document: Any, expected: float) -> None:
    assert mapping({"power_w": path}).read(json.dumps(document).encode()).values["power_w"] == expected


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"off", b"\xff\xfe", b"[" * 60_000, b"{}", b"[]", b"5", b'{"power": null}', b'{"power": NaN}',
        b'{"power": Infinity}', b'{"power": 1e999}', b'{"power": "nan"}', b'{"power": "unavailable"}',
        b'{"power": "1_000"}', b'{"power": "1,5"}', b'{"power": ""}', b'{"power": true}', b'{"power": {}}',
        b'{"power": [1]}', b'{"power": ' + b"9" * 5000 + b"}", b'{"power": 1' + b" " * 70_000 + b"}",
    ],
)  # fmt: skip
def test_a_message_without_a_finite_power_is_no_reading(payload: bytes) -> None:
    with pytest.raises(Odd):
        mapping().read(payload)


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise_anything_but_odd(payload: bytes) -> None:
    try:
        sample = predecessor().read(payload)
    except Odd:
        return
    assert "power_w" in sample.values


def test_scale_and_invert_turn_powers_and_swap_the_counters() -> None:
    paths = {"power_w": "p", "power_a_w": "a", "voltage_a_v": "u", "import_wh": "in", "export_wh": "out"}
    payload = b'{"p": 1.5, "a": 0.5, "u": 240, "in": 10, "out": 20}'
    values = mapping(paths, scale=1000, invert=True).read(payload).values
    assert values == {
        "power_w": -1500.0, "power_a_w": -500.0, "voltage_a_v": 240.0, "export_wh": 10.0, "import_wh": 20.0
    }  # fmt: skip


def test_what_control_does_not_need_is_left_out_when_it_is_no_number() -> None:
    paths = {"power_w": "p", "voltage_a_v": "u", "frequency_hz": "f", "power_a_w": "a"}
    sample = mapping(paths).read(b'{"p": 5, "u": "unavailable", "f": null}')
    assert sample.values == {"power_w": 5.0}
    assert sample.left_out == ("voltage_a_v",)


def test_the_predecessors_payload_is_taken_as_it_is() -> None:
    assert predecessor().read(json.dumps(PREDECESSOR).encode()).values == {
        "power_w": -1500.5, "power_a_w": -1000.5, "power_b_w": -500.0, "reactive_var": 30.0,
        "voltage_a_v": 240.1, "frequency_hz": 50.01,
    }  # fmt: skip


def test_the_predecessors_payload_without_phases_is_taken_too() -> None:
    sample = predecessor().read(b'{"realPower": {"type": "noPhase", "net": -7}, "frequency": null}')
    assert sample.values == {"power_w": -7.0}
    assert sample.left_out == ()


@pytest.mark.parametrize(
    "said",
    ["2027-01-15T02:00:00Z", "2027-01-15T12:30:00+10:30", 1799978400, "1799978400.0", 1799978400000],
)
def test_a_time_is_rfc_3339_or_unix_seconds_or_milliseconds(said: Any) -> None:
    value = float(said) if isinstance(said, int) else said
    assert moment(value) == datetime(2027, 1, 15, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize("said", [None, "", "today", "2027-01-15T02:00:00", True, {}, 1e300, -1e15, "nan"])
def test_what_is_no_moment_is_refused(said: Any) -> None:
    with pytest.raises(Odd):
        moment(said)


def test_a_mapped_time_that_is_missing_makes_the_message_no_reading() -> None:
    with pytest.raises(Odd, match="measured_at"):
        mapping({"power_w": "p", "measured_at": "t"}).read(b'{"p": 5}')


def test_a_path_past_the_end_of_a_list_or_into_a_number_finds_nothing() -> None:
    assert find({"a": [1.0]}, "a.1") is None
    assert find({"a": [1.0]}, "a.-1") is None
    assert find({"a": 1.0}, "a.b") is None


@pytest.mark.parametrize("said", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_beyond_the_calendar_is_odd_and_ends_nothing(said: str) -> None:
    with pytest.raises(Odd, match="measured_at is no time"):
        moment(said)
