"""One Modbus endpoint or bus: blocking calls from its one owner, checked answers, no hidden retries."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pymodbus.client.tcp import ModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ModbusPDU

from dynexport.clock import Clock, SystemClock
from dynexport.modbus.address import Address, SerialAddress, TcpAddress
from dynexport.modbus.errors import BadAnswer, Gone, ModbusError, NoConnection, Refused, Unreachable
from dynexport.modbus.rtu import RtuClient

__all__ = [
    "Address",
    "BackOff",
    "BadAnswer",
    "Endpoint",
    "ModbusError",
    "NoConnection",
    "Refused",
    "SerialAddress",
    "TcpAddress",
    "Unreachable",
]

logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # what goes wrong is told by our own errors

LARGEST_READ = 125
READ_HOLDING, READ_INPUT, WRITE_SINGLE, WRITE_MULTIPLE = 3, 4, 6, 16


class Endpoint:
    """Owned by one thread. A socket is closed after any timeout or odd answer, so that no late answer is taken
    for the next one's; on a serial line `RtuClient` sees to that.
    """

    def __init__(self, address: Address, *, timeout_s: float = 1.0, clock: Clock | None = None) -> None:
        self.address = address
        self._clock = clock or SystemClock()
        self.on_answer: Callable[[], None] = lambda: (
            None
        )  # its worker's, to tell a slow device from a stuck call
        self.settle_s = 0.0  # what a device behind it wants of quiet after a connection was made
        self._client = _client(address, timeout_s)

    def read_holding(self, unit: int, address: int, count: int) -> tuple[int, ...]:
        """`count` holding registers from `address`, read in parts of at most 125; raises ModbusError."""
        return self._read_all(READ_HOLDING, unit, address, count)

    def read_input(self, unit: int, address: int, count: int) -> tuple[int, ...]:
        """`count` input registers (FC04), as `read_holding`; raises ModbusError."""
        return self._read_all(READ_INPUT, unit, address, count)

    def write_register(self, unit: int, address: int, value: int) -> None:
        """Write one register by FC06; raises ModbusError, ValueError for a value beyond 16 bit."""
        if not 0 <= value <= 0xFFFF:
            raise ValueError(f"register values must be 0..65535, got {value}")
        what = f"{self.address} unit {unit}: write of register {address}"
        answer = self._call(
            what,
            WRITE_SINGLE,
            lambda: self._client.write_register(address, value, device_id=unit, no_response_expected=False),
        )
        if answer.address != address or list(answer.registers) != [value]:
            self._abandon()
            raise BadAnswer(f"{what}: the answer is for another request")

    def write_registers(self, unit: int, address: int, values: Sequence[int]) -> None:
        """Write consecutive registers in one FC16; raises ModbusError, ValueError for values beyond 16 bit."""
        if any(not 0 <= value <= 0xFFFF for value in values):
            raise ValueError(f"register values must be 0..65535, got {list(values)}")
        what = f"{self.address} unit {unit}: write of {len(values)} registers at {address}"
        answer = self._call(
            what,
            WRITE_MULTIPLE,
            lambda: self._client.write_registers(
                address, list(values), device_id=unit, no_response_expected=False
            ),
        )
        if answer.address != address or answer.count != len(values):
            self._abandon()
            raise BadAnswer(f"{what}: the answer is for another request")

    def close(self) -> None:
        """Close the connection or the port; the next call opens it again."""
        self._client.close()

    def _abandon(self) -> None:
        """After what went wrong no answer may come through any more; a serial port stays open, and locked."""
        if not isinstance(self.address, SerialAddress):
            self.close()

    def _read_all(self, function: int, unit: int, address: int, count: int) -> tuple[int, ...]:
        registers: list[int] = []
        while len(registers) < count:
            start = address + len(registers)
            registers += self._read(function, unit, start, min(LARGEST_READ, count - len(registers)))
        return tuple(registers)

    def _read(self, function: int, unit: int, address: int, count: int) -> list[int]:
        kind = "registers" if function == READ_HOLDING else "input registers"
        what = f"{self.address} unit {unit}: read of {count} {kind} at {address}"
        read = (
            self._client.read_holding_registers
            if function == READ_HOLDING
            else self._client.read_input_registers
        )
        answer = self._call(what, function, lambda: read(address, count=count, device_id=unit))
        if len(answer.registers) != count:
            self._abandon()
            raise BadAnswer(f"{what}: {len(answer.registers)} registers came back")
        return list(answer.registers)

    def _call(self, what: str, function: int, request: Callable[[], ModbusPDU]) -> ModbusPDU:
        """One request; the answer, or the refusal, must be to this function code."""
        answer = self._send(what, request)
        self.on_answer()
        if answer.function_code == function | 0x80:
            code = int(getattr(answer, "exception_code", 0))
            raise Refused(f"{what}: refused with Modbus exception {code}", code)
        if answer.function_code != function:
            self._abandon()
            raise BadAnswer(f"{what}: an answer to function {answer.function_code} came back")
        return answer

    def _send(self, what: str, request: Callable[[], ModbusPDU]) -> ModbusPDU:
        """The answer; a connection that the device had closed meanwhile is opened again once."""
        reused = bool(self._client.connected)
        try:
            return self._once(what, request)
        except Gone:
            if reused:
                try:
                    return self._once(what, request)
                except Gone as again:
                    raise Unreachable(str(again)) from again
            raise

    def _once(self, what: str, request: Callable[[], ModbusPDU]) -> ModbusPDU:
        try:
            self._open(what)
            return request()
        except TimeoutError as error:
            self._abandon()
            raise Unreachable(f"{what}: no answer") from error
        except (ConnectionException, OSError) as error:
            self.close()
            why = error.strerror if isinstance(error, OSError) else None
            raise Gone(f"{what}: {why or error}") from error
        except (
            ModbusException
        ) as error:  # pymodbus has one class for silence and for what it could not decode
            self._abandon()
            if "No response" in str(error):
                raise Unreachable(f"{what}: no answer") from error
            raise BadAnswer(f"{what}: {error}") from error
        except BadAnswer as error:
            self._abandon()
            raise BadAnswer(f"{what}: {error}") from error
        except (ValueError, IndexError, AttributeError) as error:  # garbage that pymodbus could not decode
            self._abandon()
            raise BadAnswer(f"{what}: garbage ({error})") from error

    def _open(self, what: str) -> None:
        if self._client.connected:
            return
        if not self._client.connect():
            raise NoConnection(f"{what}: no connection")
        if self.settle_s:
            self._clock.sleep(self.settle_s)


def _client(address: Address, timeout_s: float) -> ModbusTcpClient | RtuClient:
    if isinstance(address, SerialAddress) or address.framing == "rtu":
        return RtuClient(address, timeout_s)
    return ModbusTcpClient(address.host, port=address.port, timeout=timeout_s, retries=0)


@dataclass(slots=True)
class BackOff:
    """How long one unit is left alone after failures: first retry at once, then 1, 2, 4, 8, 10 s."""

    failures: int = 0
    until: float = float("-inf")

    def ready(self, mono: float) -> bool:
        """Whether it may be asked now."""
        return mono >= self.until

    def failed(self, mono: float) -> None:
        """It did not answer."""
        self.failures += 1
        self.until = mono if self.failures == 1 else mono + min(10.0, 2.0 ** (self.failures - 2))

    def succeeded(self) -> None:
        """It answered."""
        self.failures, self.until = 0, float("-inf")
