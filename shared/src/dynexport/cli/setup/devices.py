"""Questions about the devices: meter, inverters, batteries, and what else makes power."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from dynexport.cli.setup.ask import ask, new_id, one_of, rating, text, whole, yes
from dynexport.modbus.address import TcpAddress
from dynexport.modbus.scan import Found, Kind

Entry = dict[str, Any]
OTHER = "other"
MQTT = "mqtt"
WEB = ("powerwall", "solar_api")
SPEEDS = ("2400", "4800", "9600", "19200", "38400", "57600", "115200")


def meter(found: Sequence[Found], old: Entry) -> Entry:
    """The site meter; where it sits is never guessed."""
    meters = [device for device in found if device.kind is Kind.METER]
    if meters:
        _list(meters)
        words = [*(str(number) for number in range(1, len(meters) + 1)), OTHER, MQTT, *WEB]
        question = (
            "Which meter is the site's? A number, `other` for an address, `mqtt`, `powerwall`, `solar_api`"
        )
        chosen = ask(question, one_of(*words))
    else:
        first = {"sunspec": OTHER, "mqtt": MQTT, **{name: name for name in WEB}}.get(str(old.get("driver")))
        question = (
            "The site meter: `other` for a SunSpec meter's address, `mqtt` when somebody publishes it, `powerwall` "
            "for a Tesla gateway, `solar_api` for a Fronius inverter's"
        )
        chosen = ask(question, one_of(OTHER, MQTT, *WEB), first)
    keep = ("poll_s",) if chosen in WEB else () if chosen == MQTT else ("invert", "poll_s")
    kept: Entry = {key: old[key] for key in keep if key in old}
    if chosen == MQTT:
        return {**_mqtt_meter(old), "location": _location(old)}
    if chosen in WEB:
        return {**_web_meter(chosen, old if old.get("driver") == chosen else {}), **kept}
    if chosen == OTHER:
        place = _place(old)
        unit = ask("Its Modbus unit id", whole(0, 247), old.get("unit"))
        return {"driver": "sunspec", **place, "unit": unit, "location": _location(old), **kept}
    device = meters[int(chosen) - 1]
    turned: Entry = {"invert": True} if device.invert else {}
    place = {**where(device), "unit": device.unit}
    return {**_driver(device), **place, "location": _location(old), **turned, **kept}


def _location(old: Entry) -> str:
    question = "Where does it measure? `feed_in` at the grid connection, `consumption` what the house uses"
    return ask(question, one_of("feed_in", "consumption"), old.get("location"))


def _mqtt_meter(old: Entry) -> Entry:
    topic = ask("Its full topic on the same broker", text, old.get("topic"))
    form = ask("Its format: `fields`, or `predecessor`", one_of("fields", "predecessor"), old.get("format"))
    entry: Entry = {"driver": "mqtt", "topic": topic, "format": form}
    if form == "fields":
        fields = dict(old.get("fields") or {})
        path = ask(
            "The path of its power, watts, + import (for example power_w)", text, fields.get("power_w")
        )
        entry["fields"] = {**fields, "power_w": path}
    return {**entry, **{key: old[key] for key in ("invert", "scale", "period_s") if key in old}}


def _web_meter(driver: str, old: Entry) -> Entry:
    """A meter by HTTP; the password of a gateway stays in its file."""
    entry: Entry = {"driver": driver, "host": ask("Its name or address", text, old.get("host"))}
    if driver == "powerwall":
        question = "A file that holds the customer's password (beside site.yaml, or a full path)"
        entry["password_file"] = ask(question, text, old.get("password_file"))
    return {**entry, **{key: old[key] for key in ("port", "email") if key in old}}


def inverters(found: Sequence[Found], old: Sequence[Entry], phases: int) -> list[Entry]:
    """The inverters that obey us: those found and chosen, then those whose address is typed."""
    candidates = [device for device in found if device.kind is Kind.INVERTER and device.rated_w]
    taken: set[str] = set()
    entries = []
    if candidates:
        _list(candidates)
        for number, device in enumerate(candidates, start=1):
            before = _same_place(device, old)
            if yes(
                f"Is {number} ({device.address} unit {device.unit}) one of yours?", before is not None or None
            ):
                kept = {key: value for key, value in (before or {}).items() if key != "device"}
                entries.append(_inverter({**kept, **_from(device)}, taken, phases, before or {}))
    typed = [before for before in old if not any(_same_place(device, [before]) for device in candidates)]
    for before in typed:
        if yes(f"Keep the inverter {before.get('id')}?", True):
            if before.get("driver") == MQTT:
                entries.append(_inverter(dict(before), taken, phases, before))
                continue
            unit = before.get("unit", 1)
            moved = {
                **_elsewhere(before),
                **_place(before),
                "unit": ask("Its Modbus unit id", whole(0, 247), unit),
            }
            entries.append(_inverter(moved, taken, phases, before))
    while not entries or yes("Another inverter?", False):
        typer.echo("An inverter that Dynexport shall limit (SunSpec over Modbus TCP):")
        place = _place({})
        unit = ask("Its Modbus unit id", whole(0, 247), 1)
        entries.append(_inverter({"driver": "sunspec", **place, "unit": unit}, taken, phases, {}))
    return entries


def _inverter(entry: Entry, taken: set[str], phases: int, old: Entry) -> Entry:
    name = ask("Its name in topics, for example roof", new_id(taken), old.get("id"))
    rated_w = ask("Its rated power, watts", rating, entry.get("rated_w"))
    phase = old.get("phase", "abc")
    if phases == 3:
        phase = ask(
            "The phase that it feeds: a, b, c, or abc for all three", one_of("a", "b", "c", "abc"), phase
        )
    shaped = {"id": name, "driver": "sunspec", **entry, "rated_w": rated_w}
    return {**shaped, "id": name, **({"phase": phase} if phases == 3 else {})}


def batteries(old: Sequence[Entry]) -> list[Entry]:
    """The batteries; whether there are any is never guessed."""
    return _entries("Is there a battery?", "Another battery?", "battery", "discharge", old)


def uncontrolled(old: Sequence[Entry]) -> list[Entry]:
    """Whatever else makes power; whether there is anything is never guessed."""
    question = "Is there anything else that makes power here (another solar system, a generator)?"
    return _entries(question, "Anything else?", "pv", "make", old)


def _entries(first: str, more: str, name: str, does: str, old: Sequence[Entry]) -> list[Entry]:
    taken: set[str] = set()
    entries: list[Entry] = []
    for before in old:
        if yes(f"Keep {before.get('id')}?", True):
            entries.append(dict(before))
            taken.add(str(before.get("id")))
    while yes(first if not entries else more, None if not entries else False):
        entry: Entry = {"id": ask(f"Its name in topics, for example {name}", new_id(taken))}
        entry["rated_w"] = ask(f"What can it {does} at most, watts?", rating)
        question = (
            "May its power reach the grid? `may`, or `never` when it only covers the house by its own meter"
        )
        entry["exports"] = ask(question, one_of("may", "never"))
        entries.append(entry)
    return entries


def _list(devices: Sequence[Found]) -> None:
    for number, device in enumerate(devices, start=1):
        name = " ".join(part for part in (device.manufacturer, device.model) if part) or "unnamed"
        size = f", {device.rated_w:.0f} W" if device.rated_w else ""
        typer.echo(f"  {number}: {name}{size}, at {device.address} unit {device.unit}")


def _place(old: Entry) -> Entry:
    """`tcp` or `serial`, as typed."""
    line: Entry = old.get("serial") or {}
    tcp: Entry = old.get("tcp") or {}
    said = ask(
        "Its address (name or IP; /dev/... for a serial port)", text, tcp.get("host") or line.get("port")
    )
    if not said.startswith("/"):
        port = ask("Its Modbus TCP port", whole(1, 65535), tcp.get("port", 502))
        return {"tcp": {**tcp, "host": said, "port": port}}
    speed = ask("Bits per second", one_of(*SPEEDS), line.get("baudrate", 9600))
    parity = ask("Parity: n, e or o", one_of("n", "e", "o"), str(line.get("parity", "N")).lower())
    stopbits = ask("Stop bits", whole(1, 2), line.get("stopbits", 1))
    return {"serial": {"port": said, "baudrate": int(speed), "parity": parity.upper(), "stopbits": stopbits}}


def _elsewhere(entry: Entry) -> Entry:
    """An entry without where it answers."""
    return {key: value for key, value in entry.items() if key not in ("tcp", "serial")}


def where(device: Found) -> Entry:
    """`tcp` or `serial` of a device that was found."""
    address = device.address
    if isinstance(address, TcpAddress):
        return {"tcp": {"host": address.host, "port": address.port}}
    line = {"baudrate": address.baudrate, "parity": address.parity, "stopbits": address.stopbits}
    return {"serial": {"port": address.port, **line}}


def _from(device: Found) -> Entry:
    assert device.rated_w is not None
    return {**_driver(device), **where(device), "unit": device.unit, "rated_w": round(device.rated_w)}


def _driver(device: Found) -> Entry:
    """By its own map, or by the description that it was recognised by."""
    return (
        {"driver": "sunspec"} if device.device is None else {"driver": "registers", "device": device.device}
    )


def _same_place(device: Found, old: Sequence[Entry]) -> Entry | None:
    """The entry that stands for a device that was found."""
    place = (where(device), device.unit)
    for entry in old:
        tcp, line = entry.get("tcp"), entry.get("serial")
        known = {"tcp": {"port": 502, **tcp}} if tcp else {"serial": line}
        if (known, entry.get("unit", 1)) == place:
            return entry
    return None
