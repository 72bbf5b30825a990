"""Reads the programs of one function set assignment in one burst: list, controls, default, program by program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from csip_client.controls import control, default
from csip_client.fetch import Failure, Fetcher, Refused
from csip_client.model import Control, Default, Mode, Program
from csip_client.wire import resources as r
from csip_client.wire.document import Node, WireError
from csip_client.wire.read import der_program, poll_rate

HAS_NONE = (204, 404)


@dataclass(frozen=True, slots=True)
class Content:
    """A program with its controls as they were read last."""

    program: Program
    controls: tuple[Control, ...] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    """`warn` is told what could not be read, in words; `set_max_w` is the base of opModMaxLimW, watts."""

    fetch: Fetcher
    device: str
    set_max_w: float
    warn: Callable[[str], None]

    def read(self, href: str, before: Mapping[str, Content]) -> tuple[int, list[Content]]:
        """The list's pollRate, and each program's content: what fails keeps its last one and lets the others in.

        Raises what `get_list` raises when the list itself cannot be read.
        """
        first, nodes = self.fetch.get_list(href)
        listed = [der_program(node) for node in nodes]
        return poll_rate(first), [self._content(each, before.get(_id(each))) for each in listed]

    def _content(self, listed: r.DERProgram, before: Content | None) -> Content:
        known = before.program.default if before else None
        program = Program(self.device, _id(listed), listed.primacy, known)
        controls, unreadable = self._controls(listed, program, before.controls if before else ())
        stated = self._default(listed, known)
        if unreadable:  # not even what or when: until it can be read, the fallback holds
            values = {**(stated.values if stated else {}), Mode.UNKNOWN: True}
            stated = Default(values, stated.grad_pct_per_s if stated else None)
        return Content(replace(program, default=stated), controls)

    def _controls(
        self, listed: r.DERProgram, program: Program, before: tuple[Control, ...]
    ) -> tuple[tuple[Control, ...], bool]:
        if listed.DERControlListLink is None:
            return (), False
        try:
            _, nodes = self.fetch.get_list(listed.DERControlListLink)
        except Failure as error:
            self._may_end_the_walk(error)
            self.warn(f"the controls of {program.id} keep their last content: {error}")
            return tuple(replace(each, primacy=listed.primacy) for each in before), False
        found = [self._control(node, program) for node in nodes]
        return tuple(each for each in found if each is not None), None in found

    def _control(self, node: Node, program: Program) -> Control | None:
        try:
            return control(
                node,
                device=self.device,
                program=program.id,
                primacy=program.primacy,
                set_max_w=self.set_max_w,
                version=self.fetch.version,
            )
        except WireError as error:
            self.warn(f"a control of {program.id} cannot be read, the fallback holds: {error}")
            return None

    def _default(self, listed: r.DERProgram, before: Default | None) -> Default | None:
        """404, 204 and an empty body mean that the program has none; any other failure keeps the last one."""
        if listed.DefaultDERControlLink is None:
            return None
        try:
            node = self.fetch.get(listed.DefaultDERControlLink)
            return None if node is None else default(node, self.set_max_w, self.fetch.version)
        except Refused as error:
            if error.status in HAS_NONE:
                return None
            self.warn(f"the default of {_id(listed)} keeps its last content: {error}")
        except Failure as error:
            self.warn(f"the default of {_id(listed)} keeps its last content: {error}")
        return before

    @staticmethod
    def _may_end_the_walk(error: Exception) -> None:
        """A server that asks for patience gets it: the rest of the burst waits, too."""
        if isinstance(error, Refused) and error.status == 429:
            raise error


def _id(listed: r.DERProgram) -> str:
    return listed.mRID or listed.href or f"primacy {listed.primacy}"
