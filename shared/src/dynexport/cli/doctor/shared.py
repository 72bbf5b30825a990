"""The endpoints that others may read, as their owners speak of them."""

from __future__ import annotations

from typing import Any

from dynexport.cli.doctor.evidence import Evidence
from dynexport.cli.doctor.finding import Finding, doubt, ok, wrong
from dynexport.modbus.proxy.sharing import shares_of
from dynexport.settings.models import Site

PORT = "is its port in use? See the event `share_failed` of its owner"
WRITER = "some program means to control this device too: switch that off there, it only costs time here"


def shared(site: Site, heard: Evidence) -> list[Finding]:
    """Each endpoint that site.yaml shares; what a service that is not there would say is told elsewhere."""
    counts: dict[str, Any] = {}
    for health, _ in heard.snapshot.health.values():
        found = health.learned.get("shared")
        counts |= found if isinstance(found, dict) else {}
    return [
        _share(str(endpoint), f"{share.host}:{share.port}", counts[str(endpoint)])
        for endpoint, share in shares_of(site.modbus_devices).items()
        if isinstance(counts.get(str(endpoint)), dict)
    ]


def _share(endpoint: str, port: str, counts: dict[str, Any]) -> Finding:
    if counts.get("open") is not True:
        return wrong("share", f"{endpoint} should be readable by others on {port}, and is not", PORT)
    clients, reads, refused = (counts.get(name, 0) for name in ("clients", "reads", "refused_writes"))
    sentence = f"{endpoint} is readable by others on {port}: {clients} connected, {reads} reads since its owner's start"
    if refused:
        return doubt("share", f"{sentence}, {refused} writes refused", WRITER)
    return ok("share", sentence)
