"""The file whose age a container's health check looks at."""

from __future__ import annotations

import os
from pathlib import Path

from dynexport.watchdog import TICK_FILE, TickFile


def age_by(path: Path, seconds: float) -> float:
    """Make a file older; returns its new time."""
    at = path.stat().st_mtime - seconds
    os.utime(path, (at, at))
    return at


def test_the_tick_file_is_touched_at_most_once_a_second(tmp_path: Path) -> None:
    path, said = tmp_path / "ticked", list[str]()
    file = TickFile({TICK_FILE: str(path)}, said.append)
    file.tick(100.0)
    old = age_by(path, 50.0)
    file.tick(100.9)
    assert path.stat().st_mtime == old
    file.tick(101.0)
    assert path.stat().st_mtime > old
    assert said == []


def test_without_the_variable_no_file_is_touched() -> None:
    said = list[str]()
    TickFile({}, said.append).tick(100.0)
    assert said == []


def test_a_tick_file_that_cannot_be_touched_is_said_once_and_ends_nothing(tmp_path: Path) -> None:
    said = list[str]()
    file = TickFile({TICK_FILE: str(tmp_path / "no" / "ticked")}, said.append)
    file.tick(100.0)
    file.tick(102.0)
    assert len(said) == 1
    assert "DYNEXPORT_TICK_FILE" in said[0]
    assert "No such file" in said[0]
