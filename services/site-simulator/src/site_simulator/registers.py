"""A sparse register map of typed values, as a maker's document lists them."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from site_simulator.adapters.server import IllegalAddress

FORMATS = {"u16": "H", "s16": "h", "u32": "I", "s32": "i", "u64": "Q", "s64": "q", "f32": "f"}
MISSING = {
    "u16": 0xFFFF, "s16": 0x8000, "u32": 0xFFFFFFFF, "s32": 0x80000000, "u64": 2**64 - 1, "s64": 2**63,
    "f32": 0x7FC00000,
}  # fmt: skip
LOW_WORD_FIRST = "-low"


@dataclass(frozen=True, slots=True)
class Register:
    """One value. `kind` is u16, s16, u32, s32, u64, s64 or f32, with `-low` where the low word comes first, or
    text of `text` registers. One unit of the raw value is `scale`. `keeps`: written, it outlives a power cut.
    """

    address: int
    kind: str
    scale: float = 1.0
    default: float | str | None = 0
    writable: bool = False
    keeps: bool = False
    text: int = 0

    @property
    def size(self) -> int:
        """How many registers it takes."""
        return self.text or struct.calcsize(FORMATS[self.plain]) // 2

    @property
    def plain(self) -> str:
        """The kind without its word order."""
        return self.kind.removesuffix(LOW_WORD_FIRST)

    def raw(self, value: float | str | None) -> list[int]:
        """The registers of a value: None is "no value"; beyond its range it is clipped."""
        if isinstance(value, str):
            data = value.encode()[: 2 * self.text].ljust(2 * self.text, b"\0")
            return list(struct.unpack(f">{self.text}H", data))
        if value is None:
            words = _words(MISSING[self.plain].to_bytes(2 * self.size, "big"))
        elif self.plain == "f32":
            words = _words(struct.pack(">f", value / self.scale))
        else:
            words = _words(self._integer(value).to_bytes(2 * self.size, "big"))
        return words[::-1] if self.kind.endswith(LOW_WORD_FIRST) else words

    def value(self, words: Sequence[int]) -> float:
        """The value of its registers."""
        ordered = words[::-1] if self.kind.endswith(LOW_WORD_FIRST) else words
        data = struct.pack(f">{self.size}H", *ordered)
        return float(struct.unpack(f">{FORMATS[self.plain]}", data)[0]) * self.scale

    def _integer(self, value: float) -> int:
        bits = 16 * self.size
        number = math.floor(value / self.scale + 0.5)
        if self.plain.startswith("s"):
            return max(-(1 << (bits - 1)) + 1, min((1 << (bits - 1)) - 1, number)) % (1 << bits)
        return max(0, min((1 << bits) - 2, number))


class RegisterMap:
    """Registers by address. A read across one that is not there is refused, and so is a write to one that may not
    be written, or of a part of one.
    """

    def __init__(self, registers: Sequence[Register]) -> None:
        self.registers = {register.address: register for register in registers}
        self._cells: dict[int, int] = {}
        self._put: set[int] = set()
        for register in registers:
            self._set(register, register.default)

    def __contains__(self, address: int) -> bool:
        return address in self._cells

    def put(self, address: int, value: float | str | None) -> None:
        """Set the value that begins at an address; None is "no value"."""
        self._put.add(address)
        self._set(self.registers[address], value)

    def get(self, address: int) -> float:
        """The value that begins at an address."""
        register = self.registers[address]
        return register.value([self._cells[address + offset] for offset in range(register.size)])

    def read(self, address: int, count: int) -> list[int]:
        """Raw registers; raises IllegalAddress."""
        try:
            return [self._cells[at] for at in range(address, address + count)]
        except KeyError:
            raise IllegalAddress(address) from None

    def parse(self, address: int, words: Sequence[int]) -> dict[int, float]:
        """The values that a write would set, by where they begin; raises IllegalAddress for one that is refused."""
        values: dict[int, float] = {}
        at = address
        while at < address + len(words):
            register = self.registers.get(at)
            if register is None or not register.writable or at + register.size > address + len(words):
                raise IllegalAddress(at)
            values[at] = register.value(words[at - address : at - address + register.size])
            at += register.size
        return values

    def write(self, address: int, words: Sequence[int]) -> None:
        """Set raw registers that `parse` has let pass."""
        self._cells.update(zip(range(address, address + len(words)), words, strict=True))

    def live(self, address: int, count: int) -> dict[int, int]:
        """Which of these raw registers show what is measured, and what "no value" is in each."""
        return {
            at + offset: word
            for at, register in self.registers.items()
            if at in self._put and at < address + count and address < at + register.size
            for offset, word in enumerate(register.raw(None))
        }

    def restart(self, *, kept_too: bool = False) -> None:
        """Every writable value that is not kept goes back to what it was delivered with; or every one at all."""
        for register in self.registers.values():
            if register.writable and (kept_too or not register.keeps):
                self._set(register, register.default)

    def _set(self, register: Register, value: float | str | None) -> None:
        for offset, word in enumerate(register.raw(value)):
            self._cells[register.address + offset] = word


def block(start: int, names: str, kind: str, scale: float = 1.0, **more: bool) -> list[Register]:
    """Values of one kind one after the other; only how many words `names` has counts, the words are for the reader."""
    size = Register(start, kind).size
    return [Register(start + size * index, kind, scale, **more) for index, _ in enumerate(names.split())]


def filled(start: int, stop: int, registers: Sequence[Register], value: float | None = 0) -> list[Register]:
    """A table without gaps from `start` up to `stop`: what is not listed is there, says `value`, means nothing."""
    listed = {at for one in registers for at in range(one.address, one.address + one.size)}
    spare = [Register(at, "u16", default=value) for at in range(start, stop) if at not in listed]
    return [*registers, *spare]


def _words(data: bytes) -> list[int]:
    return list(struct.unpack(f">{len(data) // 2}H", data))
