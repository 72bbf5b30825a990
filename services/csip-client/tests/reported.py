"""What a house reported, read back from its utility server, and how its devices are heard there; for tests."""

from __future__ import annotations

import re
from typing import Any

from csip_house import House

from csip_client.layout import Layout
from csip_client.telemetry import Role, Series
from dynexport import messages as m
from dynexport import topics
from dynexport.messages import stamp
from dynexport.testing.builders import inverter_reading, meter_reading

PEN = 28547
SITE_W, SITE_VAR = Series(Role.SITE, 38), Series(Role.SITE, 63)
DER_W, DER_VAR = Series(Role.DER, 38), Series(Role.DER, 63)


def value(body: bytes, path: str) -> str | None:
    """The text of the innermost of nested elements, such as `rtgMaxW/value`; None when it is not there."""
    text = body.decode()
    for name in path.split("/"):
        found = re.search(rf"<(?:\w+:)?{name}>(.*?)</(?:\w+:)?{name}>", text, re.DOTALL)
        if found is None:
            return None
        text = found[1]
    return text


def number(body: bytes, name: str) -> float | None:
    """A value with its multiplier."""
    whole, power = value(body, f"{name}/value"), value(body, f"{name}/multiplier")
    return None if whole is None else float(whole) * 10.0 ** int(power or 0)


def last(house: House, name: str) -> bytes:
    """The document that was put last: `dercap`, `derg` or `ders`."""
    return house.utility.bodies(name)[-1]


def status(house: House) -> tuple[str | None, str | None]:
    """genConnectStatus and operationalModeStatus as they were put last."""
    body = last(house, "ders")
    return value(body, "genConnectStatus/value"), value(body, "operationalModeStatus/value")


def posted(house: House, series: Series) -> list[tuple[int, int, int]]:
    """Start, duration and value of every reading that came of one series."""
    apart = house.client.csip.mup_layout == "reading"
    name = Layout(PEN, house.client.who.lfdi, apart).reading_mrid(series)
    bodies = [body for body in house.utility.bodies("mirror") if value(body, "mRID") == name]
    words = ("timePeriod/start", "timePeriod/duration", "Reading/value")
    return [
        (int(start), int(length), int(each))
        for body in bodies
        for start, length, each in [[value(body, word) or "" for word in words]]
    ]


def meter(house: House, power_w: float = -1500.0, **fields: Any) -> None:
    """The site's meter is heard."""
    house.bus.deliver(topics.METER_READING, meter_reading(power_w, stamp(house.clock.now()), **fields))


def inverter(house: House, name: str = "roof", power_w: float = 3000.0, **fields: Any) -> None:
    """An inverter is heard; + is generation."""
    said = {"connected": True, "reactive_var": 0.0, **fields}
    house.bus.deliver(
        topics.INVERTER_READING, inverter_reading(power_w, stamp(house.clock.now()), **said), name
    )


def battery(house: House, name: str = "garage", power_w: float = 0.0, **fields: Any) -> None:
    """A battery is heard; + is discharge."""
    now = stamp(house.clock.now())
    reading = m.BatteryReading(issued_at=now, measured_at=now, power_w=power_w, **fields)
    house.bus.deliver(topics.BATTERY_READING, reading, name)


def capability(house: House, name: str, max_w: float, **fields: Any) -> None:
    """An inverter's nameplate is heard."""
    said = m.InverterCapability(issued_at=stamp(house.clock.now()), max_w=max_w, **fields)
    house.bus.deliver(topics.INVERTER_CAPABILITY, said, name)
