"""Documents as the server writes them: both namespaces declared, extension elements prefixed `csipaus`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

SEP = "urn:ieee:std:2030.5:ns"


@dataclass(frozen=True, slots=True)
class Version:
    """What differs between the versions of CSIP-AUS on the wire."""

    name: str
    namespace: str
    media_type: str


V1_2 = Version("1.2", "https://csipaus.org/ns", "application/sep+xml")
V1_3 = Version("1.3", "https://csipaus.org/ns/v1.3", "application/sep+xml; csipaus=1.3")


def document(root: str, version: Version, inside: str, attributes: Mapping[str, str] | None = None) -> bytes:
    """A whole document."""
    named = "".join(f" {key}={quoteattr(value)}" for key, value in (attributes or {}).items())
    spaces = f' xmlns="{SEP}" xmlns:csipaus="{version.namespace}"'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}{spaces}{named}>{inside}</{root}>'.encode()
