"""Finding ourselves at the server: registered out of band or by us, the PIN compared before anything else is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from csip_client.fetch import Fetcher, Refused
from csip_client.wire import resources as r
from csip_client.wire import write
from csip_client.wire.document import Node, WireError
from csip_client.wire.read import connection_point_id, end_device, expect, registration

WAITS_FOR_THEM = (403, 404, 405)
CREATED, ALREADY_THERE = 201, 409


class Standing(StrEnum):
    """What we are to the server."""

    UNKNOWN = "unknown"
    WAITING = "waiting_for_registration"
    DISABLED = "disabled"
    PIN_MISMATCH = "pin_mismatch"
    REGISTERED = "registered"


class Registered(StrEnum):
    """What a POST EndDevice led to: new there, there already, or the server's people must do it."""

    ANEW = "anew"
    BEFORE = "before"
    BY_HAND = "by_hand"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we say that we are; `pin` None: not compared. `nmi` None: no connection point is put."""

    lfdi: str
    sfdi: int
    category: int
    pin: int | None = None
    nmi: str | None = None


def ours(
    entries: Sequence[Node], fetch: Fetcher, lfdi: str, warn: Callable[[str], None]
) -> r.EndDevice | None:
    """Our entry in the list of end devices; one of another device that cannot be read is passed over with a warning.

    Raises WireError where one that cannot be read is ours, or may be.
    """
    doubt: WireError | None = None
    for node in entries:
        try:
            device = end_device(node, fetch.version) if node.name == "EndDevice" else None
        except WireError as error:
            warn(f"an end device that is listed cannot be read: {error}")
            doubt = error if (node.word("lFDI") or lfdi).upper() == lfdi else doubt
            continue
        if device is not None and device.lFDI == lfdi:
            return device
    if doubt is not None:
        raise doubt
    return None


def register(fetch: Fetcher, href: str, who: Identity, now: int) -> Registered:
    """POST EndDevice: only 201 makes us new there. Raises Unreachable, Refused, WireError for anything else."""
    try:
        made = fetch.post(href, write.end_device(who.lfdi, who.sfdi, who.category, now, fetch.version))
    except Refused as error:
        if error.status == ALREADY_THERE:
            return Registered.BEFORE
        if error.status in WAITS_FOR_THEM:
            return Registered.BY_HAND
        raise
    return Registered.ANEW if made.status == CREATED else Registered.BEFORE


def server_pin(fetch: Fetcher, href: str) -> tuple[int | None, int]:
    """The PIN that the server has for us, check digit included, and the registration's pollRate in seconds."""
    node = fetch.get(href)
    if node is None:
        return None, r.DEFAULT_POLL_S
    found = registration(node)
    return found.pIN, found.pollRate


def put_connection_point(fetch: Fetcher, href: str, nmi: str) -> bool:
    """PUT the NMI where the server has another one, or none; whether it was put. Raises as `Fetcher.put`."""
    try:
        node = fetch.get(href)
        standing = connection_point_id(expect(node, "ConnectionPoint"), fetch.version) if node else None
    except Refused as error:
        if error.status != 404:
            raise
        standing = None
    if standing == nmi:
        return False
    fetch.put(href, write.connection_point(nmi, fetch.version))
    return True
