"""What a Modbus device can fail at."""

from __future__ import annotations


class ModbusError(Exception):
    """A device did not do what was asked; the text says which, what and how."""


class Unreachable(ModbusError):
    """No connection, a reset, or no answer in time."""


class NoConnection(Unreachable):
    """Nobody listens there, or the port cannot be opened."""


class BadAnswer(ModbusError):
    """An answer that does not fit the question; the connection was closed."""


class Refused(ModbusError):
    """A Modbus exception; `code` is its number."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class Gone(Unreachable):
    """The connection broke before an answer came: it may be opened again at once."""
