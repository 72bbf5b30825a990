"""Sense checks of endpoints that are shared: one word for each, and a port of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dynexport.settings.base import Share
from dynexport.settings.problems import Problem
from dynexport.settings.shape import Location, dotted, value_at
from dynexport.settings.source import Source

Bus = tuple[str, str]
DEFAULTS = {"host": Share.model_fields["host"].default, "units": []}
HERE = ("localhost", "::1")
PORT_HINT = "each shared endpoint needs a port that nothing else here listens on"


@dataclass(frozen=True, slots=True)
class _Shared:
    place: Location
    name: str
    bus: Bus
    words: dict[str, Any]


def sharing(devices: Sequence[tuple[Location, str, Bus]], source: Source) -> Iterator[Problem]:
    """Doubts about `share`, from each device's place, its kind (`tcp` or `serial`) and its bus."""
    shared = list(_shared(devices, source))
    yield from _agreement(shared, source)
    yield from _ports(shared, source)
    yield from _taken(shared, [bus for _, kind, bus in devices if kind == "tcp"], source)


def _shared(devices: Sequence[tuple[Location, str, Bus]], source: Source) -> Iterator[_Shared]:
    for place, kind, bus in devices:
        at = (*place, kind, "share")
        words = value_at(source.data, at)
        if isinstance(words, dict):
            yield _Shared(at, dotted(place), bus, {**DEFAULTS, **words})


def _agreement(shared: Sequence[_Shared], source: Source) -> Iterator[Problem]:
    """An endpoint is shared in one way."""
    first: dict[Bus, _Shared] = {}
    for one in shared:
        other = first.setdefault(one.bus, one)
        if one.words != other.words:
            yield source.problem(
                one.place,
                f"the same endpoint is shared differently at {other.name}",
                hint="say it at one of the devices only, or the same at each",
            )


def _ports(shared: Sequence[_Shared], source: Source) -> Iterator[Problem]:
    first: dict[str, _Shared] = {}
    for one in shared:
        port = str(one.words.get("port"))
        other = first.setdefault(port, one)
        if other.bus != one.bus:
            message = f"another endpoint is shared on this port at {other.name}"
            yield source.problem((*one.place, "port"), message, value=port, hint=PORT_HINT)


def _taken(shared: Sequence[_Shared], buses: Sequence[Bus], source: Source) -> Iterator[Problem]:
    """A device, such as a simulated one, that listens on this very machine."""
    for one in shared:
        port = str(one.words.get("port"))
        own = {*HERE, str(one.words.get("host"))}
        if any(taken == port and (host in own or host.startswith("127.")) for host, taken in buses):
            message = "a device of this file answers on that port of this machine"
            yield source.problem((*one.place, "port"), message, value=port, hint=PORT_HINT)
