"""contract.md's rules on types, on the wire: what is refused, and what null, absent and withdrawn mean."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from dynexport.messages import Active, Limit, MeterReading, Mode, Setpoint, decode
from dynexport.testing.examples import EXAMPLES, NOW
from dynexport.topics import TABLE

READING = {"v": 1, "issued_at": "2026-01-15T02:30:00.120Z", "measured_at": "2026-01-15T02:30:00.108Z"}
WITH_MODEL = [topic for topic in TABLE if topic.model is not None]


@pytest.mark.parametrize(
    "watts", ["NaN", "Infinity", "-Infinity", "true", "false", "null", '"500"', "[]", "{}", "1e9", "1e400"]
)
def test_what_is_no_sane_number_of_watts_is_refused_in_a_reading(watts: str) -> None:
    payload = json.dumps(READING)[:-1] + f', "power_w": {watts}}}'
    with pytest.raises(ValidationError):
        decode(MeterReading, payload.encode())


@pytest.mark.parametrize("name", ["export_limit_w", "generation_limit_w", "import_limit_w", "load_limit_w"])
@pytest.mark.parametrize("watts", ["NaN", "Infinity", "-1", "-0.001", "true", '"0"', "1e9"])
def test_what_is_no_limit_is_refused_in_a_limit(name: str, watts: str) -> None:
    with pytest.raises(ValidationError):
        decode(Limit, f'{{"{name}": {watts}}}'.encode())


@pytest.mark.parametrize("name", ["connect", "energize"])
@pytest.mark.parametrize("said", ["0", "1", '"false"', '"yes"'])
def test_a_switch_is_true_or_false_and_nothing_like_it(name: str, said: str) -> None:
    with pytest.raises(ValidationError):
        decode(Limit, f'{{"{name}": {said}}}'.encode())


@pytest.mark.parametrize(
    ("payload", "states"),
    [
        ({}, False),
        ({"export_limit_w": None}, True),
        ({"export_limit_w": 0}, True),
        ({"export_limit_w": 1500.5}, True),
        ({"generation_limit_w": 0}, False),
    ],
)
def test_a_watt_limit_left_out_says_nothing_while_null_and_0_say_something(
    payload: dict[str, Any], states: bool
) -> None:
    limit = decode(Limit, json.dumps(payload).encode())
    assert isinstance(limit, Limit)
    assert limit.states("export_limit_w") is states
    assert limit.export_limit_w == payload.get("export_limit_w")


@pytest.mark.parametrize(
    ("said", "states"), [({}, False), ({"connect": None}, False), ({"connect": False}, True)]
)
def test_a_switch_says_nothing_when_null_or_left_out(said: dict[str, Any], states: bool) -> None:
    limit = decode(Limit, json.dumps(said).encode())
    assert isinstance(limit, Limit)
    assert limit.states("connect") is states


@pytest.mark.parametrize(
    "fields", [{}, {"export_limit_w": None}, {"export_limit_w": 0.0}, {"export_limit_w": None, "ttl_s": 60.0}]
)
def test_absent_and_null_stay_apart_over_the_wire(fields: dict[str, Any]) -> None:
    sent = Limit(issued_at=NOW, **fields)
    payload = json.loads(sent.to_payload())
    assert {name: value for name, value in payload.items() if name not in ("v", "issued_at")} == fields
    assert payload["v"] == 1
    got = decode(Limit, sent.to_payload())
    assert isinstance(got, Limit)
    assert got.states("export_limit_w") is sent.states("export_limit_w")


def test_the_envelope_in_force_writes_out_that_there_is_no_limit() -> None:
    payload = json.loads(Active(issued_at=NOW, mode=Mode.NORMAL, reason="no limit").to_payload())
    assert payload["export_limit_w"] is None
    assert payload["curtailed_w"] is None


def test_a_limit_by_hand_needs_neither_version_nor_time() -> None:
    limit = decode(Limit, b'{"export_limit_w": 0, "ttl_s": 3600}')
    assert limit.issued_at is None


@pytest.mark.parametrize("topic", WITH_MODEL, ids=lambda topic: topic.name)
def test_an_unknown_field_is_ignored_and_another_version_refused(topic: Any) -> None:
    sample = EXAMPLES[topic]
    assert not isinstance(sample, str)
    payload = json.loads(sample.to_payload())
    assert decode(topic.model, json.dumps(payload | {"of_tomorrow": 1}).encode()) == sample
    with pytest.raises(ValidationError):
        decode(topic.model, json.dumps(payload | {"v": 2}).encode())


@pytest.mark.parametrize("moment", ['"2026-01-15T02:30:00"', '"yesterday"', "true", "[]", "null"])
def test_a_time_without_an_offset_or_none_at_all_is_refused_in_a_reading(moment: str) -> None:
    payload = f'{{"v": 1, "power_w": 1, "issued_at": "2026-01-15T02:30:00Z", "measured_at": {moment}}}'
    with pytest.raises(ValidationError):
        decode(MeterReading, payload.encode())


@pytest.mark.parametrize("payload", [b"", b"on", b"5", b"[]", b"null", b'{"power_w": 1', b"\xff\xfe"])
def test_what_is_no_json_object_is_refused(payload: bytes) -> None:
    with pytest.raises(ValidationError):
        decode(MeterReading, payload)


@pytest.mark.parametrize(
    "change",
    [{"seq": -1}, {"seq": 1.5}, {"engine_id": ""}, {"ttl_s": -1}, {"target_w": None}, {"connect": None}],
)
def test_a_setpoint_without_sound_order_or_sender_is_refused(change: dict[str, Any]) -> None:
    good = {**READING, "target_w": 100.0, "engine_id": "e1", "seq": 1}
    assert isinstance(decode(Setpoint, json.dumps(good).encode()), Setpoint)
    with pytest.raises(ValidationError):
        decode(Setpoint, json.dumps(good | change).encode())


def test_times_carry_milliseconds_in_utc() -> None:
    assert json.loads(Limit(issued_at=NOW).to_payload())["issued_at"] == "2026-01-15T02:30:00.120Z"
