"""Writes of a described device: which registers, in which order, and only where something changes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dynexport.clock import Clock, SystemClock
from dynexport.modbus.endpoint import Endpoint
from dynexport.modbus.registers import codec
from dynexport.modbus.registers.model import Description, Write

Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Request:
    """One write request."""

    address: int
    words: tuple[int, ...]
    single: bool
    only_if_different: bool
    after_changes: bool
    wait_s: float


def requests(writes: Sequence[Write], values: Values, description: Description) -> list[Request]:
    """The requests of a sequence: neighbours in one, which the device takes together. Limits are rounded down."""
    made: list[Request] = []
    for write in writes:
        order = write.word_order or description.word_order
        words = tuple(codec.encode(_raw(write, values), write.type, order))
        request = Request(
            write.address, words, write.single, write.only_if_different, write.after_changes, write.wait_s
        )
        if made and _joins(made[-1], request):
            made[-1] = replace(request, address=made[-1].address, words=made[-1].words + words)
        else:
            made.append(request)
    return made


class Writer:
    """Sends sequences; raises ModbusError."""

    def __init__(
        self, endpoint: Endpoint, unit: int, description: Description, clock: Clock | None = None
    ) -> None:
        self._endpoint = endpoint
        self._unit = unit
        self._description = description
        self._clock = clock or SystemClock()
        self._uncommitted = False

    def send(self, writes: Sequence[Write], values: Values, *, only_if_different: bool = False) -> None:
        """All of a sequence, in its order; one that broke off before its commit is committed by the next."""
        sequence = requests(writes, values, self._description)
        commits = any(request.after_changes for request in sequence)
        changed = commits and self._uncommitted
        for request in sequence:
            if request.after_changes and not changed:
                continue
            careful = (only_if_different or request.only_if_different) and not request.after_changes
            if careful and self._stands(request):
                continue
            self._uncommitted = self._uncommitted or commits
            self._send(request)
            changed = True
            if request.after_changes:
                self._uncommitted = False
            if request.wait_s:
                self._clock.sleep(request.wait_s)

    def _stands(self, request: Request) -> bool:
        return self._endpoint.read_holding(self._unit, request.address, len(request.words)) == request.words

    def _send(self, request: Request) -> None:
        if request.single:
            for number, word in enumerate(request.words):
                self._endpoint.write_register(self._unit, request.address + number, word)
        else:
            self._endpoint.write_registers(self._unit, request.address, request.words)


def _raw(write: Write, values: Values) -> float:
    if not isinstance(write.value, str):
        return write.value
    steps = values[write.value] / write.scale
    return steps if write.type == "float32" else math.floor(steps + 1e-6)


def _joins(before: Request, request: Request) -> bool:
    apart = any(
        each.single or each.only_if_different or each.after_changes or each.wait_s
        for each in (before, request)
    )
    return not apart and request.address == before.address + len(before.words)
