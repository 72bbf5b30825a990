"""`setup`: files of answers, questions, and what it never does."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from dynexport.cli.main import application
from dynexport.cli.setup import verb
from dynexport.cli.setup.answers import QUESTIONS
from dynexport.cli.setup.machine import refusal
from dynexport.cli.setup.writing import changed_text
from dynexport.modbus.address import TcpAddress, address_of
from dynexport.settings.load import load, load_with_warnings
from dynexport.settings.models import SunSpecMeter

TOWN: dict[str, Any] = {
    "site": {"name": "Town: no. 5", "time_zone": "Australia/Sydney", "phases": 1},
    "agreement": {"export_limit_w": 5000, "failsafe_export_limit_w": 1500, "export_limit_per_phase_w": None},
    "meter": {"driver": "sunspec", "tcp": {"host": "192.0.2.10"}, "unit": 240},
    "inverters": [{"id": "roof", "driver": "sunspec", "tcp": {"host": "192.0.2.11"}, "rated_w": 5000}],
    "batteries": [],
    "uncontrolled": [],
    "sources": {"manual": {"kind": "preference"}},
    "mqtt": {"host": "localhost"},
}
SHED: dict[str, Any] = {
    **TOWN,
    "site": {"name": "Shed", "time_zone": "Australia/Adelaide", "phases": 3},
    "inverters": [
        {"id": "east", "driver": "sunspec", "tcp": {"host": "192.0.2.11"}, "rated_w": 5000, "phase": "a"},
        {"id": "west", "driver": "sunspec", "tcp": {"host": "192.0.2.12"}, "unit": 3, "rated_w": 8000},
    ],
    "batteries": [{"id": "wall", "rated_w": 5000, "exports": "never"}],
    "sources": {"manual": {"kind": "preference"}, "tariff": {"kind": "preference"}},
    "tariff": {"windows": [{"name": "Sun tax", "start": "10:00", "end": "15:00", "export_limit_w": 1500}]},
}
FARM: dict[str, Any] = {
    **TOWN,
    "site": {"name": "Farm", "time_zone": "Australia/Perth", "phases": 3},
    "agreement": {"export_limit_w": 15000, "failsafe_export_limit_w": 0, "export_limit_per_phase_w": None},
    "meter": {"driver": "mqtt", "topic": "shelly/em", "fields": {"power_w": "em:0.total_act_power"}},
    "uncontrolled": [{"id": "old-roof", "rated_w": 3000, "kind": "pv"}],
    "sources": {"csip": {"kind": "obligation", "fallback": {"export_limit_w": 1500}}},
}
INSIDE = {"town": TOWN, "shed": SHED, "farm": FARM}


def answered(tmp_path: Path, data: dict[str, Any]) -> Path:
    path = tmp_path / "answers.yaml"
    YAML().dump(data, path)
    return path


def setup(tmp_path: Path, *words: str, said: str = "") -> Any:
    config = ["--config", str(tmp_path / "site.yaml")]
    return CliRunner().invoke(application(), ["setup", *config, *words], input=said)


@pytest.mark.parametrize("name", INSIDE)
def test_a_file_of_answers_becomes_a_site_yaml_that_check_accepts_as_written(
    tmp_path: Path, name: str
) -> None:
    done = setup(tmp_path, "--answers", str(answered(tmp_path, INSIDE[name])))
    assert done.exit_code == 0, done.output
    path = tmp_path / "site.yaml"
    site, _ = load_with_warnings(path, {})
    assert not site.control.enabled
    assert site.site.name == INSIDE[name]["site"]["name"]
    assert "# What the site may export at most, watts." in path.read_text()
    checked = CliRunner().invoke(application(), ["check", "--config", str(path)])
    assert checked.exit_code == 0, checked.output


def test_the_answers_in_the_documentation_become_a_site(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "setup.md").read_text()
    file = tmp_path / "answers.yaml"
    file.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    done = setup(tmp_path, "--answers", str(file))
    assert done.exit_code == 0, done.output
    assert load(tmp_path / "site.yaml", {}).uncontrolled[0].id == "old-roof"


def test_an_obligation_without_a_service_that_hears_it_is_said(tmp_path: Path) -> None:
    done = setup(tmp_path, "--answers", str(answered(tmp_path, FARM)))
    assert "its fallback counts all the time" in done.output


@pytest.mark.parametrize("place", QUESTIONS, ids=".".join)
def test_a_question_without_an_answer_is_refused_and_nothing_is_guessed(
    tmp_path: Path, place: tuple[str, ...]
) -> None:
    data = copy.deepcopy(TOWN)
    section = data
    for part in place[:-1]:
        section = section[part]
    del section[place[-1]]
    done = setup(tmp_path, "--answers", str(answered(tmp_path, data)))
    assert done.exit_code == 2
    assert f"{'.'.join(place)}: is not answered" in done.output
    assert not (tmp_path / "site.yaml").exists()


def test_every_mistake_in_the_answers_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    data = copy.deepcopy(TOWN)
    del data["uncontrolled"]
    data["site"]["time_zone"] = "Australia/Adelade"
    data["agreement"]["export_limit_w"] = 5
    done = setup(tmp_path, "--answers", str(answered(tmp_path, data)))
    assert done.exit_code == 2
    for words in (
        "uncontrolled: is not answered",
        "Australia/Adelaide",
        "did you mean 5000?",
        "answers.yaml:3",
    ):
        assert words in done.output


def test_an_obligation_needs_its_fallback(tmp_path: Path) -> None:
    data = {**TOWN, "sources": {"csip": {"kind": "obligation"}}}
    done = setup(tmp_path, "--answers", str(answered(tmp_path, data)))
    assert done.exit_code == 2
    assert "an obligation needs a `fallback`" in done.output


def test_it_never_enables_writing(tmp_path: Path) -> None:
    done = setup(tmp_path, "--answers", str(answered(tmp_path, {**TOWN, "control": {"enabled": True}})))
    assert done.exit_code == 2
    assert "dynexport enable" in done.output


def test_an_existing_file_is_never_overwritten_without_force(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("# mine\n")
    done = setup(tmp_path, "--answers", str(answered(tmp_path, TOWN)))
    assert done.exit_code == 2
    assert "--force" in done.output
    assert path.read_text() == "# mine\n"


def test_force_changes_an_existing_file_and_keeps_its_comments_and_what_was_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    assert setup(tmp_path, "--answers", str(answered(tmp_path, SHED))).exit_code == 0
    text = (
        path.read_text()
        .replace("unit: 3", "unit: 3  # behind the shed")
        .replace("enabled: false", "enabled: true  # since May")
    )
    path.write_text(text)
    data = copy.deepcopy(SHED)
    data["agreement"]["export_limit_w"] = 8000
    del data["inverters"][0], data["sources"]["tariff"], data["tariff"]
    done = setup(tmp_path, "--force", "--answers", str(answered(tmp_path, data)))
    assert done.exit_code == 0, done.output
    site = load(path, {})
    assert site.agreement.export_limit_w == 8000
    assert [inverter.id for inverter in site.inverters] == ["west"]
    assert site.tariff is None
    assert site.control.enabled, "what was enabled stays so"
    assert "# behind the shed" in path.read_text()
    assert "# since May" in path.read_text()
    assert "export_limit_per_phase_w: null" in path.read_text()


def test_the_same_answers_again_change_nothing(tmp_path: Path) -> None:
    answers = str(answered(tmp_path, SHED))
    setup(tmp_path, "--answers", answers)
    before = (tmp_path / "site.yaml").read_text()
    done = setup(tmp_path, "--force", "--answers", answers)
    assert "stays as it is" in done.output
    assert (tmp_path / "site.yaml").read_text() == before


def test_the_brokers_users_and_access_list_are_made_and_stay(tmp_path: Path) -> None:
    answers = str(answered(tmp_path, TOWN))
    assert "users are made for" in setup(tmp_path, "--answers", answers).output
    secret = tmp_path / "access" / "secrets" / "owner"
    password = secret.read_text()
    assert secret.stat().st_mode & 0o777 == 0o600
    assert "user limit-engine" in (tmp_path / "access" / "mosquitto" / "acl").read_text()
    assert "there already" in setup(tmp_path, "--force", "--answers", answers).output
    assert secret.read_text() == password
    assert password not in (tmp_path / "site.yaml").read_text()


def test_a_folder_of_users_that_is_not_ours_to_write_is_said_and_site_yaml_is_there_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNEXPORT_ACCESS", "/dev/null/access")
    done = setup(tmp_path, "--answers", str(answered(tmp_path, TOWN)))
    assert done.exit_code == 0, done.output
    assert "were not made here" in done.output
    assert (tmp_path / "site.yaml").exists()


def test_a_broker_that_somebody_else_runs_gets_no_users_of_ours(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("hunter2")
    mqtt = {"host": "nas", "username": "me", "password_file": "mine.txt"}
    assert setup(tmp_path, "--answers", str(answered(tmp_path, {**TOWN, "mqtt": mqtt}))).exit_code == 0
    assert not (tmp_path / "access").exists()


def test_a_password_is_not_taken_into_site_yaml(tmp_path: Path) -> None:
    mqtt = {"host": "nas", "username": "me", "password": "hunter2"}
    done = setup(tmp_path, "--answers", str(answered(tmp_path, {**TOWN, "mqtt": mqtt})))
    assert done.exit_code == 2
    assert "password_file" in done.output
    assert "hunter2" not in done.output


def test_a_32_bit_system_is_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusal(8, "aarch64") == ""
    assert "its kernel is 64-bit, its programs are not" in refusal(4, "aarch64")
    assert "Raspberry Pi OS (64-bit)" in refusal(4, "armv7l")
    monkeypatch.setattr(verb, "refusal", lambda: refusal(4, "armv7l"))
    done = setup(tmp_path, "--answers", str(answered(tmp_path, TOWN)))
    assert done.exit_code == 2
    assert "this system is 32-bit (armv7l)" in done.output


SITE_SAID = ["Home", "Australia/Adelaide", "3"]
AGREEMENT_SAID = ["5000", "1500", "none"]
METER_SAID = ["no", "other", "192.0.2.10", "502", "240", "feed_in"]
INVERTER_SAID = ["192.0.2.11", "502", "1", "roof", "10000", "abc", "no"]
REST_SAID = ["no", "no", "no", "no", "yes", "localhost", "1883", "no"]
ALL_SAID = [*SITE_SAID, *AGREEMENT_SAID, *METER_SAID, *INVERTER_SAID, *REST_SAID]


def typed(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def test_questions_answered_on_a_terminal_become_a_site_yaml(tmp_path: Path) -> None:
    done = setup(tmp_path, said=typed(ALL_SAID))
    assert done.exit_code == 0, done.output
    site = load(tmp_path / "site.yaml", {})
    assert (site.inverters[0].id, site.inverters[0].rated_w, site.batteries) == ("roof", 10000, ())
    assert not site.control.enabled


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["powerwall", "192.0.2.20", "powerwall.txt"],
            {"driver": "powerwall", "password_file": "powerwall.txt"},
        ),
        (["solar_api", "192.0.2.20"], {"driver": "solar_api"}),
    ],
)
def test_a_meter_by_http_is_asked_for_its_place_and_a_file_with_its_password(
    tmp_path: Path, lines: list[str], expected: dict[str, str]
) -> None:
    (tmp_path / "powerwall.txt").write_text("hush")
    said = [*SITE_SAID, *AGREEMENT_SAID, METER_SAID[0], *lines, *INVERTER_SAID, *REST_SAID]
    done = setup(tmp_path, said=typed(said))
    assert done.exit_code == 0, done.output
    meter = load(tmp_path / "site.yaml", {}).meter.model_dump()
    assert {**meter, "host": "192.0.2.20", **expected} == meter


def test_a_gateways_password_is_not_taken_into_site_yaml(tmp_path: Path) -> None:
    meter = {"driver": "powerwall", "host": "192.0.2.20", "password": "hunter2"}
    done = setup(tmp_path, "--answers", str(answered(tmp_path, {**TOWN, "meter": meter})))
    assert done.exit_code == 2
    assert "password_file" in done.output
    assert "hunter2" not in done.output


def test_a_wrong_answer_is_asked_again_with_what_is_wrong(tmp_path: Path) -> None:
    lines = [*SITE_SAID[:1], "Adelaide", *SITE_SAID[1:], "5", *AGREEMENT_SAID, *ALL_SAID[6:]]
    done = setup(tmp_path, said=typed(lines))
    assert done.exit_code == 0, done.output
    assert "no such time zone; for example Australia/Adelaide" in done.output
    assert "did you mean 5000?" in done.output


def test_batteries_and_what_else_makes_power_must_be_answered(tmp_path: Path) -> None:
    lines = [*SITE_SAID, *AGREEMENT_SAID, *METER_SAID, *INVERTER_SAID, "", "maybe", *REST_SAID]
    done = setup(tmp_path, said=typed(lines))
    assert done.exit_code == 0, done.output
    assert "nobody guesses this" in done.output


def test_a_battery_another_roof_the_distributor_and_a_tariff_are_asked_for(tmp_path: Path) -> None:
    rest = ["yes", "wall", "5000", "never", "no", "yes", "old-roof", "3000", "may", "no"]
    rest += [
        "yes",
        "",
        "no",
        "yes",
        "10:00",
        "15:00",
        "1500",
        "Sun tax",
        "no",
        "yes",
        "localhost",
        "1883",
        "no",
    ]
    done = setup(tmp_path, said=typed([*SITE_SAID, *AGREEMENT_SAID, *METER_SAID, *INVERTER_SAID, *rest]))
    assert done.exit_code == 0, done.output
    site = load(tmp_path / "site.yaml", {})
    assert (site.batteries[0].exports, site.uncontrolled[0].rated_w) == ("never", 3000)
    assert site.sources["csip"].fallback is not None
    assert site.sources["csip"].fallback.export_limit_w == 1500
    assert site.tariff is not None
    assert site.tariff.windows[0].name == "Sun tax"


UTILITY = ["http://x", "https://utility.example", "", "", "", "28547", "111116", "111115", "41020000000"]


def test_the_utility_server_is_asked_for_and_its_pin_checked(tmp_path: Path) -> None:
    rest = ["no", "no", "yes", "", "yes", *UTILITY, "no", "yes", "localhost", "1883", "no"]
    devices = [*SITE_SAID, *AGREEMENT_SAID, *METER_SAID, *INVERTER_SAID]
    done = setup(tmp_path, said=typed([*devices, *rest]))
    assert done.exit_code == 0, done.output
    assert "must begin with https://" in done.output
    assert "check digit does not fit" in done.output
    csip = load(tmp_path / "site.yaml", {}).csip
    assert csip is not None
    assert (csip.server, csip.pen, csip.pin, csip.nmi) == (UTILITY[1], 28547, 111115, "41020000000")
    assert csip.key == str(tmp_path / "csip" / "device.key")


def test_without_its_source_the_csip_section_goes() -> None:
    text = "sources:\n  csip: {kind: obligation}\ncsip:\n  pen: 1\n"
    assert "csip" not in changed_text(text, {"sources": {}})


def test_a_serial_port_is_asked_for_its_speed(tmp_path: Path) -> None:
    inverter = ["/dev/ttyUSB0", "19200", "e", "1", "1", "roof", "10000", "abc", "no"]
    done = setup(tmp_path, said=typed([*SITE_SAID, *AGREEMENT_SAID, *METER_SAID, *inverter, *REST_SAID]))
    assert done.exit_code == 0, done.output
    line = load(tmp_path / "site.yaml", {}).inverters[0].serial
    assert line is not None
    assert (line.port, line.baudrate, line.parity) == ("/dev/ttyUSB0", 19200, "E")


def test_an_end_of_the_input_writes_nothing_and_says_how_it_goes_without_a_terminal(tmp_path: Path) -> None:
    done = setup(tmp_path, said=typed(SITE_SAID))
    assert done.exit_code == 1
    assert "--answers FILE" in done.output
    assert not (tmp_path / "site.yaml").exists()


def test_a_second_run_offers_what_stands_and_a_no_at_the_end_changes_nothing(tmp_path: Path) -> None:
    assert setup(tmp_path, said=typed(ALL_SAID)).exit_code == 0
    path = tmp_path / "site.yaml"
    before = path.read_text()
    again = ["", "", "", "6000", *[""] * 2, "no", *[""] * 6, *[""] * 9, "no", "no", *[""] * 6]
    done = setup(tmp_path, said=typed([*again, "no"]))
    assert "-  export_limit_w: 5000" in done.output, done.output
    assert done.exit_code == 1
    assert path.read_text() == before
    done = setup(tmp_path, said=typed([*again, "yes"]))
    assert done.exit_code == 0, done.output
    assert load(path, {}).agreement.export_limit_w == 6000


def test_a_second_run_keeps_an_inverter_behind_mqtt_as_it_is(tmp_path: Path) -> None:
    barn: dict[str, Any] = {
        "id": "barn",
        "driver": "mqtt",
        "rated_w": 5000,
        "topic": "barn/power",
        "fields": {"power_w": "p"},
        "command": {"topic": "barn/limit", "payload": '{"limit": ${limit_w}}'},
    }
    meter = {**TOWN["meter"], "location": "feed_in"}
    answers = {**TOWN, "site": {**TOWN["site"], "phases": 3}, "meter": meter, "inverters": [barn]}
    assert setup(tmp_path, "--answers", str(answered(tmp_path, answers))).exit_code == 0
    path = tmp_path / "site.yaml"
    before = load(path, {}).inverters
    again = ["", "", "", "6000", *[""] * 2, "no", *[""] * 6, *[""] * 6, "no", "no", *[""] * 6]
    done = setup(tmp_path, said=typed([*again, "yes"]))
    assert done.exit_code == 0, done.output
    assert load(path, {}).agreement.export_limit_w == 6000
    assert load(path, {}).inverters == before


@pytest.mark.integration
def test_what_scan_finds_is_offered(stack: Any, tmp_path: Path) -> None:
    stack.start("site_simulator")
    stack.wait_for_port("127.0.0.2", stack.inverter_port)
    stack.config = tmp_path / "new.yaml"
    ports = f"{stack.meter_port} {stack.inverter_port}"
    lines = [*SITE_SAID, *AGREEMENT_SAID, "yes", "127.0.0.1 127.0.0.2", ports, "1", "feed_in"]
    lines += ["yes", "roof", "", "abc", "no", *REST_SAID]
    done = stack.run("setup", stdin=typed(lines))
    assert done.returncode == 0, done.stdout + done.stderr
    site = load(stack.config, {})
    assert isinstance(site.meter, SunSpecMeter)
    assert address_of(site.meter) == TcpAddress("127.0.0.1", stack.meter_port)
    assert address_of(site.inverters[0]) == TcpAddress("127.0.0.2", stack.inverter_port)
    assert site.inverters[0].rated_w == 10000
