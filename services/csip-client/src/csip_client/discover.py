"""A look over the server as this client sees it, as lines of a tree. Nothing is posted, put or registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from csip_client.controls import control, default
from csip_client.fetch import MOVED_OR_GONE, Failure, Refused
from csip_client.model import Values
from csip_client.registration import Identity
from csip_client.wire import resources as r
from csip_client.wire.document import Node, Version, WireError
from csip_client.wire.read import (
    connection_point_id,
    der,
    der_program,
    device_capability,
    end_device,
    function_set_assignments,
    list_head,
    mirror_usage_point,
    poll_rate,
    registration,
    time,
)


class Reads(Protocol):
    """The half of a Fetcher that only asks."""

    version: Version

    def get(self, href: str) -> Node | None:
        """A document."""
        ...

    def get_list(self, href: str) -> tuple[Node, list[Node]]:
        """A whole list."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the tree; `doubt`: it is not as csip-client needs it."""

    depth: int
    text: str
    doubt: bool = False


class Discovery:
    """`wall` is this machine's clock, seconds; `set_max_w` the base of opModMaxLimW."""

    def __init__(self, fetch: Reads, who: Identity, set_max_w: float, wall: Callable[[], float]) -> None:
        self._fetch = fetch
        self._who = who
        self._set_max_w = set_max_w
        self._wall = wall

    def lines(self, dcap: str) -> Iterator[Line]:
        """Everything below the device capability at `dcap`. A resource that fails is said, the others are read."""
        try:
            node = self._fetch.get(dcap)
            if node is None:
                raise WireError("an empty device capability")
            found = device_capability(node)
        except Failure as error:
            yield Line(0, f"device capability {dcap}: {error}", doubt=True)
            return
        yield Line(
            0, f"device capability {dcap}: CSIP-AUS {self._fetch.version.name}, {_every(found.pollRate)}"
        )
        yield from self._guarded(1, "time", found.TimeLink, self._time)
        device: list[r.EndDevice] = []
        yield from self._guarded(
            1, "end devices", found.EndDeviceListLink, lambda at: self._devices(at, device)
        )
        if device:
            yield from self._below(device[0])
            yield from self._guarded(1, "mirror usage points", found.MirrorUsagePointListLink, self._mirrors)

    def _guarded(
        self, depth: int, name: str, href: str | None, read: Callable[[str], Iterator[Line]]
    ) -> Iterator[Line]:
        """What `read` finds; a missing link and a failure are lines of their own."""
        if href is None:
            yield Line(depth, f"{name}: the server gives no link to it", doubt=True)
            return
        try:
            yield from read(href)
        except Failure as error:
            yield Line(depth, f"{name} {href}: {error}", doubt=True)

    def _time(self, href: str) -> Iterator[Line]:
        before = self._wall()
        found = time(self._document(href))
        offset = found.currentTime - (before + self._wall()) / 2.0
        yield Line(
            1, f"time {href}: {offset:+.0f} s from ours, quality {found.quality}, {_every(found.pollRate)}"
        )

    def _devices(self, href: str, ours: list[r.EndDevice]) -> Iterator[Line]:
        """Ours is put into `ours` only if csip-client would go on below it."""
        first, nodes = self._fetch.get_list(href)
        yield Line(1, f"end devices {href}: {list_head(first).all} listed, {_every(poll_rate(first))}")
        devices = [end_device(node, self._fetch.version) for node in nodes if node.name == "EndDevice"]
        device = next((each for each in devices if each.lFDI == self._who.lfdi), None)
        if device is None:
            yield Line(2, f"not registered: LFDI {self._who.lfdi} is not listed", doubt=True)
            return
        yield Line(
            2, f"registered: {device.href}, {'enabled' if device.enabled else 'DISABLED'}", not device.enabled
        )
        fits = True
        for line in self._guarded(3, "registration", device.RegistrationLink, self._pin):
            fits = fits and "OTHER PIN" not in line.text
            yield line
        if device.enabled and fits:
            ours.append(device)

    def _pin(self, href: str) -> Iterator[Line]:
        found = registration(self._document(href))
        if self._who.pin is None:
            yield Line(3, "PIN: the server has one, csip.pin is not set: nothing is compared", doubt=True)
        elif found.pIN is None:
            yield Line(3, "PIN: the server gives none: nothing is compared")
        elif found.pIN == self._who.pin:
            yield Line(3, f"PIN: fits, {_every(found.pollRate)}")
        else:
            yield Line(
                3,
                "OTHER PIN: the server has another one than csip.pin: asked no further",
                True,
            )

    def _below(self, device: r.EndDevice) -> Iterator[Line]:
        if device.ConnectionPointLink is not None:
            yield from self._guarded(2, "connection point", device.ConnectionPointLink, self._point)
        yield from self._guarded(2, "DER", device.DERListLink, self._ders)
        yield from self._guarded(
            2, "function set assignments", device.FunctionSetAssignmentsListLink, self._assignments
        )

    def _point(self, href: str) -> Iterator[Line]:
        try:
            node = self._fetch.get(href)
            found = connection_point_id(node, self._fetch.version) if node else None
        except Refused as error:
            if error.status not in MOVED_OR_GONE:
                raise
            found = None
        differs = self._who.nmi is not None and found != self._who.nmi
        ending = f"; csip.nmi is {self._who.nmi}, csip-client would put it" if differs else ""
        yield Line(2, f"connection point {href}: {found or 'none yet'}{ending}")

    def _ders(self, href: str) -> Iterator[Line]:
        first, nodes = self._fetch.get_list(href)
        yield Line(2, f"DER {href}: {list_head(first).all} listed, {_every(poll_rate(first))}", not nodes)
        for node in nodes:
            yield Line(3, f"{der(node).href}")

    def _assignments(self, href: str) -> Iterator[Line]:
        first, nodes = self._fetch.get_list(href)
        count = list_head(first).all
        yield Line(
            2, f"function set assignments {href}: {count} listed, {_every(poll_rate(first))}", not nodes
        )
        for node in nodes:
            found = function_set_assignments(node)
            yield Line(3, f"assignment {found.mRID or found.href}")
            yield from self._guarded(4, "programs", found.DERProgramListLink, self._programs)

    def _programs(self, href: str) -> Iterator[Line]:
        first, nodes = self._fetch.get_list(href)
        yield Line(
            4, f"programs {href}: {list_head(first).all} listed, {_every(poll_rate(first))}", not nodes
        )
        for node in nodes:
            program = der_program(node)
            name = program.mRID or program.href or ""
            yield Line(5, f"program {name}: primacy {program.primacy}")
            yield from self._guarded(6, "default", program.DefaultDERControlLink, self._default)
            yield from self._guarded(
                6,
                "controls",
                program.DERControlListLink,
                partial(self._controls, program=name, primacy=program.primacy),
            )

    def _default(self, href: str) -> Iterator[Line]:
        try:
            node = self._fetch.get(href)
        except Refused as error:
            if error.status not in MOVED_OR_GONE:
                raise
            node = None
        found = default(node, self._set_max_w, self._fetch.version) if node else None
        yield Line(6, f"default: {_said(found.values) if found else 'none'}")

    def _controls(self, href: str, *, program: str, primacy: int) -> Iterator[Line]:
        _, nodes = self._fetch.get_list(href)
        yield Line(6, f"controls {href}: {len(nodes)}")
        for node in nodes:
            try:
                found = control(
                    node,
                    device=self._who.lfdi,
                    program=program,
                    primacy=primacy,
                    set_max_w=self._set_max_w,
                    version=self._fetch.version,
                )
            except WireError as error:
                yield Line(7, f"a control that cannot be read: {error}", doubt=True)
                continue
            status = found.status.name.lower()
            yield Line(
                7,
                f"{found.mrid}: {_said(found.values)}, {status}, from {utc(found.start)} for {found.duration} s",
            )

    def _mirrors(self, href: str) -> Iterator[Line]:
        first, nodes = self._fetch.get_list(href)
        yield Line(
            1, f"mirror usage points {href}: {list_head(first).all} listed, {_every(poll_rate(first))}"
        )
        for node in nodes:
            found = mirror_usage_point(node)
            yield Line(2, f"{found.mRID}: postRate {found.postRate} s")

    def _document(self, href: str) -> Node:
        node = self._fetch.get(href)
        if node is None:
            raise WireError("an empty answer")
        return node


def _every(rate_s: int) -> str:
    return f"poll every {rate_s} s"


def _said(values: Values) -> str:
    return ", ".join(f"{mode} {value:g}" for mode, value in values.items()) or "nothing that limits"


def utc(seconds: int) -> str:
    """A moment on the server's clock, in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%SZ}"
