"""Where Modbus devices answer: a TCP endpoint or a serial port, from the settings of a device."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from dynexport.settings.base import Serial, Tcp

Framing = Literal["tcp", "rtu"]
Parity = Literal["N", "E", "O"]


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """Modbus over TCP; `framing` is `rtu` behind a serial gateway that passes bytes on as they are."""

    host: str
    port: int = 502
    framing: Framing = "tcp"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SerialAddress:
    """A serial port. It is opened by the name given, which may follow an adapter from one device to another
    (`/dev/serial/by-id/...`), and told from others by the device that was behind that name at first.
    """

    port: str = field(compare=False)
    baudrate: int = 9600
    parity: Parity = "N"
    stopbits: int = 1
    device: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", _device(self.port))

    @property
    def bits(self) -> int:
        """How many bits a byte takes: a start bit, eight, parity, stop bits."""
        return 9 + (self.parity != "N") + self.stopbits

    def seconds(self, count: float) -> float:
        """How long so many bytes take."""
        return count * self.bits / self.baudrate

    def __str__(self) -> str:
        return self.port


@cache
def _device(port: str) -> str:
    """Looked up once: an adapter that comes or goes at start must not make one bus two."""
    return os.path.realpath(port)


Address = TcpAddress | SerialAddress


class Placed(Protocol):
    """The settings of a device: exactly one of the two is given."""

    @property
    def tcp(self) -> Tcp | None:
        """A TCP endpoint."""
        ...

    @property
    def serial(self) -> Serial | None:
        """A serial port."""
        ...


def address_of(device: Placed) -> Address:
    """The address; equal for two devices on the same endpoint or bus. Raises ValueError without any."""
    if device.tcp is not None:
        return TcpAddress(device.tcp.host, device.tcp.port, device.tcp.framing)
    if device.serial is not None:
        line = device.serial
        return SerialAddress(line.port, line.baudrate, line.parity, line.stopbits)
    raise ValueError("a device needs `tcp` or `serial`")
