"""A dump as text for an issue, without what tells whose device it is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from dynexport import __version__
from dynexport.cli.doctor.redact import shortened
from dynexport.clock import rfc3339
from dynexport.modbus.definitions import PointDefinition
from dynexport.modbus.dumping import Dump, Piece
from dynexport.modbus.layout import points, scaled

FENCE = "```"
HEAD = """\
Registers read by Dynexport {version} on {now}. Serial numbers, names, addresses, places and all texts but maker,
model and version were taken out (---- in the registers). A serial number that is a plain number in registers of the
maker's own cannot be told from a reading: look before you send this.
"""
A_ROW = 8
MASK = "----"
SHOWN_TEXTS = ("Mn", "Md", "Opt", "Vr")
ADDRESS_TYPES = ("ipaddr", "ipv6addr", "eui48")
PLACES = ("Lat", "Long", "Lon")
SERIAL = "SN"
SHORTEST_TEXT = 3  # registers
SHORTEST_NUMBER = 6  # digits


def text(dump: Dump, now: datetime, title: str, place: str) -> str:
    """The whole text, fenced so that an issue shows it as it is; `place`, where the device answers, is left out."""
    serials = _serials(dump.pieces)
    lines = [FENCE, HEAD.format(version=__version__, now=rfc3339(now)), title]
    for piece in dump.pieces:
        lines += ["", *_piece(piece, serials)]
    if dump.trouble:
        lines += ["", f"it ends here: {dump.trouble}"]
    return "\n".join([*lines, FENCE, ""]).replace(place, "the device")


def _piece(piece: Piece, serials: frozenset[int]) -> Iterator[str]:
    block = piece.block
    if block is not None:
        yield f"model {block.id} at {piece.address}, {piece.count} registers"
    else:
        last = piece.address + piece.count - 1
        yield f"{piece.address}" if piece.count == 1 else f"{piece.address} to {last}"
    if piece.trouble:
        yield f"  {piece.trouble}"
        return
    laid = points(block.id, piece.registers) if block is not None else []
    yield from _rows(piece, _hidden(piece.registers, laid, serials))
    yield from _values(laid, piece.registers)


def _rows(piece: Piece, hidden: frozenset[int]) -> Iterator[str]:
    """Eight registers a line, hexadecimal; without a model's names also as plain numbers."""
    for start in range(0, piece.count, A_ROW):
        row = range(start, min(start + A_ROW, piece.count))
        line = " ".join(MASK if at in hidden else f"{piece.registers[at]:04x}" for at in row)
        if piece.block is None:
            numbers = " ".join(f"{'-' if at in hidden else piece.registers[at]:>5}" for at in row)
            line = f"{line:{5 * A_ROW}}| {numbers}"
        yield f"  {piece.address + start}: {line}"


def _values(laid: Sequence[PointDefinition], registers: tuple[int, ...]) -> Iterator[str]:
    """Each point that is implemented: its value, scaled, and the raw one where that differs."""
    everything = {point.name: point for point in laid}
    width = max((len(point.name) for point in laid), default=0)
    for point in laid:
        raw = point.decode(_own(point, registers))
        if point.type == "pad" or raw is None:
            continue
        value = scaled(point, everything, registers)
        if _private(point):
            shown = shortened(raw) if _name(point) == SERIAL and isinstance(raw, str) else "taken out"
        elif point.scale is None:
            shown = _symbol(point, raw)
        else:
            shown = f"{'no value: its scale factor makes no sense' if value is None else f'{value:g}'} (raw {raw})"
        yield f"    {point.name:{width}}  {shown}"


def _symbol(point: PointDefinition, raw: int | float | str) -> str:
    """An enumeration also by its official name."""
    names = [name for name, value in point.symbols if value == raw] if point.type.startswith("enum") else []
    return f"{raw} ({names[0]})" if names else f"{raw}"


def _own(point: PointDefinition, registers: tuple[int, ...]) -> tuple[int, ...]:
    return registers[point.offset : point.offset + point.size]


def _name(point: PointDefinition) -> str:
    return point.name.rpartition(".")[2]


def _private(point: PointDefinition) -> bool:
    if point.type == "string":
        return _name(point) not in SHOWN_TEXTS
    return point.type in ADDRESS_TYPES or _name(point) in PLACES


def _hidden(
    registers: tuple[int, ...], laid: Sequence[PointDefinition], serials: frozenset[int]
) -> frozenset[int]:
    """The places that are not shown: what is private by its definition, and whatever reads as text or as a serial."""
    shown = {at for point in laid if not _private(point) for at in _places(point) if point.type == "string"}
    hidden = {at for point in laid if _private(point) for at in _places(point)}
    hidden |= {at for at in _texts(registers) if at not in shown}
    for at in range(len(registers) - 1):
        high, low = registers[at : at + 2]
        if high << 16 | low in serials or low << 16 | high in serials:
            hidden |= {at, at + 1}
    return frozenset(hidden)


def _places(point: PointDefinition) -> range:
    return range(point.offset, point.offset + point.size)


def _texts(registers: Sequence[int]) -> Iterator[int]:
    """Places in runs of registers that hold two printable characters each, and the last one that holds one."""
    run: list[int] = []
    for at, register in enumerate((*registers, 0)):
        both = divmod(register, 256)
        if all(_printable(byte) for byte in both):
            run.append(at)
            continue
        if len(run) >= SHORTEST_TEXT:
            ends = 0 in both and any(_printable(byte) for byte in both) and at < len(registers)
            yield from [*run, at] if ends else run
        run = []


def _printable(byte: int) -> bool:
    return 0x20 <= byte < 0x7F


def _serials(pieces: Iterable[Piece]) -> frozenset[int]:
    """Serial numbers that are all digits: makers repeat them as a number in registers of their own."""
    found = [
        point.decode(_own(point, piece.registers))
        for piece in pieces
        if piece.block is not None
        for point in points(piece.block.id, piece.registers)
        if _name(point) == SERIAL
    ]
    digits = [str(serial).strip() for serial in found if serial is not None]
    return frozenset(int(word) for word in digits if word.isdecimal() and len(word) >= SHORTEST_NUMBER)
