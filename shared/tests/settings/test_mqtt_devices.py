"""Inverters and loads behind MQTT in `site.yaml`: what is taken, and what is told of a mistake."""

from __future__ import annotations

import pytest

from .conftest import SiteFile

ROOF = "  - {id: roof, driver: sunspec, tcp: {host: 192.0.2.11}, rated_w: 10000}\n"
BARN = """\
  - id: barn
    driver: mqtt
    rated_w: 5000
    topic: barn/power
    fields: {power_w: power}
    command:
      topic: barn/limit
      payload: '{"limit": ${limit_w}}'
    read_back: {topic: barn/state, fields: {limit_w: limit}}
"""
BOILER = """\
loads:
  - id: boiler
    rated_w: 2000
    command:
      topic: boiler/relay
      on: "ON"
      off: "OFF"
"""


@pytest.fixture
def barn(site_file: SiteFile) -> SiteFile:
    return site_file.put(ROOF, ROOF + BARN)


def test_an_inverter_behind_mqtt_is_no_modbus_inverter(barn: SiteFile) -> None:
    site = barn.load()
    assert [each.id for each in site.modbus_inverters] == ["roof"]
    assert [each.id for each in site.mqtt_inverters] == ["barn"]
    assert site.heard_devices == ("barn/power", "barn/state")
    assert site.commanded_devices == ("barn/limit",)
    assert site.rated_w == 15000


def test_an_inverter_that_is_only_read_needs_no_command(barn: SiteFile) -> None:
    start = BARN.index("    command:")
    barn.put(BARN[start:], "")
    assert barn.load().commanded_devices == ()


def test_the_predecessors_payload_needs_no_fields(barn: SiteFile) -> None:
    barn.put("fields: {power_w: power}", "format: predecessor")
    assert barn.load().mqtt_inverters[0].fields is None


PAYLOAD, TOPIC, ITSELF = (16, "command.payload"), (15, "command.topic"), (9, "")


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        (
            "${limit_w}",
            "${limit}",
            PAYLOAD,
            "`${limit}` is no placeholder; there are `${limit_w}`, `${limit_kw}`",
        ),
        ('{"limit": ${limit_w}}', '{"limit": ${limit_w}', PAYLOAD, "begins like JSON and is none"),
        ("'{\"limit\": ${limit_w}}'", "stop", PAYLOAD, "says nothing without a placeholder"),
        ("topic: barn/limit", "topic: dynexport/barn", TOPIC, "is one of Dynexport's own topics"),
        ("topic: barn/power", "topic: dynexport/active", (12, "topic"), "is one of Dynexport's own topics"),
        ("topic: barn/limit", "topic: barn/state", TOPIC, "is also what is read as"),
        ("topic: barn/limit", "topic: barn/+", TOPIC, "must be one topic"),
        ("{limit_w: limit}", "{limit_w: a, limit_pct: b}", (17, "read_back.fields"), "one of `limit_w` and"),
        (
            "${limit_w}}'",
            '${limit_w}, "on": ${connect}}\'',
            ITSELF,
            "needs `read_back` with a field `connect`",
        ),
        ("    fields: {power_w: power}\n", "", ITSELF, "`fields` goes with `format: fields`"),
        ("rated_w: 5000\n", "rated_w: 5000\n    can_limit_to_zero: false\n", ITSELF, "needs `${connect}`"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_is_allowed(
    barn: SiteFile, old: str, new: str, place: tuple[int, str], message: str
) -> None:
    problem = barn.put(old, new).problem()
    assert (problem.line, problem.key) == (place[0], f"inverters[1].{place[1]}".rstrip("."))
    assert message in problem.message


def test_two_devices_are_not_told_on_one_topic(barn: SiteFile) -> None:
    problem = barn.add(BOILER.replace("boiler/relay", "barn/limit")).problem()
    assert (problem.key, problem.message) == (
        "loads[0].command.topic",
        "is inverters[1].command.topic too: each needs its own",
    )


def test_a_slow_publisher_is_warned_of(barn: SiteFile) -> None:
    barn.put("    topic: barn/power\n", "    topic: barn/power\n    period_s: 10\n")
    problems = barn.warnings()
    assert [problem.key for problem in problems] == ["inverters[1].period_s"]
    assert "counts as silent after 5 s" in problems[0].message


def test_a_switched_load_is_told_in_its_own_words(site_file: SiteFile) -> None:
    command = site_file.add(BOILER).load().loads[0].command
    assert command is not None
    assert (command.on, command.off, command.when_silent) == ("ON", "OFF", "hold")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('off: "OFF"', 'off: "ON"', "the same words"),
        ("rated_w: 2000", "rated_w: 2000\n    control: watts", "`payload` goes with `control: watts`"),
        ('on: "ON"', "payload: '${limit_w}'", "`payload` goes with `control: watts`"),
        ("boiler/relay", "dynexport/load/boiler/setpoint", "is one of Dynexport's own topics"),
    ],
)
def test_a_mistake_in_a_loads_command_is_told(site_file: SiteFile, old: str, new: str, message: str) -> None:
    assert message in site_file.add(BOILER).put(old, new).problem().message
