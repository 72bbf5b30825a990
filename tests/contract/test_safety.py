"""docs/safety.md: every row names tests, and every test named exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = [line for line in (ROOT / "docs" / "safety.md").read_text().splitlines() if line.startswith("| ")][1:]


def defined() -> set[str]:
    files = [
        *ROOT.glob("tests/**/*.py"),
        *ROOT.glob("*/tests/**/*.py"),
        *ROOT.glob("services/*/tests/**/*.py"),
    ]
    return {name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:50])
def test_a_row_names_tests_that_exist(row: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", row))
    assert named, "a promise without a test"
    assert named <= defined()
