"""A described device's registers: asked for in its own way, and turned into numbers with their units."""

from __future__ import annotations

import math
from collections.abc import Mapping

from dynexport.clock import Clock, SystemClock
from dynexport.modbus.endpoint import Endpoint
from dynexport.modbus.registers import codec
from dynexport.modbus.registers.model import Block, Description, Flag, Function, Quantity, Register, WordOrder
from dynexport.modbus.sunspec import BadValue

ALL_ONES = 0xFFFF
LARGEST_SCALE = 10

Snapshot = Mapping[tuple[Function, int], int]


class Reader:
    """Reads by a description. Every call may raise ModbusError; BadValue for what makes no sense."""

    def __init__(
        self, endpoint: Endpoint, unit: int, description: Description, clock: Clock | None = None
    ) -> None:
        self.description = description
        self.where = f"{endpoint.address} unit {unit}"
        self._endpoint = endpoint
        self._unit = unit
        self._clock = clock or SystemClock()
        self._asked = False
        self._slow: dict[Block, tuple[float, tuple[int, ...]]] = {}
        endpoint.settle_s = max(endpoint.settle_s, description.line.after_connect_s)

    def poll(self) -> Snapshot:
        """All blocks, one request each; raises BadValue for one that holds nothing but 0xFFFF, and for a reading that
        the device itself does not stand by.
        """
        found: dict[tuple[Function, int], int] = {}
        for block in self.description.blocks:
            function = block.function or self.description.function
            words = self._block(block, function)
            found |= {(function, block.address + number): word for number, word in enumerate(words)}
        valid = self.description.read.valid
        if valid is not None and not self.flag(valid, found):
            raise BadValue(f"{self.where}: it says that its values do not count now")
        return found

    def _block(self, block: Block, function: Function) -> tuple[int, ...]:
        mono = self._clock.mono()
        read_at, words = self._slow.get(block, (-math.inf, ()))
        if mono - read_at < block.every_s:
            return words
        words = self.words(function, block.address, block.count)
        if block.count > 1 and all(word == ALL_ONES for word in words):
            raise BadValue(f"{self.where}: every register from {block.address} is 0xFFFF")
        self._slow[block] = (mono, words)
        return words

    def one(self, register: Register) -> Snapshot:
        """One value by itself."""
        function = self.function(register)
        words = self.words(function, register.address, codec.size(register))
        return {(function, register.address + number): word for number, word in enumerate(words)}

    def words(self, function: Function, address: int, count: int) -> tuple[int, ...]:
        """Registers as they are, after the pause that the device wants."""
        if self._asked and self.description.line.pause_s:
            self._clock.sleep(self.description.line.pause_s)
        self._asked = True
        read = self._endpoint.read_holding if function == "holding" else self._endpoint.read_input
        return read(self._unit, address, count)

    def function(self, register: Register) -> Function:
        """Which registers it is among."""
        return register.function or self.description.function

    def raw(self, register: Register, snapshot: Snapshot) -> int:
        """The unsigned number that stands there."""
        return codec.unsigned(self._cut(register, snapshot), self._order(register))

    def number(self, register: Register, snapshot: Snapshot) -> float | None:
        """Scaled; None where the device says that it has no value."""
        absent = (*register.absent, *self.description.absent.get(register.type, ()))
        if self.raw(register, snapshot) in absent:
            return None
        value = codec.decode(self._cut(register, snapshot), register.type, self._order(register))
        return None if value is None else value * register.scale

    def quantity(self, quantity: Quantity | None, snapshot: Snapshot) -> float | None:
        """A measured value with its scale factor, or a sum; None when any part of it is absent."""
        if quantity is None:
            return None
        parts = [self.number(part, snapshot) for part in (quantity, *quantity.plus)]
        factor = 10.0 ** self._exponent(quantity, snapshot)
        known = [part for part in parts if part is not None]
        return sum(known) * factor if len(known) == len(parts) else None

    def flag(self, flag: Flag, snapshot: Snapshot) -> bool:
        """Whether it is on."""
        return self.raw(flag, snapshot) in flag.on

    def text(self, register: Register | None) -> str | None:
        """A string, or a number in words; asked for by itself."""
        if register is None:
            return None
        snapshot = self.one(register)
        if register.type == "string":
            return codec.text(self._cut(register, snapshot))
        value = self.number(register, snapshot)
        return None if value is None else f"{value:g}" if register.scale != 1.0 else f"{value:.0f}"

    def _cut(self, register: Register, snapshot: Snapshot) -> list[int]:
        function = self.function(register)
        return [snapshot[function, register.address + number] for number in range(codec.size(register))]

    def _order(self, register: Register) -> WordOrder:
        return register.word_order or self.description.word_order

    def _exponent(self, quantity: Quantity, snapshot: Snapshot) -> int:
        if quantity.scale_from is None:
            return 0
        word = snapshot[self.function(quantity), quantity.scale_from]
        exponent = word - 0x10000 if word & 0x8000 else word
        if not -LARGEST_SCALE <= exponent <= LARGEST_SCALE:
            raise BadValue(f"{self.where}: the scale factor at {quantity.scale_from} is {exponent}")
        return exponent
