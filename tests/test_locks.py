"""The lock files: hashed, free of addresses, in agreement with each other and with the packages."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
RUN = "requirements.lock"
DEV = "requirements-dev.lock"
INDEPENDENT = "requirements-independent.lock"
each_lock = pytest.mark.parametrize("lock", [RUN, DEV, INDEPENDENT])


def entries(lock: str) -> list[str]:
    """Each requirement of a lock file as one line, its hashes included."""
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def pins(lock: str) -> dict[str, set[str]]:
    """Package name -> its versions; more than one where markers tell them apart."""
    found: dict[str, set[str]] = {}
    for line in entries(lock):
        match = re.match(r"([\w.-]+)==([\w.!+]+)", line)
        assert match, line
        found.setdefault(canonicalize_name(match[1]), set()).add(match[2])
    return found


def asked_for(source: Path) -> list[Requirement]:
    """What a pyproject.toml or a .in file asks for, local packages left out."""
    if source.suffix == ".toml":
        lines = tomllib.loads(source.read_text())["project"].get("dependencies", [])
    else:
        lines = [line for line in source.read_text().splitlines() if line and not line.startswith("#")]
    return [wanted for line in lines if not (wanted := Requirement(line)).name.startswith("dynexport")]


@each_lock
def test_each_requirement_of_a_lock_has_hashes(lock: str) -> None:
    assert len(entries(lock)) > 10
    assert [line for line in entries(lock) if not re.search(r"--hash=sha256:[0-9a-f]{64}", line)] == []


@each_lock
def test_a_lock_names_no_index_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert re.findall(r"^\s*-\S+", text.replace("    --hash", ""), re.MULTILINE) == []
    assert "://" not in text


def test_the_development_lock_holds_the_runtime_lock() -> None:
    development = pins(DEV)
    assert {name: found for name, found in pins(RUN).items() if development.get(name) != found} == {}


def test_the_runtime_lock_satisfies_what_the_packages_ask_for() -> None:
    projects = [*ROOT.glob("shared/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")]
    wanted = [each for source in [*projects, ROOT / "requirements-build.in"] for each in asked_for(source)]
    assert len(wanted) > 10
    assert unsatisfied(wanted, pins(RUN)) == []


@pytest.mark.parametrize("lock", [DEV, INDEPENDENT])
def test_a_lock_for_testing_satisfies_what_the_tests_ask_for(lock: str) -> None:
    wanted = asked_for((ROOT / lock).with_suffix(".in"))
    assert wanted
    assert unsatisfied(wanted, pins(lock)) == []


def unsatisfied(wanted: list[Requirement], locked: dict[str, set[str]]) -> list[str]:
    def held(requirement: Requirement) -> bool:
        versions = locked.get(canonicalize_name(requirement.name), set())
        return bool(versions) and all(version in requirement.specifier for version in versions)

    return [str(requirement) for requirement in wanted if not held(requirement)]


def test_running_needs_fewer_than_60_packages() -> None:
    assert len(pins(RUN)) < 60
