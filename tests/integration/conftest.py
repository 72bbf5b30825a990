"""Whole stacks of real processes: they need a broker and a minute each."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from bench.stack import CONTROL, Stack, stack
from tests.integration.composed import IMAGE, ROOT, VERSION, run

# these tests remove their own containers: testcontainers' helper, one more image to fetch, is not needed
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")

EXPORT_LIMIT_W, FAILSAFE_W, LOAD_W = 5000.0, 1500.0, 3000.0


@pytest.fixture
def site() -> Iterator[Stack]:
    """A running site of one 10 kW inverter, settled at its export limit of 5 kW."""
    with stack(export_limit_w=EXPORT_LIMIT_W, load_w=LOAD_W) as running:
        running.start(CONTROL)
        running.wait(15.0)
        yield running


@pytest.fixture(scope="session")
def image() -> str:
    """The image of this checkout, built here; a test that uses it carries `needs("docker")`."""
    build = ["docker", "compose", "--file", str(ROOT / "deploy/compose.yaml"), "build", "init"]
    run(*build, env={"DYNEXPORT_VERSION": VERSION}, seconds=600.0)
    return IMAGE
