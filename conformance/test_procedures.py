"""Every official procedure of the classes that we claim, on each version that it is meant for."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from conformance.official import schema
from conformance.page import definitions
from conformance.procedure import Run
from conformance.scenes import SCENES, USUAL
from conformance.verdicts import excused, versions
from dynexport.testing.pki import Pki, make_pki
from utility_simulator.document import Version

CASES = [
    pytest.param(name, version, id=f"{name}-v{version.name}")
    for name, definition in definitions().items()
    if excused(definition) is None
    for version in versions(definition)
]
LONGEST_S, THREE_DAYS = 4 * 3600.0, "ALL-25-EXT"
SEED = int(os.environ.get("DYNEXPORT_SEED") or random.randrange(2**31))


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.mark.parametrize(("name", "version"), CASES)
def test_procedure(name: str, version: Version, pki: Pki, tmp_path: Path) -> None:
    definition = definitions()[name]
    scene = SCENES.get(name, USUAL)
    run = Run(definition, scene, version, schema(version.namespace))
    run.prepare(pki, tmp_path, SEED)
    faults = run.run(80 * 3600.0 if name == THREE_DAYS else LONGEST_S)
    assert not faults, f"DYNEXPORT_SEED={SEED}\n" + "\n".join(faults[:20])
