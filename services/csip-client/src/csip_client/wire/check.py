"""Every body is checked against our own schema before it goes out: an invalid one fails a whole conformance run."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import xmlschema

from csip_client.wire.document import Version, WireError

FILES = ("bodies.xsd", "extension.xsd")


def check(body: bytes, version: Version) -> None:
    """Raises WireError with the place and the reason where a body breaks the schema."""
    error = next(_schema(version.namespace).iter_errors(body.decode()), None)
    if error is not None:
        raise WireError(f"a body of ours is not valid at {error.path}: {error.reason}")


@cache
def _schema(extension: str) -> xmlschema.XMLSchema:
    """Built once per version: it takes a second or two on a Raspberry Pi."""
    folder = files("csip_client.wire").joinpath("schema")
    texts = [folder.joinpath(name).read_text(encoding="utf-8") for name in FILES]
    return xmlschema.XMLSchema([text.replace("{EXTENSION}", extension) for text in texts])
