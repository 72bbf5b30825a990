"""The rules of the house: who may import whom, what a service is made of, and what no file may name."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SERVICES = sorted(path.parent for path in ROOT.glob("services/*/pyproject.toml"))
PACKAGES = {service.name.replace("-", "_") for service in SERVICES}

BUS = "shared/src/dynexport/bus.py"
MODBUS = "shared/src/dynexport/modbus/"
SIMULATOR = "services/site-simulator/src/site_simulator/adapters/"
OWNERS = {
    "paho": (BUS, "examples/"),
    "pymodbus": (MODBUS, SIMULATOR),
    "sunspec2": (MODBUS, SIMULATOR),
    "serial": (MODBUS,),
}

each_service = pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)


def repository() -> list[Path]:
    """Every file that is or could be committed, relative to the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted({Path(name) for name in names if name and (ROOT / name).is_file()})


def python_files(under: str) -> list[Path]:
    return [path for path in repository() if path.suffix == ".py" and path.as_posix().startswith(under)]


def imports(path: Path) -> Iterator[str]:
    """The full names that a module imports from elsewhere; a relative import is its own package's."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def imported_packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def lines_with(pattern: re.Pattern[str]) -> Iterator[tuple[Path, str, re.Match[str]]]:
    """Each match in each text file of the repository, as (file, "file:line: text", match)."""
    for path in repository():
        text = (ROOT / path).read_bytes().decode(errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            for match in pattern.finditer(line):
                yield path, f"{path}:{number}: {line.strip()[:120]}", match


def test_the_house_has_its_five_services() -> None:
    names = {service.name for service in SERVICES}
    assert names >= {"inverter-writer", "limit-engine", "meter-reader", "site-simulator", "tariff-limits"}


@each_service
def test_a_service_imports_no_other_service_and_its_tests_simulators_only(service: Path) -> None:
    others = PACKAGES - {service.name.replace("-", "_")}
    simulators = {name for name in others if name.endswith("_simulator")}
    files = python_files(f"services/{service.name}/")
    assert files
    for path in files:
        forbidden = others - simulators if "tests" in path.parts else others
        assert imported_packages(path) & forbidden == set(), path


def test_shared_imports_no_service() -> None:
    files = python_files("shared/")
    assert files
    assert {path: found for path in files if (found := imported_packages(path) & PACKAGES)} == {}


@pytest.mark.parametrize("package", OWNERS)
def test_a_foreign_protocol_package_has_one_owner(package: str) -> None:
    users = [path for path in repository() if path.suffix == ".py" and package in imported_packages(path)]
    assert any(path.as_posix().startswith(OWNERS[package][0]) for path in users)
    allowed = [path for path in users if path.as_posix().startswith(OWNERS[package]) or "tests" in path.parts]
    assert [path for path in users if path not in allowed] == []


@each_service
def test_a_service_loads_the_command_line_packages_in_its_verbs_only(service: Path) -> None:
    files = [path for path in python_files(f"services/{service.name}/src/") if path.name != "verbs.py"]
    heavy = {"typer", "rich"}
    assert {path: found for path in files if (found := imported_packages(path) & heavy)} == {}


@each_service
def test_a_service_has_its_parts(service: Path) -> None:
    package = service.name.replace("-", "_")
    parts = ["README.md", f"src/{package}/__init__.py", f"src/{package}/__main__.py", "tests"]
    assert [part for part in parts if not (service / part).exists()] == []
    assert list(service.glob("tests/**/test_*.py"))
    main = (service / f"src/{package}/__main__.py").read_text().splitlines()
    assert len(main) <= 20


def test_no_file_names_the_address_of_a_package_registry() -> None:
    hosts = [
        "pypi" + r"\.org",
        "pythonhosted" + r"\.org",
        "registry" + r"\.(npmjs|yarnpkg)",
        "static" + r"\.crates\.io",
    ]
    debian = r"(deb|ftp[\w.]*|security|snapshot|archive|cdn[\w-]*)" + r"\.debian\.org"
    pattern = re.compile("|".join([*hosts, debian, "archive" + r"\.ubuntu\.com", "proxy" + r"\.golang\.org"]))
    assert [where for _, where, _ in lines_with(pattern)] == []


def test_only_ci_reaches_outside_the_repository() -> None:
    by_name = re.compile("shared" + r"/(engine|hooks|design)\b")
    upwards = re.compile(r"((?:\.\./)+)" + "shared/")
    found = {path for path, _, _ in lines_with(by_name)}
    found |= {path for path, _, match in lines_with(upwards) if match[1].count("../") >= len(path.parts)}
    assert found <= {Path(".ci/run")}


def test_each_target_of_the_makefile_says_what_it_is_for() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)[0].split())
    assert targets == set(re.findall(r"^([a-z-]+):.*## \w", text, re.MULTILINE))
