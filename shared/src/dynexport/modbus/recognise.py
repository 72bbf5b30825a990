"""Whether a device is one of those that a shipped description is for: by what its `recognise` asks. Reads only."""

from __future__ import annotations

from collections.abc import Iterator

from dynexport.modbus.endpoint import Endpoint, ModbusError, NoConnection
from dynexport.modbus.registers.catalogue import description, names
from dynexport.modbus.registers.meter import RegisterMeter
from dynexport.modbus.registers.model import Check, Description
from dynexport.modbus.registers.reader import Reader


def recognise(endpoint: Endpoint, unit: int, *, silent: bool) -> str | None:
    """The name of the first shipped description whose every check holds; raises NoConnection.

    Of a unit that was `silent` only those are asked for whose usual unit id it is: some answer nothing to a
    question for registers that they do not have, and each such silence takes its time.
    """
    for name in names():
        found, settle_s = description(name), endpoint.settle_s
        if found.recognise and (not silent or found.unit == unit) and _is(endpoint, unit, found):
            return name
        endpoint.settle_s = (
            settle_s  # what one make wants before its first question, the others need not wait for
        )
    return None


def meters_behind(endpoint: Endpoint, unit: int, make: str) -> Iterator[str]:
    """The meters that an inverter of this make passes on under its own unit id, and that give a power now."""
    for name in names():
        found = description(name)
        if found.kind == "meter" and found.make == make:
            try:
                RegisterMeter(endpoint, unit, found).read()
            except NoConnection:
                raise
            except ModbusError:  # it has none, or not this one
                continue
            yield name


def rated_w(endpoint: Endpoint, unit: int, name: str) -> float | None:
    """What the device says that it is rated, watts; None where its description knows no register with it."""
    found = description(name)
    if found.rating.max_w is None:
        return None
    reader = Reader(endpoint, unit, found)
    return reader.number(found.rating.max_w, reader.one(found.rating.max_w))


def _is(endpoint: Endpoint, unit: int, found: Description) -> bool:
    reader = Reader(endpoint, unit, found)
    for check in found.recognise:
        try:
            if not _holds(reader, check):
                return False
        except NoConnection:
            raise
        except ModbusError:  # silence, or a refusal: another make
            return False
    return True


def _holds(reader: Reader, check: Check) -> bool:
    if check.contains is not None:
        return check.contains.casefold() in (reader.text(check) or "").casefold()
    raw = reader.raw(check, reader.one(check))
    if check.between is not None:
        return check.between[0] <= raw <= check.between[1]
    return raw in check.equals
