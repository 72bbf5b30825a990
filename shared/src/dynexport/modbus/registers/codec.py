"""Numbers and text in 16-bit registers. Pure."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from dynexport.modbus.registers.model import Kind, Register, WordOrder

FORMATS: dict[Kind, str] = {
    "uint16": ">H", "int16": ">h", "uint32": ">I", "int32": ">i", "uint64": ">Q", "int64": ">q", "float32": ">f",
}  # fmt: skip
REGISTERS: dict[Kind, int] = {
    "uint16": 1, "int16": 1, "uint32": 2, "int32": 2, "uint64": 4, "int64": 4, "float32": 2,
}  # fmt: skip


def size(register: Register) -> int:
    """How many registers it takes."""
    return register.count or 1 if register.type == "string" else REGISTERS[register.type]


def unsigned(words: Sequence[int], order: WordOrder) -> int:
    """The registers as one unsigned number, as `absent`, `on` and `equals` name it."""
    number = 0
    for word in words if order == "big" else reversed(words):
        number = number << 16 | word
    return number


def decode(words: Sequence[int], kind: Kind, order: WordOrder) -> float | None:
    """The number; None for a float that is none."""
    value: float = struct.unpack(FORMATS[kind], _bytes(words, order))[0]
    return value if math.isfinite(value) else None


def text(words: Sequence[int]) -> str | None:
    """ASCII, two letters a register; None when empty."""
    letters = _bytes(words, "big").split(b"\x00")[0].decode("ascii", "replace")
    return letters.strip() or None


def encode(value: float, kind: Kind, order: WordOrder) -> list[int]:
    """The registers of a number; raises ValueError when it does not fit."""
    try:
        data = struct.pack(FORMATS[kind], value if kind == "float32" else int(value))
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{value} does not fit into {kind}") from error
    words = list(struct.unpack(f">{len(data) // 2}H", data))
    return words if order == "big" else words[::-1]


def _bytes(words: Sequence[int], order: WordOrder) -> bytes:
    return struct.pack(f">{len(words)}H", *(words if order == "big" else reversed(words)))
