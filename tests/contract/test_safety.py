"""docs/safety.md in both directions: its tests exist, and no fault that is tested or measured is missing there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from bench.trouble.table import ROWS as MEASURED
from bench.trouble.targets import FAULT_TARGETS, FAULTS_OF

ROOT = Path(__file__).resolve().parents[2]
ROWS = [line for line in (ROOT / "docs" / "safety.md").read_text().splitlines() if line.startswith("| ")][1:]
FAULT_TESTS = sorted(ROOT.glob("tests/integration/test_faults*.py"))

# control.md, "And through faults": each row of its table, and the rows of `make bench-faults` that measure it
CONTROL_TABLE = {
    "meter dies, then the load drops 4.5 kW": {"meter-dies"},
    "meter frozen, CT reversed": {"meter-frozen", "meter-reversed"},
    "meter dead for 150 s": {"meter-dead-150"},
    "TCP reset by meter or inverter": {"meter-reset", "inverter-reset"},
    "meter-reader killed or frozen": {"meter-reader-killed", "meter-reader-frozen"},
    "limit-engine, or inverter-writer's working process, killed or frozen": {
        "limit-engine-killed",
        "limit-engine-frozen",
        "writer-killed",
        "writer-frozen",
    },
    "inverter-writer gone, its parent too": {"writer-gone-704", "writer-gone-123"},
    "one inverter of three silent all night, back at dawn": {"inverter-silent"},
    "a limit source killed or frozen": {
        "obligation-killed",
        "obligation-frozen",
        "preference-killed",
        "preference-frozen",
    },
    "broker killed, or frozen": {"broker-killed", "broker-frozen", "broker-absent"},
    "malformed, empty or absurd payload on any topic": {"messages"},
    "registers: sentinels, scale factors, all ones": {"registers-meter", "registers-inverter"},
    "start while an obligation is silent": {"obligation-silent-at-start"},
}
ALSO = {"meter-hangs", "second-engine", "second-master", "night-two-inverters", "power-cut"}


def defined() -> set[str]:
    files = [
        *ROOT.glob("tests/**/*.py"),
        *ROOT.glob("*/tests/**/*.py"),
        *ROOT.glob("services/*/tests/**/*.py"),
    ]
    return {name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)}


def proofs(row: str) -> str:
    """The last column."""
    return row.rstrip(" |").rsplit("|", 1)[1]


def held() -> set[str]:
    """The measured rows that the fault tests assert: what they give to `holds`, an f-string once for each way."""
    rows: set[str] = set()
    for file in FAULT_TESTS:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "holds":
                words = [ast.unparse(argument).strip("f'\"") for argument in node.args]
                rows |= {word.replace("{how}", how) for word in words for how in ("killed", "frozen")}
    return rows


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:50])
def test_a_row_names_tests_that_exist(row: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", proofs(row)))
    assert named, "a promise without a test"
    assert named <= defined()


def test_no_failure_has_two_rows() -> None:
    failures = [row.split("|")[1].strip() for row in ROWS]
    assert sorted(set(failures)) == sorted(failures)


def test_every_fault_test_has_a_row() -> None:
    tests = {
        name
        for file in FAULT_TESTS
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    assert tests
    assert tests - set(re.findall(r"`(test_\w+)`", "\n".join(map(proofs, ROWS)))) == set()


def test_every_row_of_the_fault_table_is_measured_and_tested() -> None:
    wanted = ALSO.union(*CONTROL_TABLE.values())
    assert set(MEASURED) == wanted
    assert set(FAULTS_OF) == wanted
    assert {target.row for target in FAULT_TARGETS} == wanted
    assert held() == wanted


def test_every_row_of_the_fault_table_has_a_row_here_and_no_other_is_named() -> None:
    named = [name for row in ROWS for name in re.findall(r"`([a-z][a-z0-9]*(?:-[a-z0-9]+)*)`", proofs(row))]
    assert sorted(named) == sorted(ALSO.union(*CONTROL_TABLE.values()))
