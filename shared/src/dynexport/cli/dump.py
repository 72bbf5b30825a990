"""`dump`: a device's registers as text for a bug report."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import typer

from dynexport.cli.connect import CLOCK, CONFIG
from dynexport.cli.dump_text import text
from dynexport.cli.scanning import USUAL_PORT, must_open, owned, serial_address
from dynexport.modbus.address import Address, TcpAddress
from dynexport.modbus.dumping import Dump, span, whole_chain
from dynexport.modbus.endpoint import Endpoint, ModbusError, Unreachable
from dynexport.modbus.sunspec import BASES, NotSunSpec
from dynexport.settings.base import host

ANSWERS_WITHIN_S = 3.0
MOST_REGISTERS = 2000
LAST_REGISTER = 65535


def dump(
    device: str = typer.Argument(
        help="Where it answers: an address (192.168.1.20, with another port than 502: 192.168.1.20:1502), or a serial "
        "port (/dev/ttyUSB0)."
    ),
    unit: int = typer.Option(1, min=0, max=247, help="Modbus unit id."),
    registers: str | None = typer.Option(
        None,
        "--registers",
        help="For what is not SunSpec: a range as the maker numbers it on the wire, 30000-30100.",
    ),
    inputs: bool = typer.Option(
        False, "--input", help="With --registers: input registers, not holding ones."
    ),
    rtu: bool = typer.Option(
        False,
        "--rtu",
        help="The address is a serial gateway that passes bytes on as they are (RTU over TCP).",
    ),
    baudrate: int = typer.Option(9600, help="Bits per second of the serial port."),
    parity: str = typer.Option("N", help="N, E or O: parity of the serial port."),
    stopbits: int = typer.Option(1, help="Stop bits of the serial port, 1 or 2."),
    out: Path | None = typer.Option(None, "--out", help="A new file instead of the terminal."),  # noqa: B008
    config: Path | None = CONFIG,
) -> None:
    """Print every register of a device for a bug report, without serial numbers, names and addresses; reads only."""
    wanted = parse_range(registers) if registers is not None else None
    if inputs and wanted is None:
        raise typer.BadParameter("--input goes with --registers: a SunSpec map stands in holding registers")
    if out is not None and out.exists():
        raise typer.BadParameter(f"{out} exists: name a new file")
    address = _address(device, baudrate, parity, stopbits)
    if rtu and isinstance(address, TcpAddress):
        address = replace(address, framing="rtu")
    taken = owned(config)
    if owner := taken.owner(address):
        typer.echo(f"{address} is left alone: {owner} {taken.verb} it", err=True)
        typer.echo(
            "next: stop the services (Ctrl-C in `dynexport up`, or `docker compose stop`), then again",
            err=True,
        )
        raise typer.Exit(1)
    if not isinstance(address, TcpAddress):
        must_open(address)
    found = _read(address, unit, wanted, inputs)
    title = f"unit {unit}, SunSpec map at {found.base}, {len(found.pieces)} models"
    if wanted is not None:
        title = f"unit {unit}, {'input' if inputs else 'holding'} registers {wanted[0]} to {wanted[1]}"
    _write(text(found, CLOCK.now(), title, str(address)), out)
    if found.trouble:
        raise typer.Exit(1)


def parse_range(given: str) -> tuple[int, int]:
    """`30000-30100`, both ends meant; raises typer.BadParameter."""
    match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", given.strip())
    if match is None:
        raise typer.BadParameter(f"{given!r} is no range: write for example 30000-30100")
    first, last = int(match[1]), int(match[2] or match[1])
    if not first <= last <= LAST_REGISTER:
        raise typer.BadParameter(f"{given}: from the smaller to the greater, {LAST_REGISTER} at most")
    if last - first >= MOST_REGISTERS:
        raise typer.BadParameter(f"{given}: {MOST_REGISTERS} registers at most")
    return first, last


def _address(device: str, baudrate: int, parity: str, stopbits: int) -> Address:
    if device.startswith("/"):
        return serial_address(device, baudrate, parity, stopbits)
    name, colon, port = device.rpartition(":")
    try:
        if not colon:
            return TcpAddress(host(device), USUAL_PORT)
        if not port.isdecimal() or not 1 <= int(port) <= LAST_REGISTER:
            raise ValueError(f"has no port in {port!r}")
        return TcpAddress(host(name), int(port))
    except ValueError as error:
        raise typer.BadParameter(f"{device!r} {error}") from None


def _read(address: Address, unit: int, wanted: tuple[int, int] | None, inputs: bool) -> Dump:
    """What is asked for; ends with exit code 1 and what to try when nothing came."""
    endpoint = Endpoint(address, timeout_s=ANSWERS_WITHIN_S)
    try:
        if wanted is not None:
            return span(endpoint, unit, *wanted, inputs=inputs)
        return whole_chain(endpoint, unit)
    except NotSunSpec as error:
        places = ", ".join(str(base) for base in BASES)
        hint = f"another --unit? Else it is not SunSpec (looked at {places}): --registers 30000-30100"
        raise _ended(error, hint) from None
    except Unreachable as error:
        hint = "is Modbus switched on in it, is the port right (SolarEdge 1502), is it the only client, is it day? "
        hint += "A gateway that passes bytes on as they are (raw mode): --rtu"
        raise _ended(error, hint) from None
    except ModbusError as error:
        raise _ended(
            error, "ask again; if it stays so, --registers 40000-40100 shows what stands there"
        ) from None
    finally:
        endpoint.close()


def _ended(error: ModbusError, hint: str) -> typer.Exit:
    typer.echo(str(error), err=True)
    typer.echo(f"next: {hint}", err=True)
    return typer.Exit(1)


def _write(words: str, out: Path | None) -> None:
    if out is None:
        typer.echo(words, nl=False)
        return
    try:
        out.write_text(words, encoding="utf-8")
    except OSError as error:
        typer.echo(f"{out} cannot be written: {error.strerror}", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"written to {out}: read it before you send it")
