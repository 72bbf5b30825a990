"""The environment over the file, and secrets in files."""

from __future__ import annotations

import pytest

from dynexport.settings.models import Tcp

from .conftest import SiteFile

HUSH = "hush hush"


def test_a_variable_overrides_and_makes_sections_that_are_not_there(site_file: SiteFile) -> None:
    env = {
        "DYNEXPORT__MQTT__PORT": "1884",
        "DYNEXPORT__INVERTERS__0__TCP__PORT": "1502",
        "DYNEXPORT__CONTROL__ENABLED": "true",
        "DYNEXPORT__SOURCES__TARIFF__KIND": "preference",
        "DYNEXPORT__AGREEMENT__GENERATION_LIMIT_W": "null",
    }
    site = site_file.load(env)
    assert (site.mqtt.port, site.inverters[0].tcp, site.control.enabled) == (
        1884,
        Tcp(host="192.0.2.11", port=1502),
        True,
    )
    assert site.sources["tariff"].kind == "preference"
    assert site.agreement.generation_limit_w is None


@pytest.mark.parametrize("text", ["0123", "true", "null", "12:30", "a: b", "[x", "1e3"])
def test_a_text_setting_takes_the_words_as_they_stand(site_file: SiteFile, text: str) -> None:
    site = site_file.load({"DYNEXPORT__MQTT__USERNAME": text, "DYNEXPORT__MQTT__PASSWORD": text})
    assert site.mqtt.username == text
    assert site.mqtt.password is not None
    assert site.mqtt.password.get_secret_value() == text


def test_an_empty_variable_counts_as_not_set(site_file: SiteFile) -> None:
    assert site_file.load({"DYNEXPORT__MQTT__HOST": ""}).mqtt.host == "localhost"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("DYNEXPORT__MQTT__HOOST", "did you mean DYNEXPORT__MQTT__HOST?"),
        ("DYNEXPORT__MQT__HOST", "did you mean DYNEXPORT__MQTT?"),
        ("DYNEXPORT__INVERTERS__0__UNITT", "did you mean DYNEXPORT__INVERTERS__0__UNIT?"),
        ("DYNEXPORT__INVERTERS__3__UNIT", "there is no entry 3: it counts from 0, site.yaml has 1"),
        ("DYNEXPORT__INVERTERS__ROOF__UNIT", "an entry of a list is named by its number"),
        ("DYNEXPORT__BATTERIES__0__ID", "an entry of a list is named by its number"),
        ("DYNEXPORT__MQTT__HOST__X", "docs/config.md names every setting"),
        ("DYNEXPORT__", "allowed here: agreement"),
    ],
)
def test_a_variable_that_names_no_setting_is_a_mistake_with_the_near_match(
    site_file: SiteFile, name: str, hint: str
) -> None:
    problem = site_file.problem({name: "1"})
    assert (problem.file, problem.key, problem.message) == ("environment", name, "names no setting")
    assert hint in (problem.hint or "")


def test_a_wrong_value_is_said_of_the_variable_not_of_a_line_of_the_file(site_file: SiteFile) -> None:
    problem = site_file.problem({"DYNEXPORT__MQTT__PORT": "many"})
    assert str(problem) == "environment: DYNEXPORT__MQTT__PORT: must be a whole number (it says 'many')"


def test_kilowatts_in_a_variable_are_noticed(site_file: SiteFile) -> None:
    problem = site_file.problem({"DYNEXPORT__AGREEMENT__EXPORT_LIMIT_W": "5"})
    assert (problem.key, problem.hint) == ("DYNEXPORT__AGREEMENT__EXPORT_LIMIT_W", "did you mean 5000?")


def with_secret(site_file: SiteFile, text: str = f"{HUSH}\r\n", more: str = "") -> SiteFile:
    (site_file.path.parent / "secret").write_text(text)
    return site_file.put("host: localhost", f"username: me, password_file: secret{more}")


def test_a_password_file_is_read_beside_site_yaml_without_its_line_end(site_file: SiteFile) -> None:
    password = with_secret(site_file).load().mqtt.password
    assert password is not None
    assert password.get_secret_value() == HUSH


def test_the_password_in_the_environment_wins_over_the_file(site_file: SiteFile) -> None:
    password = with_secret(site_file).load({"DYNEXPORT__MQTT__PASSWORD": "mine"}).mqtt.password
    assert password is not None
    assert password.get_secret_value() == "mine"


def test_a_password_file_in_the_environment_wins_over_a_password_in_the_file(site_file: SiteFile) -> None:
    own = site_file.path.parent / "own"
    own.write_text("my own")
    made = with_secret(site_file).put("password_file: secret", "password: shared")
    password = made.load({"DYNEXPORT__MQTT__PASSWORD_FILE": str(own)}).mqtt.password
    assert password is not None
    assert password.get_secret_value() == "my own"


def test_a_password_beside_its_file_is_a_mistake(site_file: SiteFile) -> None:
    problem = with_secret(site_file, more=", password: other").problem()
    assert (problem.line, problem.key, problem.hint) == (2, "mqtt.password", "keep one of the two")


def test_an_empty_password_file_is_a_mistake(site_file: SiteFile) -> None:
    problem = with_secret(site_file, "\n").problem()
    assert (problem.key, problem.message) == ("mqtt.password_file", "is an empty file")


def test_a_password_file_that_is_not_there_is_a_mistake_with_its_line(site_file: SiteFile) -> None:
    problem = site_file.put("host: localhost", "username: me, password_file: nowhere").problem()
    assert (problem.line, problem.value) == (2, "'nowhere'")
    assert problem.message == "cannot be read: No such file or directory"
