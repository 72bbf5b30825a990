"""Every official procedure of the classes that we claim, on each version that it is meant for."""

from __future__ import annotations

import os
import random
from importlib.util import find_spec
from pathlib import Path

import pytest
from cactus_test_definitions.client.test_procedures import get_all_test_procedures
from utility_simulator.document import Version
from utility_simulator.pki import Pki, make_pki

from conformance.official import schema
from conformance.procedure import Run
from conformance.scenes import SCENES, USUAL
from conformance.verdicts import excused, versions

assert find_spec("py20305")
DEFINITIONS = {str(name): definition for name, definition in get_all_test_procedures().items()}
CASES = [
    pytest.param(name, version, id=f"{name}-v{version.name}")
    for name, definition in DEFINITIONS.items()
    if excused(name, definition) is None
    for version in versions(definition)
]
LONGEST_S = 4 * 3600.0
SEED = int(os.environ.get("DYNEXPORT_SEED") or random.randrange(2**31))


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.mark.parametrize(("name", "version"), CASES)
def test_procedure(
    name: str, version: Version, pki: Pki, tmp_path: Path, record_property: object
) -> None:
    definition = DEFINITIONS[name]
    scene = SCENES.get(name, USUAL)
    run = Run(definition, scene, version, schema(version))
    run.prepare(pki, tmp_path, SEED)
    faults = run.run(LONGEST_S if name != "ALL-25-EXT" else 80 * 3600.0)
    assert not faults, f"DYNEXPORT_SEED={SEED}\n" + "\n".join(faults[:20])
