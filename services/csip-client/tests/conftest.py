"""Makes this folder's helpers importable; one PKI a run; what the server drew is said where a test fails."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from csip_seed import SEED
from lane_site import Site

from dynexport.testing.pki import Pki, make_pki
from utility_simulator.tree import Program, stated, watts


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections.append(("utility server", f"DYNEXPORT_SEED={SEED} draws the same server again"))
    return report


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(params=[1, 2])
def site(request: pytest.FixtureRequest, pki: Pki, tmp_path: Path) -> Iterator[Site]:
    made = Site(pki, tmp_path, seed=request.param)
    made.utility.programs = [[Program(1, default=stated(watts("opModExpLimW", 0), 0))]]
    yield made
    made.end()
