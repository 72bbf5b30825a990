"""A `site.yaml` that was changed after a service read it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dynexport.settings.changes import EVERY_S, UNREADABLE, WatchedFile, digest
from dynexport.testing.builders import SITE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "site.yaml"
    YAML().dump({**SITE, "mqtt": {"host": "127.0.0.1", "password": "first"}}, file)
    return file


def test_a_comment_changes_no_setting(path: Path) -> None:
    before = digest(path)
    path.write_text("# mine\n" + path.read_text())
    assert digest(path) == before


def test_a_setting_changes_the_digest_and_a_secret_does_not(path: Path) -> None:
    before = digest(path)
    path.write_text(path.read_text().replace("first", "second"))
    assert digest(path) == before
    path.write_text(path.read_text().replace("5000", "4000"))
    assert digest(path) != before


def test_a_file_that_is_no_yaml_or_gone_is_unreadable(path: Path) -> None:
    path.write_text("site: [")
    assert digest(path) == UNREADABLE
    path.unlink()
    assert digest(path) == UNREADABLE


def test_a_change_is_told_once_and_not_before_the_next_look(path: Path) -> None:
    watched = WatchedFile(path)
    assert not watched.changed(0.0)
    path.write_text(path.read_text().replace("5000", "4000 "))
    assert not watched.changed(EVERY_S - 1.0)
    assert watched.changed(EVERY_S)
    assert not watched.changed(2 * EVERY_S)
    path.unlink()
    assert watched.changed(3 * EVERY_S)


def test_a_change_that_is_taken_back_is_none(path: Path) -> None:
    watched = WatchedFile(path)
    text = path.read_text()
    assert not watched.changed(0.0)
    path.write_text(text + "\n# touched\n")
    assert not watched.changed(EVERY_S)
    path.write_text(text)
    assert not watched.changed(2 * EVERY_S)
