"""The folder of users: made once, kept, changed."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from dynexport.access import (
    PEOPLE,
    SERVICES,
    AccessError,
    add_user,
    as_user,
    environment,
    folder_of,
    prepare,
    remove_user,
    users,
    verifies,
)
from dynexport.access.passwords import read_passwords
from dynexport.settings.load import load
from dynexport.settings.models import Site
from dynexport.testing.builders import site

OURS = {*SERVICES, *PEOPLE}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "access"
    prepare(place, site())
    return place


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def hashes(folder: Path) -> dict[str, str]:
    return read_passwords((folder / "mosquitto" / "passwd").read_text(), "passwd")


def other_root() -> Site:
    return site(mqtt={"host": "x", "root": "other"})


def test_every_user_of_ours_gets_a_password_of_its_own_and_its_hash(folder: Path) -> None:
    secrets = {name: (folder / "secrets" / name).read_text() for name in OURS}
    assert len(set(secrets.values())) == len(OURS)
    assert {name for name in OURS if verifies(secrets[name], hashes(folder)[name])} == OURS


def test_nobody_else_may_read_what_is_secret_whatever_the_umask(folder: Path) -> None:
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert (modes[folder / "mosquitto"], modes[folder / "secrets"]) == (0o700, 0o700)


def test_preparing_again_changes_nothing(folder: Path) -> None:
    before = contents(folder)
    done = prepare(folder, site())
    assert (done.made, done.changed, done.taken_away) == ((), (), ())
    assert contents(folder) == before


def test_another_root_changes_the_acl_and_no_password(folder: Path) -> None:
    add_user(folder, site(), "shed", may_write=["limit/shed"])
    before = contents(folder)
    assert prepare(folder, other_root()).changed == ("mosquitto/acl",)
    after = contents(folder)
    assert "topic write other/limit/shed" in after.pop("mosquitto/acl")
    assert before.pop("mosquitto/acl")
    assert after == before


def test_a_service_whose_secret_is_gone_gets_a_new_password(folder: Path) -> None:
    (folder / "secrets" / "limit-engine").unlink()
    assert prepare(folder, site()).made == ("limit-engine",)
    assert verifies((folder / "secrets" / "limit-engine").read_text(), hashes(folder)["limit-engine"])


def test_an_owner_who_took_the_secret_away_keeps_the_password(folder: Path) -> None:
    before = hashes(folder)
    (folder / "secrets" / "owner").unlink()
    done = prepare(folder, site())
    assert (done.made, done.taken_away) == ((), ("owner",))
    assert hashes(folder) == before
    assert not (folder / "secrets" / "owner").exists()


def test_the_broker_s_file_that_is_gone_is_made_again_from_the_secrets(folder: Path) -> None:
    secrets = {name: text for name, text in contents(folder).items() if name.startswith("secrets/")}
    (folder / "mosquitto" / "passwd").unlink()
    assert prepare(folder, site()).made == ()
    assert secrets.items() <= contents(folder).items()
    assert verifies(secrets["secrets/owner"], hashes(folder)["owner"])


def test_a_user_that_is_added_has_a_password_that_is_kept_nowhere(folder: Path) -> None:
    password = add_user(folder, site(), "shed", may_write=["limit/shed"], may_read=["active"])
    assert verifies(password, hashes(folder)["shed"])
    assert not [name for name, text in contents(folder).items() if password in text]
    allowed = users(folder, site())["shed"]
    assert (allowed.writes, allowed.reads) == (("dynexport/limit/shed",), ("dynexport/active",))
    assert "user shed\n" in (folder / "mosquitto" / "acl").read_text()


def test_adding_the_same_user_twice_is_refused_and_changes_nothing(folder: Path) -> None:
    add_user(folder, site(), "shed", may_write=["limit/shed"])
    before = contents(folder)
    with pytest.raises(AccessError, match="is there already"):
        add_user(folder, site(), "shed", may_write=["limit/other"])
    assert contents(folder) == before


def test_removing_a_user_leaves_everything_as_it_was_before_it_came(folder: Path) -> None:
    before = contents(folder)
    add_user(folder, site(), "shed", may_write=["limit/shed"])
    remove_user(folder, site(), "shed")
    assert contents(folder) == before


@pytest.mark.parametrize(("name", "words"), [("owner", "one of our own"), ("shed", "no user shed was added")])
def test_what_was_not_added_is_not_removed(folder: Path, name: str, words: str) -> None:
    with pytest.raises(AccessError, match=words):
        remove_user(folder, site(), name)


def test_a_folder_that_was_not_prepared_is_said_with_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="holds no users yet: `dynexport init "):
        add_user(tmp_path / "nowhere", site(), "shed", may_write=["limit/shed"])
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("text", ["[", "[]", '{"shed": {}}', '{"shed": []}'])
def test_a_spoilt_list_of_users_is_named_and_nothing_is_overwritten(folder: Path, text: str) -> None:
    (folder / "users.json").write_text(text)
    before = contents(folder)
    with pytest.raises(AccessError, match=r"users\.json is not as `user add` wrote it"):
        prepare(folder, site())
    assert contents(folder) == before


def test_a_service_is_given_its_name_and_its_password_file(folder: Path, tmp_path: Path) -> None:
    given = environment(folder, "limit-engine")
    example = Path(__file__).resolve().parents[3] / "docs" / "site.example.yaml"
    mqtt = load(example, given).mqtt
    assert mqtt.username == "limit-engine"
    assert mqtt.password is not None
    assert mqtt.password.get_secret_value() == (folder / "secrets" / "limit-engine").read_text()
    assert environment(tmp_path / "nowhere", "limit-engine") == {}


def test_the_owner_signs_in_by_the_folder_unless_site_yaml_names_a_user(folder: Path, tmp_path: Path) -> None:
    found = as_user(site().mqtt, folder, "owner")
    assert found.username == "owner"
    assert found.password is not None
    assert found.password.get_secret_value() == (folder / "secrets" / "owner").read_text()
    named = site(mqtt={"host": "x", "username": "me"}).mqtt
    assert as_user(named, folder, "owner") == named
    assert as_user(site().mqtt, tmp_path / "nowhere", "owner") == site().mqtt


def test_the_folder_is_beside_site_yaml_unless_the_environment_says_where(tmp_path: Path) -> None:
    config = tmp_path / "site.yaml"
    assert folder_of(config, {}) == tmp_path / "access"
    assert folder_of(config, {"DYNEXPORT_ACCESS": "/run/users"}) == Path("/run/users")
