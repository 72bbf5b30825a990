"""Meters that answer by HTTP in `site.yaml`: their secrets, their bounds, and the battery that a gateway tells."""

from __future__ import annotations

import json

import pytest

from dynexport.settings.load import masked
from dynexport.settings.models import MqttMeter, PowerwallMeter, SolarApiMeter

from .conftest import SiteFile

SUNSPEC = "{driver: sunspec, tcp: {host: 192.0.2.10}, unit: 240}"
HUSH = "hush hush"


def powerwall(site_file: SiteFile, more: str = "password: hush hush") -> SiteFile:
    return site_file.put(SUNSPEC, f"{{driver: powerwall, host: 192.0.2.20, {more}}}")


def test_a_powerwall_is_polled_every_2_s_at_port_443_unless_the_owner_says_else(site_file: SiteFile) -> None:
    meter = powerwall(site_file).load().meter
    assert isinstance(meter, PowerwallMeter)
    assert (meter.port, meter.poll_s, meter.location) == (443, 2.0, "feed_in")


def test_a_gateways_password_comes_from_its_file_or_the_environment_and_is_never_shown(
    site_file: SiteFile,
) -> None:
    (site_file.path.parent / "gateway").write_text(f"{HUSH}\n")
    made = powerwall(site_file, "password_file: gateway")
    for env, expected in (({}, HUSH), ({"DYNEXPORT__METER__PASSWORD": "mine"}, "mine")):
        site = made.load(env)
        assert isinstance(site.meter, PowerwallMeter)
        assert site.meter.secret == expected
        assert expected not in json.dumps(masked(site)) + repr(site)


@pytest.mark.parametrize(
    ("more", "key", "message"),
    [
        (
            "poll_s: 1",
            "meter",
            "the gateway asks for a password: name a file that holds it as `password_file`",
        ),
        ("password_file: nowhere", "meter.password_file", "cannot be read: No such file or directory"),
        ("password: x, poll_s: 0.5", "meter.poll_s", "must be 1 or more"),
        ("password: x, location: consumption", "meter.location", "must be feed_in"),
        ("password: x, unit: 1", "meter.unit", "no such setting"),
    ],
)
def test_a_mistake_is_told_with_its_key(site_file: SiteFile, more: str, key: str, message: str) -> None:
    problem = next(each for each in powerwall(site_file, more).problems() if each.key == key)
    assert problem.message == message


def test_a_password_that_is_a_mistake_is_not_shown(site_file: SiteFile) -> None:
    problem = powerwall(site_file, "password: [hush]").problem()
    assert problem.key == "meter.password"
    assert "hush" not in str(problem)


def test_a_solar_api_needs_a_host_only(site_file: SiteFile) -> None:
    meter = site_file.put(SUNSPEC, "{driver: solar_api, host: 192.0.2.20}").load().meter
    assert isinstance(meter, SolarApiMeter)
    assert (meter.port, meter.poll_s) == (80, 1.0)


def test_a_battery_that_the_gateway_tells_is_the_meters(site_file: SiteFile) -> None:
    made = powerwall(site_file).add("batteries: [{id: powerwall, rated_w: 5000, source: meter}]\n").load()
    assert made.meter_battery is made.batteries[0]
    assert made.foreign_topics == ()


def test_only_a_powerwall_tells_of_its_battery_and_of_one_only(site_file: SiteFile) -> None:
    battery = "{{id: {name}, rated_w: 5000, source: meter}}"
    one = site_file.add(f"batteries: [{battery.format(name='a')}]\n")
    assert one.problem().key == "batteries[0].source"
    two = powerwall(site_file).put("]\n", f", {battery.format(name='b')}]\n")
    assert two.problem().key == "batteries[1].source"


def test_a_battery_is_read_in_one_way_only(site_file: SiteFile) -> None:
    entry = "{id: a, rated_w: 5000, source: meter, topic: x, fields: {power_w: p}}"
    assert "one way only" in powerwall(site_file).add(f"batteries: [{entry}]\n").problem().message


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("{driver: mqtt, format: shelly_pro_3em, topic: pro/status/em:0}", ("pro/status/em:0",)),
        (
            "{driver: mqtt, format: shelly_3em, topic: shellies/x}",
            ("shellies/x/emeter/0/power", "shellies/x/emeter/1/power", "shellies/x/emeter/2/power"),
        ),
    ],
)
def test_a_shelly_needs_no_fields(site_file: SiteFile, text: str, topics: tuple[str, ...]) -> None:
    site = site_file.put(SUNSPEC, text).load()
    assert isinstance(site.meter, MqttMeter)
    assert site.foreign_topics == topics


def test_a_pro_3ems_topic_without_its_end_is_told(site_file: SiteFile) -> None:
    meter = "{driver: sunspec, tcp: {host: 192.0.2.10}, unit: 240}"
    site_file.put(meter, "{driver: mqtt, format: shelly_pro_3em, topic: shellypro3em-1}")
    assert "`<prefix>/status/em:0`" in site_file.problem().message
