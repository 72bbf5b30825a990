"""Sense checks of where devices answer: one bus has one setting, and each unit on it is one device."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dynexport.settings.base import Serial, Tcp
from dynexport.settings.problems import Problem
from dynexport.settings.shape import Location, dotted, value_at
from dynexport.settings.shares import sharing
from dynexport.settings.source import Source

LINE = {name: Serial.model_fields[name].default for name in ("baudrate", "parity", "stopbits")}
FRAMING = Tcp.model_fields["framing"].default
DEFAULT_UNIT = 1
METER = ("meter",)
SLOWEST_ROUND_S = 1.0
METER_ROUND, INVERTER_ROUND = (140, 1), (240, 2)  # bytes on the line, both ways, and requests
BITS_PER_BYTE, TURN_S = 10, 0.02


@dataclass(frozen=True, slots=True)
class Device:
    """An inverter, a battery or the meter, as far as its place in the file makes sense."""

    place: Location
    name: str
    bus: tuple[str, str]
    unit: Any
    settings: dict[str, Any]

    @property
    def kind(self) -> str:
        """`tcp` or `serial`."""
        return "serial" if "framing" not in self.settings else "tcp"


def places(source: Source) -> list[Problem]:
    """Doubts about buses and units."""
    devices = list(_devices(source))
    return [
        *_units(devices, source),
        *_agreement(devices, source),
        *_names(devices, source),
        *_broadcast(devices, source),
        *_pace(devices, source),
        *sharing([(device.place, device.kind, device.bus) for device in devices], source),
    ]


def _devices(source: Source) -> Iterator[Device]:
    """The inverters, batteries with a place of their own, the meter: where two differ the later one is told."""
    entries: list[tuple[Location, Any]] = list(_listed(source, "inverters"))
    for place, battery in _listed(source, "batteries"):
        if isinstance(battery, dict):
            entries.append(((*place, "sunspec"), battery.get("sunspec")))
    for place, entry in [*entries, (METER, source.data.get("meter"))]:
        if isinstance(entry, dict) and (device := _device(place, entry)):
            yield device


def _listed(source: Source, section: str) -> Iterator[tuple[Location, Any]]:
    entries = source.data.get(section)
    for number, entry in enumerate(entries) if isinstance(entries, list) else ():
        yield (section, number), entry


def _device(place: Location, entry: dict[str, Any]) -> Device | None:
    tcp, serial = entry.get("tcp"), entry.get("serial")
    unit = entry.get("unit", DEFAULT_UNIT)
    if isinstance(tcp, dict) and tcp.get("host") is not None:
        bus = (str(tcp["host"]), str(tcp.get("port", Tcp.model_fields["port"].default)))
        return Device(place, dotted(place), bus, unit, {"framing": tcp.get("framing", FRAMING)})
    if isinstance(serial, dict) and isinstance(serial.get("port"), str):
        line = {name: serial.get(name, default) for name, default in LINE.items()}
        return Device(place, dotted(place), ("serial", os.path.realpath(serial["port"])), unit, line)
    return None


def _units(devices: list[Device], source: Source) -> Iterator[Problem]:
    """An inverter has its unit for itself; a real meter may be a model in an inverter's own map (SolarEdge), and so may
    a simulated one of a described make.
    """
    first: dict[tuple[Any, ...], Device] = {}
    for device in devices:
        where = (device.bus, str(device.unit))
        if device.place == METER and (source.data.get("simulator") is None or _described(source)):
            continue
        if where in first:
            kind = "tcp" if device.kind == "tcp" else "serial port"
            yield source.problem(device.place, f"has the same {kind} and unit as {first[where].name}")
        first.setdefault(where, device)


def _described(source: Source) -> bool:
    return bool(value_at(source.data, ("meter", "driver")) == "registers")


def _agreement(devices: list[Device], source: Source) -> Iterator[Problem]:
    """A bus has one speed and one framing."""
    first: dict[tuple[str, str], Device] = {}
    for device in devices:
        other = first.setdefault(device.bus, device)
        for name, value in device.settings.items():
            if value != other.settings[name]:
                where = "endpoint" if device.kind == "tcp" else "port"
                yield source.problem(
                    (*device.place, device.kind, name),
                    f"{other.name} is on the same {where} with `{name}: {other.settings[name]}`",
                    value=str(value),
                    hint="all devices on one bus have the same settings: look at the devices, then write it the same",
                )


def _names(devices: list[Device], source: Source) -> Iterator[Problem]:
    """Two names of one port are told to be one only while the adapter is plugged in."""
    first: dict[tuple[str, str], tuple[Device, str]] = {}
    for device in devices:
        if device.kind != "serial":
            continue
        port = _port(source, device)
        other, known = first.setdefault(device.bus, (device, port))
        if port != known:
            yield source.problem(
                (*device.place, "serial", "port"),
                f"is the same device as {known} of {other.name}, under another name",
                hint="use one name: without the adapter nobody can tell that the two are one bus",
                level="warning",
            )


def _port(source: Source, device: Device) -> str:
    entry: Any = source.data
    for part in device.place:
        entry = entry[part]
    return str(entry["serial"]["port"])


def _broadcast(devices: list[Device], source: Source) -> Iterator[Problem]:
    for device in devices:
        if device.unit == 0 and (device.kind == "serial" or device.settings["framing"] == "rtu"):
            message = "0 is for all devices of a serial bus, and none answers it"
            yield source.problem((*device.place, "unit"), message, hint="units on a bus are 1 to 247")


def _pace(devices: list[Device], source: Source) -> Iterator[Problem]:
    """Contract: readings once a second or faster; a slow line with many devices cannot."""
    for bus in dict.fromkeys(device.bus for device in devices if device.kind == "serial"):
        on_it = [device for device in devices if device.bus == bus]
        baudrate = on_it[0].settings["baudrate"]
        if not isinstance(baudrate, int) or baudrate <= 0:
            continue
        rounds = [METER_ROUND if device.place == METER else INVERTER_ROUND for device in on_it]
        round_s = sum(size * BITS_PER_BYTE / baudrate + turns * TURN_S for size, turns in rounds)
        if round_s > SLOWEST_ROUND_S:
            yield source.problem(
                (*on_it[0].place, "serial", "baudrate"),
                f"reading all {len(on_it)} devices on this bus takes about {round_s:.1f} s: the times promised in "
                f"docs/safety.md hold for {SLOWEST_ROUND_S:g} s or less",
                value=str(baudrate),
                hint="set the devices to a higher baudrate, or put them on two buses",
                level="warning",
            )
