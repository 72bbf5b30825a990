"""A device's registers as they are, for a bug report: the whole SunSpec chain, or a range. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dynexport.modbus.endpoint import Endpoint, ModbusError, NoConnection, Refused, Unreachable
from dynexport.modbus.sunspec import Block, chain, find_base

AT_ONCE = 100  # many devices refuse the 125 of the standard


@dataclass(frozen=True, slots=True)
class Piece:
    """Registers that stand together, or why they could not be read; `block` is the model that they are."""

    address: int
    count: int
    registers: tuple[int, ...] = ()
    trouble: str = ""
    block: Block | None = None


@dataclass(frozen=True, slots=True)
class Dump:
    """What came back, in order; `trouble` says why it ends before the end."""

    pieces: tuple[Piece, ...]
    base: int | None = None
    trouble: str = ""


def whole_chain(endpoint: Endpoint, unit: int) -> Dump:
    """Every model of a unit; raises NotSunSpec without a map, Unreachable when nothing answers."""
    base, pieces = find_base(endpoint, unit), []
    try:
        for block in chain(endpoint, unit, base):
            pieces.append(_model(endpoint, unit, block))
    except ModbusError as error:
        return Dump(tuple(pieces), base, str(error))
    return Dump(tuple(pieces), base)


def _model(endpoint: Endpoint, unit: int, block: Block) -> Piece:
    try:
        registers = endpoint.read_holding(unit, block.address, block.length)
    except NoConnection:
        raise
    except ModbusError as error:
        return Piece(block.address, block.length, trouble=str(error), block=block)
    return Piece(block.address, block.length, registers, block=block)


def span(endpoint: Endpoint, unit: int, first: int, last: int, *, inputs: bool) -> Dump:
    """The registers `first` to `last`; where a part is refused, its halves are asked until what exists is read.

    Raises Unreachable when nothing answers at all.
    """
    pieces: list[Piece] = []
    for start in range(first, last + 1, AT_ONCE):
        count = min(AT_ONCE, last + 1 - start)
        try:
            pieces += _parts(endpoint, unit, start, count, inputs)
        except Unreachable as error:
            if not pieces:
                raise
            return Dump(_joined(pieces), trouble=str(error))
    return Dump(_joined(pieces))


def _parts(endpoint: Endpoint, unit: int, start: int, count: int, inputs: bool) -> Iterator[Piece]:
    read = endpoint.read_input if inputs else endpoint.read_holding
    try:
        yield Piece(start, count, read(unit, start, count))
    except Refused as error:
        if count == 1:
            yield Piece(start, 1, trouble=f"refused with exception {error.code}")
            return
        half = count // 2
        yield from _parts(endpoint, unit, start, half, inputs)
        yield from _parts(endpoint, unit, start + half, count - half, inputs)


def _joined(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Neighbours that went the same way are one piece."""
    joined: list[Piece] = []
    for piece in pieces:
        before = joined[-1] if joined else None
        if before and before.trouble == piece.trouble:
            joined[-1] = Piece(
                before.address, before.count + piece.count, before.registers + piece.registers, piece.trouble
            )
        else:
            joined.append(piece)
    return tuple(joined)
