"""docs/csip-rules.md: each rule and each fault of the predecessor's control lane names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "csip-rules.md").read_text()
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and "`test_" in line]
CONTROL_LANE_FAULTS = {1, 2, 3, 11, 12, 23, *range(33, 43), 44, 45, 46}


def defined() -> set[str]:
    files = (ROOT / "services" / "csip-client" / "tests").glob("**/*.py")
    return {name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:50])
def test_a_rule_names_tests_that_exist(row: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", row))
    assert named - defined() == set()


def test_each_fault_of_the_control_lane_has_its_row() -> None:
    assert {int(number) for number in re.findall(r"^\| (\d+) \|", TEXT, re.MULTILINE)} == CONTROL_LANE_FAULTS


def test_each_test_named_after_a_fault_is_in_its_row() -> None:
    for name in defined():
        found = re.match(r"test_fault_(\d+)_", name)
        if found is not None and int(found[1]) in CONTROL_LANE_FAULTS:
            assert any(row.startswith(f"| {found[1]} |") and f"`{name}`" in row for row in ROWS), name
