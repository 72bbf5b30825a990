"""Who may do what, by the table and by what the owner grants."""

from __future__ import annotations

import pytest

from dynexport.access import AccessError, Grant, acl, granted, rights
from dynexport.access.rights import matches
from dynexport.testing.builders import site

MQTT_METER = {"driver": "mqtt", "topic": "shed/meter/power", "format": "predecessor"}


def writers(path: str) -> set[str]:
    return {name for name, allowed in rights(site()).items() if allowed.may_write(f"dynexport/{path}")}


@pytest.mark.parametrize(
    ("path", "who"),
    [
        ("meter/site/reading", {"meter-reader", "inverter-writer"}),
        ("inverter/roof/reading", {"inverter-writer"}),
        ("inverter/roof/control", {"inverter-writer"}),
        ("limit/csip", {"csip-client"}),
        ("limit/tariff", {"tariff-limits"}),
        ("limit/price", {"tariff-limits"}),
        ("limit/manual", {"owner"}),
        ("limit/foo", set()),
        ("active", {"limit-engine"}),
        ("setpoint/roof", {"limit-engine"}),
        ("battery/home/reading", {"meter-reader", "inverter-writer"}),
        ("load/boiler/reading", {"meter-reader", "site-simulator"}),
        ("service/limit-engine/health", {"limit-engine"}),
        ("service/owner/event", set()),
        ("request/limit-engine/pause", {"owner", "dashboard"}),
        ("simulator/truth", {"site-simulator"}),
    ],
)
def test_a_topic_is_written_by_these_and_nobody_else(path: str, who: set[str]) -> None:
    assert writers(path) == who


def test_nobody_may_write_with_a_wildcard_over_limits_or_services() -> None:
    for allowed in rights(site()).values():
        assert not [one for one in allowed.writes if one.split("/")[1] in ("limit", "service") and "+" in one]
        assert not [one for one in allowed.writes if "#" in one]


def test_the_observer_writes_nothing_and_reads_everything_below_the_root_only() -> None:
    observer = rights(site(mqtt={"host": "x", "root": "my/site"}))["observer"]
    assert observer.writes == ()
    assert observer.may_read("my/site/active")
    assert not observer.may_read("my/other/active")


def test_meter_reader_reads_what_others_publish_by_site_yaml() -> None:
    assert rights(site(meter=MQTT_METER))["meter-reader"].reads == ("shed/meter/power",)
    assert rights(site())["meter-reader"].reads == ()


@pytest.mark.parametrize(
    "path",
    ["limit/foo", "limit/manual", "battery/home/reading", "uncontrolled/shed/reading", "service/mine/event"],
)
def test_the_owner_may_grant_what_no_service_of_ours_writes(path: str) -> None:
    assert granted(site(), "mine", [path]) == Grant((path,))
    assert granted(site(), "mine", [f"dynexport/{path}"]) == Grant((path,))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("setpoint/roof", "only limit-engine may write this"),
        ("limit/csip", "only csip-client may write this"),
        ("limit/price", "only tariff-limits may write this"),
        ("meter/site/reading", "only meter-reader or inverter-writer may write this"),
        ("service/other/event", "only the service other may write this"),
        ("limit/+", "would give too much"),
        ("#", "would give too much"),
        ("limits/foo", "no such topic"),
        ("limit/", "no such topic"),
        ("limit", "no such topic"),
        ("limit/foo\nuser x", "no such topic"),
        ("limit/a b", "no such topic"),
        ("shed/meter/power", "no such topic"),
    ],
)
def test_what_a_service_writes_or_nobody_knows_is_not_granted(path: str, words: str) -> None:
    with pytest.raises(AccessError, match=words):
        granted(site(), "mine", [path])


@pytest.mark.parametrize("name", ["", "Shed", "a b", "a:b", "-a", "limit-engine", "owner", "a\nuser b"])
def test_a_name_that_is_taken_or_no_name_is_refused(name: str) -> None:
    with pytest.raises(AccessError):
        granted(site(), name, ["limit/foo"])


