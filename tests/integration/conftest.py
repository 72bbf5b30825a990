"""Whole stacks of real processes: they need a broker and a minute each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from bench.stack import CONTROL, Stack, stack
from bench.trouble.case import LIMIT_W, LOAD_W, Case, measure
from bench.trouble.table import find
from bench.trouble.targets import targets_of
from tests.integration.composed import IMAGE, ROOT, VERSION, run

Holds = Callable[..., None]

# these tests remove their own containers: testcontainers' helper, one more image to fetch, is not needed
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")


@pytest.fixture
def site() -> Iterator[Stack]:
    """A running site of one 10 kW inverter, settled at its export limit of 5 kW."""
    with stack(export_limit_w=LIMIT_W, load_w=LOAD_W) as running:
        running.start(CONTROL)
        Case(running, LIMIT_W, brief=True).settle()
        yield running


@pytest.fixture
def holds() -> Holds:
    """`holds("meter-dies")`: every figure of these rows of the fault table keeps its must, with short waits."""
    return _holds


def _holds(*rows: str) -> None:
    targets = [target for row in rows for target in targets_of(row)]
    figures = measure(find(rows[0]), brief=True)
    measured = {(figure.scenario, figure.metric): figure.value for figure in figures}
    assert set(measured) == {(target.row, target.metric) for target in targets}
    assert {
        (target.row, target.metric, f"{value:.2f} {target.unit}, must {target.must:g}")
        for target in targets
        if target.must is not None and (value := measured[(target.row, target.metric)]) > target.must
    } == set()


@pytest.fixture(scope="session")
def image() -> str:
    """The image of this checkout, built here; a test that uses it carries `needs("docker")`."""
    build = ["docker", "compose", "--file", str(ROOT / "deploy/compose.yaml"), "build", "init"]
    run(*build, env={"DYNEXPORT_VERSION": VERSION}, seconds=600.0)
    return IMAGE
