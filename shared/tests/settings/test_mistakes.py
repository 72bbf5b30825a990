"""What a wrong setting is answered with: its line, the value seen, what is allowed, and a near match."""

from __future__ import annotations

import re

import pytest

from .conftest import SiteFile

JARGON = re.compile(
    r"Input should|pydantic|https?://|discriminator|tag |valid (string|number|integer)|tuple|dict"
)


def test_a_misspelt_key_that_is_required_is_one_mistake_with_its_line_and_the_near_match(
    site_file: SiteFile,
) -> None:
    problem = site_file.put("  export_limit_w", "  exprt_limit_w").problem()
    assert (problem.line, problem.key, problem.message) == (4, "agreement.exprt_limit_w", "no such setting")
    assert problem.hint == "did you mean export_limit_w?"


def test_a_setting_in_the_wrong_section_is_sent_to_its_own(site_file: SiteFile) -> None:
    problem = site_file.add("time_zone: Australia/Perth\n").problem()
    assert (problem.line, problem.hint) == (11, "it belongs under `site`")


def test_a_key_near_nothing_is_answered_with_what_is_allowed(site_file: SiteFile) -> None:
    problem = site_file.put("unit: 240", "unit: 240, xyzzy: 1").problem()
    assert problem.hint == "allowed here: driver, invert, location, poll_s, serial, tcp, unit"


def test_behind_a_misspelt_driver_the_other_mistakes_are_found_too(site_file: SiteFile) -> None:
    site_file.put("driver: sunspec, tcp: {host: 192.0.2.10}, unit: 240", "driver: sunspc, tcp: 5, unit: 999")
    assert [(problem.key, problem.line) for problem in site_file.problems()] == [
        ("meter.driver", 6),
        ("meter.tcp", 6),
        ("meter.unit", 6),
    ]


def test_a_time_zone_that_is_no_full_name_is_completed(site_file: SiteFile) -> None:
    assert "Australia/Adelaide" in site_file.put("Australia/Adelaide", "Adelaide").problem().message


MISTAKES = [
    # what stands, what stands instead, the sentence, the value shown
    ("unit: 240", "unit: 999", "must be 247 or less", "999"),
    ("unit: 240", "unit: 1.5", "must be a whole number", "1.5"),
    ("unit: 240", "unit: 'a'", "must be a whole number", "'a'"),
    ("unit: 240", "unit: true", "must be a whole number", "true"),
    ("unit: 240", "unit: null", "must be a whole number", "nothing"),
    ("rated_w: 10000", "rated_w: 0", "must be more than 0", "0"),
    ("rated_w: 10000", "rated_w: .inf", "must be a number", "inf"),
    ("  export_limit_w: 5000", "  export_limit_w: .nan", "must be a number", "nan"),
    ("  export_limit_w: 5000", "  export_limit_w: yes", "must be a number", "'yes'"),
    ("  export_limit_w: 5000", "  export_limit_w: [5000]", "must be a number", None),
    ("name: Home", "name: 12", "must be text", "12"),
    ("name: Home", "phases: 2", "must be one of 1, 3", "2"),
    ("host: localhost", "root: a b", "must be words with / between them", "'a b'"),
    ("id: roof", "id: My Roof", "must be a short name of lower-case letters", "'My Roof'"),
    ("id: roof", "id: roof, can_limit_to_zero: maybe", "must be true or false", "'maybe'"),
    (
        "driver: sunspec, tcp: {host: 192.0.2.11}",
        "driver: x, tcp: {host: a}",
        "must be one of sunspec, registers",
        "'x'",
    ),
    ("id: roof", "id: roof, revert_timer_s: 5", "revert_timer_s: 0, or at least 20", None),
    (
        "id: roof",
        "id: roof, revert_timer_s: 60, limit_persists: true",
        "revert_timer_s: 0 with limit_persists",
        None,
    ),
    ("host: 192.0.2.10", "host: 192.0.2..10", "must be a name or an address only", "'192.0.2..10'"),
    ("host: localhost", "host: localhost:1883", "must be a name or an address only", "'localhost:1883'"),
    ("host: localhost", "host: tcp://broker", "must be a name or an address only", "'tcp://broker'"),
    ("host: localhost", "host: ''", "must be a name or an address only", "''"),
    ("tcp: {host: 192.0.2.10}", "tcp: 192.0.2.10", "needs settings below it", "'192.0.2.10'"),
    ("mqtt: {host: localhost}", "mqtt:", "needs settings below it", "nothing"),
    ("  manual: {kind: preference}\n", "", "needs settings below it", "nothing"),
    ("sources:\n  manual: {kind: preference}", "sources: []", "needs settings below it", None),
    ("manual:", "My Own: {kind: preference}\n  manual:", "must be a short name", "'My Own'"),
]