@pytest.mark.parametrize("path", ["#", "active", "inverter/+/reading", "service/#", "+/roof/reading"])
def test_reading_is_granted_by_topic_or_filter(path: str) -> None:
    assert granted(site(), "mine", [], [path]).may_read == (path,)


@pytest.mark.parametrize(
    "path", ["", "nonsense", "inverter/#/reading", "limit/f+", "a/b/c/d", "active/\nx", "+/\n/reading", "a b"]
)
def test_a_filter_that_takes_in_no_topic_is_refused(path: str) -> None:
    with pytest.raises(AccessError, match="no such topic"):
        granted(site(), "mine", [], [path])


def test_a_publisher_that_site_yaml_names_may_write_its_topic_and_loses_it_with_that_entry() -> None:
    with_meter = site(meter=MQTT_METER)
    grant = granted(with_meter, "shed", ["shed/meter/power"])
    assert rights(with_meter, {"shed": grant})["shed"].writes == ("shed/meter/power",)
    assert rights(site(), {"shed": grant})["shed"].writes == ()


BARN = {
    "id": "barn",
    "driver": "mqtt",
    "rated_w": 5000,
    "topic": "barn/power",
    "fields": {"power_w": "p"},
    "command": {"topic": "barn/limit", "payload": "${limit_w}"},
    "read_back": {"topic": "barn/held", "fields": {"limit_w": "l"}},
}
BOILER = {"id": "boiler", "rated_w": 2000, "command": {"topic": "boiler/relay"}}


def test_inverter_writer_reads_and_commands_what_site_yaml_puts_behind_mqtt_and_nobody_else_does() -> None:
    found = rights(site(inverters=[BARN], loads=[BOILER]))
    assert found["inverter-writer"].reads[-2:] == ("barn/power", "barn/held")
    assert found["inverter-writer"].writes[-2:] == ("barn/limit", "boiler/relay")
    assert [name for name, allowed in found.items() if allowed.may_write("barn/limit")] == ["inverter-writer"]
    assert not rights(site())["inverter-writer"].may_write("barn/limit")


def test_a_simulated_site_speaks_for_what_is_behind_mqtt() -> None:
    found = rights(site(inverters=[BARN], loads=[BOILER], simulator={}))["site-simulator"]
    assert found.may_write("barn/power")
    assert found.may_write("barn/held")
    assert found.may_read("barn/limit")
    assert found.may_read("boiler/relay")


def test_the_other_side_of_an_inverter_may_say_what_we_read_and_hear_what_we_send() -> None:
    shape = site(inverters=[BARN])
    grant = granted(shape, "bridge", ["barn/power", "barn/held"], ["barn/limit"])
    bridge = rights(shape, {"bridge": grant})["bridge"]
    assert (bridge.writes, bridge.reads) == (("barn/power", "barn/held"), ("barn/limit",))
    assert rights(site(), {"bridge": grant})["bridge"].reads == ()


def test_the_acl_names_each_user_once_with_its_topics() -> None:
    text = acl(rights(site(), {"shed": Grant(("limit/shed",), ("active",))}))
    assert text.endswith("\nuser shed\ntopic write dynexport/limit/shed\ntopic read dynexport/active\n")
    names = [line for line in text.splitlines() if line.startswith("user ")]
    assert len(names) == len(set(names)) == 11
    assert text.index("\nuser ") < text.index("\ntopic "), "a topic above the first user would be everybody's"


@pytest.mark.parametrize(
    ("filter_", "path", "fits"),
    [
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/#", "b/a", False),
        ("a/+/c", "a/b/c", True),
        ("a/+/c", "a/b", False),
        ("a/+", "a/b/c", False),
        ("#", "a", True),
    ],
)
def test_filters_match_as_in_mqtt(filter_: str, path: str, fits: bool) -> None:
    assert matches(filter_, path) == fits
