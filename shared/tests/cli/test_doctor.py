"""`doctor` on real brokers with real services, and the report that may be shown to anybody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dynexport.cli.main import application

ALL = ("site_simulator", "meter_reader", "inverter_writer", "limit_engine")


def rows(said: str) -> list[tuple[str, str]]:
    """(verdict, sentence) of each finding."""
    found = [line.partition(" ") for line in said.splitlines()]
    return [(word, rest.strip()) for word, _, rest in found if word in ("ok", "doubt", "wrong")]


def settled(stack: Any) -> None:
    stack.start(*ALL)
    for name in ("limit-engine", "inverter-writer", "meter-reader", "site-simulator"):
        stack.wait_for(f"service/{name}/health")
    stack.wait_for("inverter/roof/capability")
    while json.loads(stack.wait_for("inverter/roof/control"))["state"] != "following":
        pass


@pytest.mark.integration
def test_a_site_behind_an_access_list_is_examined_by_round_trip_and_from_what_its_owners_publish(
    secured: Any,
) -> None:
    settled(secured)
    done = secured.run("doctor")
    found = rows(done.stdout)
    assert done.returncode in (0, 1), done.stdout
    said = [sentence for verdict, sentence in found if verdict == "ok"]
    for words in (
        "user owner may write requests, and hears them",
        "user owner is refused where only limit-engine may write",
        "the broker's access list is that of this version",
        "not readable by everybody",
        "limit-engine: it runs",
        "meter: it says",
        "roof: it makes",
        "roof: it is rated 10000 W",
        "limits: mode normal",
    ):
        assert any(words in sentence for sentence in said), (words, done.stdout)
    doubts = [sentence for verdict, sentence in found if verdict == "doubt"]
    assert any("holds its last limit for ever when Dynexport dies" in sentence for sentence in doubts)
    secured.config.write_text(secured.config.read_text().replace("load_w: 2000", "load_w: 2500"))
    assert "site.yaml was changed after inverter-writer, limit-engine" in secured.run("doctor").stdout
    assert "doubt: site.yaml was changed after" in secured.run("check").stdout
    assert "site.yaml was changed after" in secured.run("watch", "--once").stdout


@pytest.mark.integration
def test_an_open_broker_without_services_is_told_and_the_probe_leaves_nothing_behind(stack: Any) -> None:
    done = stack.run("doctor")
    assert done.returncode == 2
    assert ("wrong", "services: no service of this site runs") in rows(done.stdout)
    assert "this broker has no access list" in done.stdout
    with pytest.raises(AssertionError):
        stack.wait_for("#", within_s=1.5)


@pytest.mark.integration
def test_enable_says_of_an_inverter_what_doctor_says(stack: Any) -> None:
    stack.site["control"] = {"enabled": False}
    stack.write()
    stack.start("site_simulator", "inverter_writer")
    stack.wait_for("inverter/roof/capability")
    words = "holds its last limit for ever when Dynexport dies: nobody lowers it when the house uses less"
    assert f"roof {words}" in stack.run("enable", stdin="n\n").stdout
    assert f"roof: it {words}" in stack.run("doctor").stdout


@pytest.mark.integration
def test_a_login_that_the_broker_refuses_is_told_and_the_local_checks_are_done(secured: Any) -> None:
    done = secured.run("doctor", DYNEXPORT__MQTT__USERNAME="owner", DYNEXPORT__MQTT__PASSWORD="no")
    assert done.returncode == 2
    assert "refuses our login" in done.stdout
    assert any(sentence.startswith("clock:") for _, sentence in rows(done.stdout))


def test_without_a_broker_the_local_checks_are_done_and_it_says_so(stack: Any) -> None:
    stack.site["mqtt"] = {"host": "127.0.0.1", "port": 1}
    stack.write()
    done = stack.run("doctor")
    assert done.returncode == 2
    assert "everything that needs it was left out" in done.stdout
    assert [sentence.partition(":")[0] for _, sentence in rows(done.stdout)] == [
        "site.yaml",
        "clock",
        "broker",
    ]


def test_a_site_yaml_that_cannot_be_used_is_told_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("site: {}\n")
    done = CliRunner().invoke(application(), ["doctor", "--config", str(path)])
    assert done.exit_code == 2
    assert "site.time_zone: is missing" in done.output


def test_a_report_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("mine\n")
    done = CliRunner().invoke(application(), ["doctor", "--report", str(path), "--config", str(path)])
    assert done.exit_code == 2
    assert path.read_text() == "mine\n"


SECRETS = (
    'pa"ss-in-a-file',
    "token-of-mine-77",
    "key-in-the-environment",
    "meter.hidden.lan",
    "7E1F2A3B",
    "5 Sunny St",
)


@pytest.mark.integration
def test_no_secret_of_settings_environment_or_files_stands_in_a_report(secured: Any) -> None:
    secured.site["site"] = {**secured.site["site"], "name": "5 Sunny St"}
    secured.site["meter"] = {
        "driver": "mqtt",
        "topic": "shelly-7E1F2A3B/em",
        "fields": {"power_w": "p"},
    }
    secured.write()
    secured.start("site_simulator", "inverter_writer", "limit_engine")
    secured.wait_for("inverter/roof/capability")
    password = (secured.directory / "access" / "secrets" / "owner").read_text()
    file = secured.directory / "report.txt"
    done = secured.run("doctor", "--report", str(file), MY_API_TOKEN=SECRETS[1], DYNEXPORT_KEY=SECRETS[2])
    text = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    for section in (
        "## Findings",
        "## Settings",
        "## The last 3 messages",
        "inverter/roof/reading",
        "dynexport:",
    ):
        assert section in text, done.stdout + done.stderr
    for secret in (*SECRETS, password, "127.0.0.2"):
        assert secret not in text


@pytest.mark.integration
def test_a_report_of_a_broker_that_is_away_hides_hosts_and_passwords_in_files(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(SECRETS[0] + "\n")
    lines = [
        "site: {name: 5 Sunny St, time_zone: Australia/Perth}",
        "mqtt: {host: 192.0.2.77, port: 1, username: jane-doe, password_file: mine.txt}",
        "agreement: {export_limit_w: 5000, failsafe_export_limit_w: 1500}",
        "meter: {driver: sunspec, tcp: {host: meter.hidden.lan}, unit: 240}",
        "inverters: [{id: roof, driver: sunspec, tcp: {host: 2001:db8::17}, rated_w: 10000}]",
    ]
    path, file = tmp_path / "site.yaml", tmp_path / "report.txt"
    path.write_text("\n".join(lines))
    done = CliRunner().invoke(application(), ["doctor", "--report", str(file), "--config", str(path)])
    assert done.exit_code == 2
    text = file.read_text()
    assert "Australia/Perth" in text
    for secret in (*SECRETS, 'pa\\"ss-in-a-file', "192.0.2.77", "jane-doe", "2001:db8::17"):
        assert secret not in text


def test_a_report_of_a_site_yaml_that_cannot_be_used_holds_no_secret_of_it(tmp_path: Path) -> None:
    path, file = tmp_path / "site.yaml", tmp_path / "report.txt"
    path.write_text("site: {}\nmqtt: {pasword: hunter22, host: nas.hidden.lan}\n")
    done = CliRunner().invoke(application(), ["doctor", "--report", str(file), "--config", str(path)])
    assert done.exit_code == 2
    text = file.read_text()
    assert "site.time_zone: is missing" in text
    assert "hunter22" not in text
    assert "hidden" not in text
