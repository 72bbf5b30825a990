"""`site.yaml`: every mistake at once, each with its line, the value, what is allowed, a near match."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynexport.settings.load import ConfigError, load, warnings
from dynexport.settings.problems import Problem

GOOD = """\
site: {name: Home, time_zone: Australia/Adelaide}
mqtt: {host: localhost}
agreement: {export_limit_w: 5000, failsafe_export_limit_w: 1500}
meter: {driver: sunspec, tcp: {host: 192.0.2.10}, unit: 240}
inverters:
  - {id: roof, driver: sunspec, tcp: {host: 192.0.2.11}, rated_w: 10000}
sources:
  manual: {kind: preference}
"""


def problems(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> list[Problem]:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(path, env or {})
    return error.value.problems


def only(tmp_path: Path, text: str) -> Problem:
    (problem,) = problems(tmp_path, text)
    return problem


def test_a_good_file_loads(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(GOOD)
    assert load(path, {}).agreement.export_limit_w == 5000
    assert warnings(path, {}) == []


def test_a_misspelt_key_is_reported_with_its_line_and_the_near_match(tmp_path: Path) -> None:
    problem = only(tmp_path, GOOD.replace("unit: 240", "unit: 240, pol_s: 1"))
    assert (problem.line, problem.key) == (4, "meter.pol_s")
    assert problem.hint == "did you mean poll_s?"


def test_a_misspelt_word_is_reported_with_what_is_allowed(tmp_path: Path) -> None:
    problem = only(tmp_path, GOOD.replace("preference", "preferense"))
    assert problem.line == 8
    assert problem.value == "'preferense'"
    assert "obligation, preference" in problem.message
    assert problem.hint == "did you mean preference?"


def test_an_unknown_driver_names_those_that_exist(tmp_path: Path) -> None:
    problem = only(tmp_path, GOOD.replace("meter: {driver: sunspec", "meter: {driver: modbus"))
    assert problem.key == "meter.driver"
    assert "sunspec, registers, mqtt" in problem.message


def test_a_meter_without_a_driver_says_which_there_are(tmp_path: Path) -> None:
    assert (
        "sunspec, registers, mqtt"
        in only(tmp_path, GOOD.replace("meter: {driver: sunspec, ", "meter: {")).message
    )


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("Adelaide", "Adelade").replace("240", "999").replace("10000", "ten")
    assert {problem.key for problem in problems(tmp_path, text)} == {
        "site.time_zone",
        "meter.unit",
        "inverters[0].rated_w",
    }


def test_a_missing_setting_says_what_it_could_be(tmp_path: Path) -> None:
    problem = only(tmp_path, GOOD.replace("export_limit_w: 5000, ", ""))
    assert problem.key == "agreement.export_limit_w"
    assert problem.message == "is missing"
    assert problem.hint is not None
    assert "5000" in problem.hint


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [("export_limit_w: 5,", "did you mean 5000?"), ("export_limit_w: 1.5,", "did you mean 1500?")],
)
def test_kilowatts_in_the_place_of_watts_are_noticed(tmp_path: Path, wrong: str, hint: str) -> None:
    found = problems(tmp_path, GOOD.replace("export_limit_w: 5000,", wrong))
    assert hint in [problem.hint for problem in found]


def test_a_limit_of_0_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(GOOD.replace("5000, failsafe_export_limit_w: 1500", "0, failsafe_export_limit_w: 0"))
    assert load(path, {}).agreement.export_limit_w == 0


def test_a_failsafe_above_the_limit_is_refused(tmp_path: Path) -> None:
    assert "above export_limit_w" in only(tmp_path, GOOD.replace("1500", "6000")).message


@pytest.mark.parametrize("value", [".nan", ".inf", "-1", "'5000 W'", "true"])
def test_what_is_no_limit_is_refused(tmp_path: Path, value: str) -> None:
    found = problems(tmp_path, GOOD.replace("export_limit_w: 5000", f"export_limit_w: {value}"))
    assert "agreement.export_limit_w" in {problem.key for problem in found}


def test_an_obligation_without_a_fallback_is_refused(tmp_path: Path) -> None:
    problem = only(tmp_path, GOOD + "  csip: {kind: obligation}\n")
    assert "fallback" in problem.message
    assert problem.line == 9


def test_csip_cannot_be_a_preference(tmp_path: Path) -> None:
    assert "obligation" in only(tmp_path, GOOD + "  csip: {kind: preference}\n").message


def test_a_tariff_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    text = GOOD + "tariff: {windows: [{start: 10:00, end: 15:00, export_limit_w: 0}]}\n"
    assert "no effect" in only(tmp_path, text).message


def test_unquoted_times_are_times(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    windows = "tariff: {windows: [{start: 10:00, end: 15:30, export_limit_w: 0}]}\n"
    path.write_text(GOOD + "  tariff: {kind: preference}\n" + windows)
    tariff = load(path, {}).tariff
    assert tariff is not None
    assert (tariff.windows[0].start.hour, tariff.windows[0].end.minute) == (10, 30)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("- a\n- b\n", "must be settings"),
        ("site: {name: [\n", "is not YAML"),
        ("site:\n\tname: x\n", "is not YAML"),
        (GOOD + "mqtt: {host: other}\n", "two of the same"),
    ],
)
def test_what_is_no_yaml_mapping_is_told_in_words(tmp_path: Path, text: str, words: str) -> None:
    assert words in only(tmp_path, text).message


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"site\.example\.yaml"):
        load(tmp_path / "none.yaml", {})


def test_a_null_section_is_told(tmp_path: Path) -> None:
    assert "agreement" in {
        problem.key for problem in problems(tmp_path, GOOD.replace(GOOD.splitlines()[2], "agreement:"))
    }


def test_the_environment_overrides_and_counts_into_lists(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(GOOD)
    env = {
        "DYNEXPORT__MQTT__PORT": "1884",
        "DYNEXPORT__INVERTERS__0__UNIT": "7",
        "DYNEXPORT__CONTROL__ENABLED": "true",
    }
    site = load(path, env)
    assert (site.mqtt.port, site.inverters[0].unit, site.control.enabled) == (1884, 7, True)


def test_an_override_that_names_no_setting_is_reported(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD, {"DYNEXPORT__INVERTERS__5__UNIT": "7"})
    assert [problem.key for problem in found] == ["DYNEXPORT__INVERTERS__5__UNIT"]


def test_a_password_is_read_from_its_file_and_never_shown(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    path = tmp_path / "site.yaml"
    path.write_text(
        GOOD.replace("host: localhost", f"host: localhost, username: me, password_file: {secret}")
    )
    site = load(path, {})
    assert site.mqtt.password is not None
    assert site.mqtt.password.get_secret_value() == "hush"
    assert "hush" not in site.model_dump_json()


def test_a_password_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    text = GOOD.replace("host: localhost", "host: localhost, password_file: /nowhere")
    assert only(tmp_path, text).key == "mqtt.password_file"


def test_two_inverters_at_one_place_are_refused(tmp_path: Path) -> None:
    text = GOOD.replace(
        "sources:", "  - {id: shed, driver: sunspec, tcp: {host: 192.0.2.11}, rated_w: 5000}\nsources:"
    )
    assert "same tcp and unit" in only(tmp_path, text).message


def test_a_problem_reads_as_file_line_key_message_and_hint(tmp_path: Path) -> None:
    said = str(only(tmp_path, GOOD.replace("unit: 240", "unit: 240, pol_s: 1")))
    assert said.endswith("site.yaml:4: meter.pol_s: no such setting\n    did you mean poll_s?")
