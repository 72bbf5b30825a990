"""Every shipped device has its row where an owner looks, and adding one takes a data file and a test, no code."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynexport.docs.devices_page import inverter_row
from dynexport.modbus.registers.catalogue import SHIPPED, description, names

ROOT = Path(__file__).resolve().parents[2]
CODE = [
    path
    for folder in ("shared/src", "services", "bench")
    for path in (ROOT / folder).rglob("*.py")
    if "site_simulator" not in path.parts and "tests" not in path.parts and path.name != "makes.py"
]
INVERTERS = [name for name in names() if description(name).kind == "inverter"]


@pytest.mark.parametrize("name", INVERTERS)
def test_an_inverter_has_its_row_in_the_writers_readme(name: str) -> None:
    """Scope, watchdog, what it does when we die, whether it persists, confidence."""
    assert inverter_row(name, description(name)) in (ROOT / "services/inverter-writer/README.md").read_text()


def test_no_code_knows_a_make_by_name() -> None:
    """So that a data file is all that another one takes."""
    knowing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in CODE
        for name in names()
        if f'"{name}"' in path.read_text()
    ]
    assert knowing == []


def test_every_description_says_its_evidence_and_what_it_is_for() -> None:
    for path in SHIPPED.glob("*.yaml"):
        found = description(path.stem)
        assert path.read_text().startswith("# ")
        assert found.models
        assert found.evidence