@pytest.mark.parametrize(
    ("old", "new", "sentence", "value"), MISTAKES, ids=[mistake[1] for mistake in MISTAKES]
)
def test_a_mistake_is_told_in_a_plain_sentence_with_the_value_seen(
    site_file: SiteFile, old: str, new: str, sentence: str, value: str | None
) -> None:
    problem = site_file.put(old, new).problem()
    assert problem.message.startswith(sentence)
    assert problem.value == value
    assert problem.line is not None
    assert not JARGON.search(str(problem))


@pytest.mark.parametrize("section", ["site", "agreement", "meter", "inverters"])
def test_a_required_section_that_is_missing_is_named_with_what_it_needs(
    site_file: SiteFile, section: str
) -> None:
    text = site_file.path.read_text()
    site_file.write(re.sub(rf"^{section}:.*\n( .*\n)*", "", text, flags=re.MULTILINE))
    problem = site_file.problem()
    assert (problem.key, problem.message) == (section, "is missing")
    assert f"`{section}:`" in (problem.hint or "")


def test_an_inverter_without_a_driver_says_which_there_is(site_file: SiteFile) -> None:
    problem = site_file.put("id: roof, driver: sunspec", "id: roof").problem()
    assert (problem.key, problem.line) == ("inverters[0].driver", 8)
    assert problem.hint == "for example `driver: sunspec`"


def test_no_inverters_is_a_mistake(site_file: SiteFile) -> None:
    text = site_file.path.read_text()
    site_file.write(re.sub(r"inverters:\n.*\n", "inverters: []\n", text))
    assert site_file.problem().message == "must not be empty"


def test_more_than_20_inverters_are_too_many(site_file: SiteFile) -> None:
    line = site_file.path.read_text().splitlines()[7]
    more = [line.replace("roof", f"i{n}").replace(".11", f".{n}") for n in range(100, 120)]
    site_file.put(line, "\n".join([line, *more]))
    assert site_file.problem().message == "has too many entries: 20 at most"


def test_a_number_in_quotes_is_told_to_lose_them(site_file: SiteFile) -> None:
    problem = site_file.put("rated_w: 10000", "rated_w: '10000'").problem()
    assert (problem.value, problem.hint) == ("'10000'", "write it without quotes")


def test_a_password_is_not_shown_even_when_it_is_the_mistake(site_file: SiteFile) -> None:
    problem = site_file.put("host: localhost", "username: me, password: 12345").problem()
    assert problem.key == "mqtt.password"
    assert problem.hint == "put it in quotes"
    assert "12345" not in str(problem)


@pytest.mark.parametrize("time", ["1000", "10", "24:00", "10:60", '"10:00+09:30"', '"ten"', "10.30"])
def test_what_is_no_time_of_day_is_refused_with_an_example(site_file: SiteFile, time: str) -> None:
    site_file.add(f"tariff: {{windows: [{{start: {time}, end: 15:00, export_limit_w: 0}}]}}\n")
    problem = site_file.put("manual:", "tariff: {kind: preference}\n  manual:").problem()
    assert problem.key == "tariff.windows[0].start"
    assert 'such as "10:00"' in problem.message


@pytest.mark.parametrize("time", ["10:00", '"10:00"', "9:05", "00:00", '"23:59:30"'])
def test_a_time_of_day_may_stand_with_and_without_quotes(site_file: SiteFile, time: str) -> None:
    site_file.add(f"tariff: {{windows: [{{start: {time}, end: 15:00, export_limit_w: 0}}]}}\n")
    tariff = site_file.put("manual:", "tariff: {kind: preference}\n  manual:").load().tariff
    assert tariff is not None
    hour, minute, *_ = (int(part) for part in time.strip('"').split(":"))
    assert (tariff.windows[0].start.hour, tariff.windows[0].start.minute) == (hour, minute)


def test_mistakes_are_told_in_the_order_of_the_file(site_file: SiteFile) -> None:
    site_file.put("manual: {kind: preference}", "manual: {kind: prefer}").put("name: Home", "nam: Home")
    site_file.put("unit: 240", "unit: 999").put("rated_w: 10000", "rated_w: 10")
    assert [problem.line for problem in site_file.problems()] == [1, 6, 8, 10]
