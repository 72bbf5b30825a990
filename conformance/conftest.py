"""Collected only where `cactus-test-definitions` is installed (Python 3.12 or newer): `make conformance`.

Results become docs/conformance.md (`--page=write`), or are compared with it when every procedure was run.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "conformance.md"
THERE = find_spec("cactus_test_definitions") is not None
collect_ignore_glob = [] if THERE else ["test_*.py"]
OUTCOMES = pytest.StashKey[dict[str, bool]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--page", choices=["write", "check"], default="check", help="docs/conformance.md")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[OUTCOMES] = {}
    config.pluginmanager.register(Recorder(config), "conformance-page")


class Recorder:
    """Hears each result; only the process that leads the others writes."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._outcomes: dict[str, bool] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if "test_procedure[" in report.nodeid:
            case = report.nodeid.partition("[")[2].removesuffix("]")
            self._outcomes[case] = self._outcomes.get(case, True) and report.passed

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(self._config, "workerinput") or not THERE:
            return
        from conformance.page import cases, page

        if set(self._outcomes) != set(cases()):
            return
        text = page(self._outcomes)
        if self._config.getoption("--page") == "write":
            PAGE.write_text(text)
        elif not PAGE.exists() or PAGE.read_text() != text:
            print(f"\n{PAGE} is stale: type make conformance, then commit")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
