"""docs/csip-rules-reports.md names only tests that exist, and each test of a rule about reports is named there."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = (HERE.parents[2] / "docs" / "csip-rules-reports.md").read_text()
DEFINED = re.compile(r"^def (test_\w+)", re.MULTILINE)
TESTS = {path.name: set(DEFINED.findall(path.read_text())) for path in HERE.glob("test_*.py")}


def test_every_rule_about_reports_names_tests_that_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 40
    assert named - set().union(*TESTS.values()) == set()
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.endswith("| test |")]
    assert [row for row in rows if "`test_" not in row] == [], "a row without a test"


def test_every_test_of_a_rule_about_reports_is_on_the_page() -> None:
    assert {name for name in TESTS["test_report_rules.py"] if f"`{name}`" not in PAGE} == set()
