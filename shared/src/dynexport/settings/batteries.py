"""Where a battery is read by Modbus: at a place of its own, or in the map of an inverter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dynexport.settings.base import Serial, Tcp
from dynexport.settings.devices import Battery, Inverter, SunSpecInverter

LEAST_POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class ModbusBattery:
    """A battery of `site.yaml` and where it answers; `alone`: no inverter of the site's shares its map."""

    battery: Battery
    tcp: Tcp | None
    serial: Serial | None
    unit: int
    poll_s: float
    alone: bool


def modbus_batteries(batteries: Sequence[Battery], inverters: Sequence[Inverter]) -> Iterator[ModbusBattery]:
    """Those that answer by Modbus; raises ValueError for one in the map of no SunSpec inverter."""
    hosts = {each.id: each for each in inverters if isinstance(each, SunSpecInverter)}
    for battery in batteries:
        if (own := battery.sunspec) is not None:
            yield ModbusBattery(battery, own.tcp, own.serial, own.unit, own.poll_s, alone=True)
        elif battery.inverter is not None:
            host = hosts.get(battery.inverter)
            if host is None:
                raise ValueError(
                    f"battery {battery.id}: {battery.inverter} is no SunSpec inverter of this site"
                )
            poll_s = max(LEAST_POLL_S, host.poll_s)
            yield ModbusBattery(battery, host.tcp, host.serial, host.unit, poll_s, alone=False)
