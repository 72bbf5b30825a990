"""Byte streams for RTU frames: a serial port that nobody else may open meanwhile, or a socket."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import socket
import stat
import termios
from typing import Protocol

import serial

from dynexport.modbus.address import Address, SerialAddress

LARGEST = 4096
UNIX98_PTY_MAJORS = range(136, 144)
WHY_NOT = {
    errno.ENOENT: "there is no such device: is the adapter plugged in?",
    errno.ENXIO: "the device is gone: is the adapter plugged in?",
    errno.EIO: "the device is gone: is the adapter plugged in?",
    errno.EACCES: "may not be opened: the service's user must be in the device's group, usually dialout",
    errno.EAGAIN: "another program has locked it (flock): a bus has one master, stop the other",
    errno.EBUSY: "another program has it for itself alone (TIOCEXCL): a bus has one master, stop the other",
    errno.ENOTTY: "is no serial port",
}


class Wire(Protocol):
    """An open stream of bytes that does not block."""

    def fileno(self) -> int:
        """Its descriptor."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class _Port:
    """An open serial port under flock."""

    def __init__(self, port: serial.Serial) -> None:
        self._port = port

    def fileno(self) -> int:
        """Its descriptor."""
        return int(self._port.fileno())

    def close(self) -> None:
        """Close it, which ends the lock."""
        self._port.close()


class _ExclusivePort(_Port):
    """Under TIOCEXCL too, which would outlast us where root has the port open beside us."""

    def close(self) -> None:
        """Let others in, and close it."""
        with contextlib.suppress(OSError):  # an adapter that was pulled out takes the mark with it
            fcntl.ioctl(self.fileno(), termios.TIOCNXCL)
        super().close()


def open_wire(address: Address, timeout_s: float) -> Wire:
    """Open a port or a connection; raises OSError with a sentence."""
    if isinstance(address, SerialAddress):
        return _open_serial(address)
    try:
        connection = socket.create_connection((address.host, address.port), timeout_s)
    except OSError as error:
        raise OSError(error.errno, f"no connection ({error.strerror or error})") from error
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setblocking(False)
    return connection


def _open_serial(address: SerialAddress) -> Wire:
    """Locked twice: flock keeps out whoever asks for it, root too; TIOCEXCL whoever opens another node of the same
    device, as in another container (flock is per inode, and TIOCEXCL does not stop root).
    """
    try:
        port = serial.Serial(
            address.port,
            address.baudrate,
            parity=address.parity,
            stopbits=address.stopbits,
            timeout=0,
            exclusive=True,
        )
    except (serial.SerialException, termios.error) as error:
        number = _number(error) or errno.EIO
        raise OSError(number, WHY_NOT.get(number, str(error))) from error
    if _outlives_its_holder(port.fileno()):
        return _Port(port)
    fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
    return _ExclusivePort(port)


def _number(error: BaseException | None) -> int | None:
    """The kernel's error number; pyserial keeps it, or has it in what it was raised from."""
    if error is None or getattr(error, "errno", None) is not None:
        return getattr(error, "errno", None)
    if isinstance(error, termios.error):
        return int(error.args[0])
    return _number(error.__context__)


def _outlives_its_holder(descriptor: int) -> bool:
    """A pseudo-terminal stays, and would stay exclusive, when a process that was killed leaves it."""
    found = os.fstat(descriptor)
    return stat.S_ISCHR(found.st_mode) and os.major(found.st_rdev) in UNIX98_PTY_MAJORS


def receive(wire: Wire, wait_s: float) -> bytes:
    """What has come, or comes within `wait_s`; empty when nothing does. Raises OSError when the other end is gone."""
    ready, _, _ = select.select([wire], [], [], max(0.0, wait_s))
    if not ready:
        return b""
    try:
        data = os.read(wire.fileno(), LARGEST)
    except BlockingIOError:
        return b""
    if not data:
        raise OSError(errno.EIO, "the other end is gone")
    return data


def send(wire: Wire, data: bytes, wait_s: float) -> None:
    """Send everything; raises TimeoutError when it is not taken in time, OSError when the other end is gone."""
    while data:
        _, ready, _ = select.select([], [wire], [], wait_s)
        if not ready:
            raise TimeoutError("nothing can be sent")
        data = data[os.write(wire.fileno(), data) :]
