"""What is wrong with the file itself, before any setting is looked at."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from ruamel.yaml.nodes import Node

from dynexport.settings.load import ConfigError, load, masked

from .conftest import GOOD, SiteFile


def test_both_of_each_duplicate_key_are_named_by_line(site_file: SiteFile) -> None:
    first, second = site_file.add("mqtt: {host: b}\n").put("unit: 240", "unit: 240, unit: 1").problems()
    assert (first.line, first.hint) == (6, "keep one of the two: the other is on line 6")
    assert (second.line, second.hint) == (11, "keep one of the two: the other is on line 2")


def test_a_tab_is_named_with_its_line_and_spaces_asked_for(site_file: SiteFile) -> None:
    problem = site_file.put("  export_limit_w", "\texport_limit_w").problem()
    assert (problem.line, problem.hint) == (4, "indent with spaces, never with tabs")


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("site: {name: [\n", 2, "is not YAML"),
        ("site: {}\n---\nmqtt: {}\n", 2, "is not YAML"),
        ("site: *nowhere\n", 1, "is not YAML"),
        ("site: &a [*a]\n", 1, "holds itself"),
        ("a: &a {b: 1}\nc:\n  <<: *a\n", 3, "must be named by a word"),
        ("? [a]\n: 1\n", 1, "must be named by a word"),
        ("site: !secret x\n", 1, "cannot be read"),
        ("site: 2026-13-45\n", 1, "cannot be read"),
        ("%YAML 1.1\n---\nsite: 10:00\n", 3, "cannot be read"),
        ("", None, "is empty"),
        ("# nothing yet\n", None, "is empty"),
        ("null\n", None, "is empty"),
        ("- a\n", None, "must be settings"),
        ("hello\n", None, "must be settings"),
        (b"site: \xff\n", None, "is not text in UTF-8"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(
    site_file: SiteFile, text: str | bytes, line: int | None, sentence: str
) -> None:
    problem = site_file.write(text).problem()
    assert problem.line == line
    assert problem.message.startswith(sentence)


def test_a_byte_order_mark_is_no_mistake(site_file: SiteFile) -> None:
    assert site_file.write(b"\xef\xbb\xbf" + GOOD.encode()).load().site.name == "Home"


def test_an_alias_stands_for_what_it_names(site_file: SiteFile) -> None:
    site_file.put("tcp: {host: 192.0.2.10}", "tcp: &there {host: 192.0.2.10}")
    site = site_file.put("tcp: {host: 192.0.2.11}", "tcp: *there").load()
    assert site.meter_behind_inverter


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_the_file_is_named_by_argument_else_by_the_environment_else_it_is_here(
    site_file: SiteFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(GOOD.replace("Home", "Other"))
    env = {"DYNEXPORT_CONFIG": str(other)}
    assert load(site_file.path, env).site.name == "Home"
    assert load(None, env).site.name == "Other"
    monkeypatch.chdir(tmp_path)
    assert load(None, {}).site.name == "Home"


def test_nothing_of_the_yaml_tree_outlives_the_reading(site_file: SiteFile) -> None:
    site = site_file.load()
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, Node)]
    assert site.site.name == "Home"


def test_a_password_is_stars_in_what_is_published(site_file: SiteFile) -> None:
    site = site_file.put("host: localhost", "username: me, password: 'hush'").load()
    assert masked(site)["mqtt"]["password"] == "**********"
    assert "hush" not in repr(site)


def test_the_state_folder_lies_beside_site_yaml_unless_its_path_is_absolute(site_file: SiteFile) -> None:
    folder = site_file.path.parent
    assert site_file.load().site.state_dir == str(folder / "state")
    assert site_file.load({"DYNEXPORT__SITE__STATE_DIR": "mine"}).site.state_dir == str(folder / "mine")
    assert site_file.load({"DYNEXPORT__SITE__STATE_DIR": "/var/lib/d"}).site.state_dir == "/var/lib/d"


def test_a_state_folder_that_is_no_text_is_a_mistake(site_file: SiteFile) -> None:
    assert site_file.put("name: Home", "name: Home, state_dir: 5").problem().key == "site.state_dir"
