"""Which version the server speaks, and where its device capability is: the well-known file, else the setting."""

from __future__ import annotations

import json
from collections.abc import Callable

from csip_client.adapters.http import Http
from csip_client.fetch import MOVED_OR_GONE, refused
from csip_client.wire.document import V1_2, V1_3, Version, WireError

WELL_KNOWN = "/.well-known/csipaus"


def resolve(http: Http, wanted: str, dcap_path: str, now: Callable[[], float]) -> tuple[Version, str]:
    """The version and the device capability's address. `wanted` is `auto`, `1.2` or `1.3`.

    Only a plain "not there" means 1.2: raises Unreachable or Refused for anything else, so that it is tried again.
    """
    if wanted == "1.2":
        return V1_2, dcap_path
    reply = http.request("GET", WELL_KNOWN, None, "application/json")
    if 200 <= reply.status < 300:
        found = _listed(reply.body, V1_3.namespace)
        if found is not None:
            return V1_3, found
    elif reply.status not in MOVED_OR_GONE:
        raise refused("GET", WELL_KNOWN, reply, now())
    return (V1_3 if wanted == "1.3" else V1_2), dcap_path


def _listed(body: bytes, namespace: str) -> str | None:
    """The first address under exactly this version; an empty list is none. Raises WireError for no such file."""
    try:
        versions = json.loads(body)["supportedSchemaVersions"]
        paths = versions.get(namespace, {}).get("dcap", [])
        if not isinstance(paths, list):
            raise TypeError(f"dcap of {namespace} is no list")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WireError(f"{WELL_KNOWN} cannot be read: {error}") from error
    return next((path for path in paths if isinstance(path, str) and path), None)
