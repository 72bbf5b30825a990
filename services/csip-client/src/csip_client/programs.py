"""Reads the programs of one function set assignment in one burst: list, controls, default, program by program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from csip_client.adapters.http import Unreachable, Unusable
from csip_client.controls import control, default
from csip_client.fetch import Failure, Fetcher, Refused
from csip_client.model import Control, Default, Mode, Program
from csip_client.wire import resources as r
from csip_client.wire.document import Node, WireError
from csip_client.wire.read import der_program, poll_rate

HAS_NONE = (204, 404)
MOST_SILENT = 3


@dataclass(frozen=True, slots=True)
class Content:
    """A program with its controls as they were read last."""

    program: Program
    controls: tuple[Control, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """One burst: the list's pollRate in seconds, each program's content, and what ended the burst early.

    `unread`: an entry could not be read that is none of those known before, so that nothing missing is withdrawn.
    """

    rate_s: int
    contents: list[Content]
    ended_by: Unreachable | Refused | None = None
    unread: bool = False


class _Ended(Exception):
    """Nothing more is asked in this burst."""


@dataclass(slots=True)
class Reader:
    """`warn` is told what could not be read, in words; `set_max_w` gives the base of opModMaxLimW, watts."""

    fetch: Fetcher
    device: str
    set_max_w: Callable[[], float]
    warn: Callable[[str], None]
    _silent: int = 0
    _ended_by: Unreachable | Refused | None = None

    def read(self, href: str, before: Mapping[str, Content]) -> Read:
        """What stands there now: what fails keeps its last content and lets the others in.

        A server that asks for patience (429), or lets a third request of a burst hang, is asked no more for now: the
        rest keeps its last content, too. Raises what `get_list` raises when the list itself cannot be read.
        """
        first, nodes = self.fetch.get_list(href, "DERProgramList")
        listed, odd = self._listed(href, nodes)
        self._silent, self._ended_by = 0, None
        contents = [self._content(each, before.get(_id(each))) for each in listed]
        names = {_id(each) for each in listed}
        missing = {name: content for name, content in before.items() if name not in names}
        unread = not odd <= missing.keys()
        kept = [content for name, content in missing.items() if unread or name in odd]
        return Read(poll_rate(first), contents + kept, self._ended_by, unread)

    def _listed(self, href: str, nodes: Sequence[Node]) -> tuple[list[r.DERProgram], set[str | None]]:
        """The entries that can be read, and the names of those that cannot, None where not even that."""
        listed: list[r.DERProgram] = []
        odd: set[str | None] = set()
        for node in nodes:
            try:
                listed.append(der_program(node))
            except WireError as error:
                self.warn(f"an entry of {href} cannot be read, what it held stays: {error}")
                odd.add(node.word("mRID") or node.attributes.get("href"))
        return listed, odd

    def _content(self, listed: r.DERProgram, before: Content | None) -> Content:
        program = Program(self.device, _id(listed), listed.primacy)
        controls, unreadable = self._controls(listed, program, before.controls if before else ())
        stated, read = self._default(
            listed, before.program if before else replace(program, default_read=False)
        )
        if unreadable:  # not even what or when: until it can be read, the fallback holds
            values = {**(stated.values if stated else {}), Mode.UNKNOWN: True}
            stated = Default(values, stated.grad_pct_per_s if stated else None)
        return Content(replace(program, default=stated, default_read=read), controls)

    def _controls(
        self, listed: r.DERProgram, program: Program, before: tuple[Control, ...]
    ) -> tuple[tuple[Control, ...], bool]:
        if listed.DERControlListLink is None:
            return (), False
        try:
            self._go_on()
            _, nodes = self.fetch.get_list(listed.DERControlListLink, "DERControlList")
        except (*Failure, _Ended) as error:
            self._failed(f"the controls of {program.id}", error)
            return tuple(replace(each, primacy=listed.primacy) for each in before), False
        found = [self._control(node, program) for node in nodes]
        return tuple(each for each in found if each is not None), None in found

    def _control(self, node: Node, program: Program) -> Control | None:
        try:
            found = control(
                node,
                device=self.device,
                program=program.id,
                primacy=program.primacy,
                set_max_w=self.set_max_w(),
                version=self.fetch.version,
            )
        except WireError as error:
            self.warn(f"a control of {program.id} cannot be read, the fallback holds: {error}")
            return None
        if Mode.UNKNOWN in found.values:
            self.warn(f"control {found.mrid} asks for something that we do not know: the fallback holds, too")
        return found

    def _default(self, listed: r.DERProgram, before: Program) -> tuple[Default | None, bool]:
        """And whether it was ever read: 404, 204 and an empty body are none, any other failure keeps the last one."""
        if listed.DefaultDERControlLink is None:
            return None, True
        try:
            self._go_on()
            node = self.fetch.get(listed.DefaultDERControlLink)
            found = None if node is None else default(node, self.set_max_w(), self.fetch.version)
        except (*Failure, _Ended) as error:
            if isinstance(error, Refused) and error.status in HAS_NONE:
                return None, True
            self._failed(f"the default of {_id(listed)}", error)
            return before.default, before.default_read
        if found is not None and Mode.UNKNOWN in found.values:
            self.warn(
                f"the default of {_id(listed)} has something that we do not know: the fallback holds, too"
            )
        return found, True

    def _go_on(self) -> None:
        if self._ended_by is not None:
            raise _Ended("not asked in this burst")

    def _failed(self, what: str, error: Exception) -> None:
        self.warn(f"{what} keep their last content: {error}")
        if isinstance(error, Unreachable) and not isinstance(error, Unusable):
            self._silent += 1
        patience = isinstance(error, Refused) and error.status == 429
        if isinstance(error, (Unreachable, Refused)) and (patience or self._silent >= MOST_SILENT):
            self._ended_by = error


def _id(listed: r.DERProgram) -> str:
    return listed.mRID or listed.href or f"primacy {listed.primacy}"
