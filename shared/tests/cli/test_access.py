"""`init` and `user` as they are typed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dynexport.access import PEOPLE, SERVICES, verifies
from dynexport.access.passwords import read_passwords
from dynexport.broker import HOST, free_port
from dynexport.testing.builders import SITE

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    YAML().dump({**SITE, "mqtt": {"host": HOST, "port": free_port()}}, path)
    return path


def dynexport(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dynexport.cli", *words, "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_init_makes_the_users_beside_site_yaml_and_shows_no_password(config: Path) -> None:
    done = dynexport(config, "init")
    secrets = {path.name: path.read_text() for path in (config.parent / "access" / "secrets").iterdir()}
    assert done.returncode == 0
    assert set(secrets) == {*SERVICES, *PEOPLE}
    assert "passwords for meter-reader" in done.stdout
    assert not [name for name, password in secrets.items() if password in done.stdout + done.stderr]


def test_init_again_says_that_there_is_nothing_to_do(config: Path, tmp_path: Path) -> None:
    place = str(tmp_path / "elsewhere")
    dynexport(config, "init", place)
    done = dynexport(config, "init", place)
    assert done.returncode == 0
    assert "nothing to do" in done.stdout


def test_an_owner_that_this_machine_does_not_know_is_refused(config: Path) -> None:
    done = dynexport(config, "init", "--broker-owner", "nobody-here:1")
    assert done.returncode == 2
    assert "no such user or group" in done.stderr
    assert not (config.parent / "access").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_broker_s_files_and_the_secrets_go_to_their_owners_and_stay_theirs(config: Path) -> None:
    dynexport(config, "init", "--broker-owner", "1883:1884", "--secrets-owner", "10001:10001")
    dynexport(config, "user", "add", "shed", "--may-write", "limit/shed")
    place = config.parent / "access"
    owners = {str(one.relative_to(place)): (one.stat().st_uid, one.stat().st_gid) for one in place.rglob("*")}
    assert {owner for name, owner in owners.items() if name.startswith("mosquitto")} == {(1883, 1884)}
    assert {owner for name, owner in owners.items() if name.startswith("secrets")} == {(10001, 10001)}


def test_user_add_prints_the_password_once_and_how_to_tell_the_broker(config: Path) -> None:
    dynexport(config, "init")
    done = dynexport(config, "user", "add", "shed", "--may-write", "limit/shed", "--may-read", "active")
    password = next(line for line in done.stdout.splitlines() if line.startswith("password: ")).split()[1]
    passwd = config.parent / "access" / "mosquitto" / "passwd"
    assert done.returncode == 0
    assert verifies(password, read_passwords(passwd.read_text(), "passwd")["shed"])
    assert "limit/shed: site.yaml does not list it under `sources`" in done.stderr
    assert "cannot be reached from here" in done.stderr
    assert "systemctl reload mosquitto" in done.stderr


def test_user_list_shows_who_may_do_what_and_no_password(config: Path) -> None:
    dynexport(config, "init")
    dynexport(config, "user", "add", "shed", "--may-write", "limit/shed")
    said = dynexport(config, "user", "list").stdout
    assert "shed (yours)\n  writes dynexport/limit/shed\n  reads  nothing" in said
    assert "observer (ours)\n  writes nothing\n  reads  dynexport/#" in said
    assert not [one for one in (config.parent / "access" / "secrets").iterdir() if one.read_text() in said]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("add", "shed", "--may-write", "setpoint/roof"), "only limit-engine may write this"),
        (("add", "owner", "--may-write", "limit/shed"), "one of our own users"),
        (("add", "shed"), "say what it may do"),
        (("remove", "shed"), "no user shed was added"),
        (("remove", "owner"), "one of our own users"),
    ],
)
def test_what_cannot_be_done_is_said_with_exit_code_2(
    config: Path, words: tuple[str, ...], expected: str
) -> None:
    dynexport(config, "init")
    done = dynexport(config, "user", *words)
    assert done.returncode == 2
    assert expected in done.stderr.replace("\n", " ")


def test_without_init_user_says_what_to_type(config: Path) -> None:
    done = dynexport(config, "user", "list")
    assert done.returncode == 2
    assert "dynexport init" in done.stderr


def test_the_script_ends_with_its_broker_and_with_its_status(tmp_path: Path) -> None:
    (tmp_path / "mosquitto").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "mosquitto").chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "DYNEXPORT_BROKER": str(tmp_path)}
    run = subprocess.run([str(REPOSITORY / "mosquitto" / "run")], env=env, timeout=20, check=False)
    assert run.returncode == 3
