"""`scan`: find SunSpec devices and the known makes, say what they are, and give a site.yaml."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from dynexport.cli.connect import CLOCK, CONFIG, site_of
from dynexport.cli.fallback_words import when_we_die
from dynexport.cli.hearing import NoBroker
from dynexport.cli.owners import Owners, endpoints_of, owners
from dynexport.cli.scan_yaml import USUAL_BROKER, site_yaml, whole
from dynexport.cli.targets import BadTarget, hosts_of, local_networks
from dynexport.modbus.address import Address, SerialAddress
from dynexport.modbus.scan import ALL_UNITS, ANSWERS_WITHIN_S, USUAL_UNITS, Found, Kind, search
from dynexport.modbus.scan import hosts as at_hosts
from dynexport.modbus.wire import open_wire
from dynexport.settings.base import Serial
from dynexport.settings.load import find

USUAL_PORT = 502
NOTHING = (
    "next: is Modbus TCP switched on in the inverter (often under `communication`; SolarEdge: port 1502, "
    "give --port 1502)? Other unit ids: --all-units. What cannot be told from others (Eastron, Carlo Gavazzi and "
    "Sigenergy) is entered by hand: `dynexport devices`"
)


def scan(
    hosts: Annotated[
        list[str] | None,
        typer.Argument(
            help="Names, addresses or networks (192.168.1.0/24); none: this machine's own networks."
        ),
    ] = None,
    port: Annotated[
        list[int] | None, typer.Option("--port", help="Another port besides 502; may be given again.")
    ] = None,
    serial: Annotated[
        str | None, typer.Option("--serial", help="A serial port instead of hosts, for example /dev/ttyUSB0.")
    ] = None,
    baudrate: int = typer.Option(9600, help="Bits per second of the serial port."),
    parity: str = typer.Option("N", help="N, E or O: parity of the serial port."),
    stopbits: int = typer.Option(1, help="Stop bits of the serial port, 1 or 2."),
    rtu: bool = typer.Option(
        False, "--rtu", help="The hosts are serial gateways that pass bytes on as they are (RTU over TCP)."
    ),
    all_units: bool = typer.Option(
        False, "--all-units", help="Ask every unit id 0 to 247: up to 5 minutes for each host that is silent."
    ),
    config: Path | None = CONFIG,
) -> None:
    """Find inverters and meters, SunSpec and known makes, and print a site.yaml; leaves alone what a service owns."""
    if serial is not None:
        places: list[Sequence[Address]] = [[serial_address(serial, baudrate, parity, stopbits)]]
    else:
        ports = list(dict.fromkeys([USUAL_PORT, *(port or [])]))
        places = list(at_hosts(_targets(hosts or []), ports, "rtu" if rtu else "tcp"))
    taken = owned(config)
    left_alone = {address: name for place in places for address in place if (name := taken.owner(address))}
    for address, name in left_alone.items():
        typer.echo(f"{address} is left alone: {name} {taken.verb} it")
    if serial is not None and not left_alone:
        must_open(places[0][0])
    count = sum(len(place) for place in places) - len(left_alone)
    typer.echo(f"looking at {count} endpoint{'' if count == 1 else 's'}")
    units = ALL_UNITS if all_units else USUAL_UNITS
    devices = search(places, units, skip=lambda address: address in left_alone)
    for device in devices:
        for sentence in words(device):
            typer.echo(sentence)
    if devices:
        typer.echo("\nfor site.yaml:\n")
        typer.echo(site_yaml(devices, _broker(config)))
        lacking = "" if whole(devices) else "this is not whole: a meter or an inverter is missing. "
        typer.echo(f"\nnext: {lacking}`dynexport setup`, or paste this as site.yaml; then `dynexport check`")
    elif left_alone:
        typer.echo("next: what these services read shows `dynexport doctor`; or stop them and scan again")
    else:
        typer.echo("no device answered that is known")
        typer.echo(NOTHING)
        raise typer.Exit(1)


def serial_address(port: str, baudrate: int, parity: str, stopbits: int) -> SerialAddress:
    """The bus meant; raises typer.BadParameter."""
    try:
        line = Serial.model_validate(
            {"port": port, "baudrate": baudrate, "parity": parity.upper(), "stopbits": stopbits}
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise typer.BadParameter(f"{first['loc'][0]}: {first['msg']}") from None
    return SerialAddress(line.port, line.baudrate, line.parity, line.stopbits)


def must_open(address: Address) -> None:
    """A port that is not there, not ours to open or in use ends the scan."""
    try:
        open_wire(address, ANSWERS_WITHIN_S).close()
    except OSError as error:
        typer.echo(f"{address} cannot be opened: {error.strerror or error}", err=True)
        typer.echo(
            "next: is it plugged in, does nobody else use it, may you open it (group dialout)?", err=True
        )
        raise typer.Exit(2) from None


def _targets(given: Sequence[str]) -> list[str]:
    networks = given or local_networks()
    if not networks:
        typer.echo("this machine has no IPv4 network of its own to look at", err=True)
        typer.echo("next: name the addresses, for example `dynexport scan 192.168.1.0/24`", err=True)
        raise typer.Exit(2)
    try:
        hosts = hosts_of(networks)
    except BadTarget as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    if not given:
        typer.echo(f"networks of this machine: {', '.join(networks)}")
    return hosts


def owned(config: Path | None) -> Owners:
    """Who owns what now. Where the broker cannot be asked, every endpoint of site.yaml counts as owned."""
    if not find(config, os.environ).exists():
        return Owners({}, frozenset())
    site = site_of(config)
    try:
        return owners(site, CLOCK)
    except NoBroker as error:
        typer.echo(f"{error}: nobody can say whether the endpoints of site.yaml are in use", err=True)
        endpoints = endpoints_of(site)
        return Owners(endpoints, frozenset(endpoints.values()), "may own")


def _broker(config: Path | None) -> tuple[str, int]:
    """Where the broker is by a site.yaml that there is already."""
    if not find(config, os.environ).exists():
        return USUAL_BROKER
    mqtt = site_of(config).mqtt
    return mqtt.host, mqtt.port


def words(device: Found) -> list[str]:
    """What it is, in two lines."""
    name = " ".join(part for part in (device.manufacturer, device.model) if part) or "unnamed"
    facts = [f"serial {device.serial}"] if device.serial else []
    if device.rated_w is not None:
        facts.append(f"{device.rated_w:.0f} W")
    if device.device is not None:
        facts.append(f"by the description {device.device}, {device.confidence}")
    elif device.kind is Kind.INVERTER:
        control = device.control_model
        facts.append(
            f"limited through model {control}" if control else "NO control model: it cannot be limited"
        )
    if device.models:
        facts.append(f"models {', '.join(str(model) for model in device.models)}")
    lines = [f"{device.address} unit {device.unit}: {device.kind.value} {name}, {', '.join(facts)}"]
    if device.trouble:
        lines.append(f"    trouble: {device.trouble}")
    elif device.kind is Kind.INVERTER:
        lines.append(f"    {when_we_die('it', device.fallback, scope=device.scope)}")
    return lines
