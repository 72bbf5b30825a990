"""Looks for SunSpec devices and the described makes at addresses that somebody names.

Reads only, one connection to a host at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from enum import StrEnum

from dynexport.messages import HardwareFallback, Scope
from dynexport.modbus import sunspec_meter, sunspec_readings
from dynexport.modbus.address import Framing
from dynexport.modbus.endpoint import Address, Endpoint, ModbusError, NoConnection, TcpAddress, Unreachable
from dynexport.modbus.inverter_values import InverterIdentity
from dynexport.modbus.recognise import meters_behind, rated_w, recognise
from dynexport.modbus.registers.catalogue import description
from dynexport.modbus.registers.reader import Reader
from dynexport.modbus.sunspec import SunSpecDevice, discover
from dynexport.modbus.sunspec_inverter import SunSpecInverter

USUAL_UNITS = (1, 2, 3, 126, 240, 247, 0)
ALL_UNITS = (*range(1, 248), 0)
ANSWERS_WITHIN_S = 1.0
AT_ONCE = 64
COMMON = 1
EXPORT_IS_POSITIVE = "SolarEdge"  # its SunSpec meters, against the usual sign (devices.md, section 3)
INVERTERS = (*sunspec_readings.MODELS, sunspec_readings.MEASURED)


class Kind(StrEnum):
    """What a device measures."""

    INVERTER = "inverter"
    METER = "meter"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Found:
    """One device; `rated_w` watts; `fallback` is what an inverter does when its limit is no longer refreshed.

    `device` names the description of one that its own SunSpec map does not drive; `confidence` is that description's.
    `behind`: a meter that an inverter passes on. `invert`: a meter whose make counts export as positive.
    """

    address: Address
    unit: int
    kind: Kind
    models: tuple[int, ...]
    manufacturer: str | None = None
    model: str | None = None
    serial: str | None = None
    rated_w: float | None = None
    control_model: int | None = None
    fallback: HardwareFallback = HardwareFallback.UNKNOWN
    trouble: str = ""
    device: str | None = None
    scope: Scope = Scope.GENERATION
    confidence: str | None = None
    behind: bool = False
    invert: bool = False

    def same_device(self, other: Found) -> bool:
        """Whether one device answers under both unit ids: some ignore the unit id."""
        return self.serial is not None and self._who == other._who

    @property
    def _who(self) -> tuple[object, ...]:
        return (self.kind, self.serial, self.model, self.models, self.device)


def search(
    places: Iterable[Sequence[Address]],
    units: Sequence[int] = USUAL_UNITS,
    *,
    skip: Callable[[Address], bool] = lambda _: False,
    timeout_s: float = ANSWERS_WITHIN_S,
) -> list[Found]:
    """Every device at these places, many at once; the addresses of one place (a host's ports, a serial bus)
    one after the other. `skip` names what is left alone.
    """

    def one(place: Sequence[Address]) -> list[Found]:
        return [found for address in place if not skip(address) for found in look(address, units, timeout_s)]

    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="scan")
    try:
        done = [pool.submit(one, place) for place in places]
        return sorted(
            (found for future in as_completed(done) for found in future.result()),
            key=lambda found: (str(found.address), found.unit),
        )
    finally:  # also when interrupted: those that have not begun never begin
        pool.shutdown(wait=False, cancel_futures=True)


def hosts(names: Iterable[str], ports: Sequence[int], framing: Framing = "tcp") -> list[list[TcpAddress]]:
    """The places of a search over TCP: each host with its ports."""
    return [[TcpAddress(name, port, framing) for port in ports] for name in names]


def look(address: Address, units: Sequence[int], timeout_s: float = ANSWERS_WITHIN_S) -> list[Found]:
    """The devices behind one endpoint, each under the first unit id at which it answers; never raises ModbusError."""
    endpoint = Endpoint(address, timeout_s=timeout_s)
    devices: list[Found] = []
    try:
        for unit in units:
            try:
                behind = _behind(endpoint, unit)
            except NoConnection:
                break
            devices += [found for found in behind if not any(found.same_device(other) for other in devices)]
    finally:
        endpoint.close()
    return devices


def _behind(endpoint: Endpoint, unit: int) -> list[Found]:
    """The inverter and the meters that one unit id stands for; raises NoConnection."""
    sunspec: SunSpecDevice | None = None
    silent = False
    try:
        sunspec = discover(endpoint, unit)
    except NoConnection:
        raise
    except ModbusError as error:  # silence, or no SunSpec map under this id
        silent = isinstance(error, Unreachable)
    name = recognise(endpoint, unit, silent=silent)
    first = [_described(endpoint, unit, name)] if name else [identify(sunspec)] if sunspec else []
    meters = (
        [_meter(sunspec, first[0])]
        if sunspec and first[0].kind is Kind.INVERTER and _measures(sunspec)
        else []
    )
    if name:
        make = description(name).make
        meters += [_described(endpoint, unit, meter) for meter in meters_behind(endpoint, unit, make)]
    return [*first, *meters]


def _measures(device: SunSpecDevice) -> bool:
    return device.first_of(*sunspec_meter.MODELS) is not None


def _meter(device: SunSpecDevice, inverter: Found) -> Found:
    """A meter that an inverter has in its own map."""
    turned = _turned(inverter.manufacturer)
    return Found(
        device.endpoint.address, device.unit, Kind.METER, tuple(device.models), behind=True, invert=turned
    )


def _turned(manufacturer: str | None) -> bool:
    return EXPORT_IS_POSITIVE.casefold() in (manufacturer or "").casefold()


def _described(endpoint: Endpoint, unit: int, name: str) -> Found:
    """A device of a make that a description is for."""
    found = description(name)
    limit, reader = found.limit, Reader(endpoint, unit, found)
    rated, model, serial, trouble = None, None, None, ""
    try:
        model, serial = reader.text(found.identity.model), reader.text(found.identity.serial)
        rated = rated_w(endpoint, unit, name) if found.kind == "inverter" else None
    except NoConnection:
        raise
    except ModbusError as error:
        trouble = str(error)
    return Found(
        endpoint.address,
        unit,
        Kind(found.kind),
        (),
        manufacturer=found.make,
        model=model,
        serial=serial,
        rated_w=rated,
        fallback=limit.when_silent if limit else HardwareFallback.UNKNOWN,
        trouble=trouble,
        device=name,
        scope=limit.scope if limit else Scope.GENERATION,
        confidence=found.confidence,
        behind=found.kind == "meter",
    )


def identify(device: SunSpecDevice) -> Found:
    """What a unit is; `trouble` says what could not be read."""
    address, models = device.endpoint.address, tuple(device.models)
    if device.first_of(*INVERTERS):
        return _inverter(device, address, models)
    kind = Kind.METER if device.first_of(*sunspec_meter.MODELS) else Kind.OTHER
    try:
        common = device.read(COMMON) if COMMON in device.models else None
    except ModbusError as error:
        return Found(address, device.unit, kind, models, trouble=str(error))
    if common is None:
        return Found(address, device.unit, kind, models)
    return Found(
        address,
        device.unit,
        kind,
        models,
        manufacturer=common.text("Mn"),
        model=common.text("Md"),
        serial=common.text("SN"),
        invert=kind is Kind.METER and _turned(common.text("Mn")),
    )


def _inverter(device: SunSpecDevice, address: Address, models: tuple[int, ...]) -> Found:
    try:
        identity = SunSpecInverter(device.endpoint, device.unit).identify()
    except ModbusError as error:
        return Found(address, device.unit, Kind.INVERTER, models, trouble=str(error))
    return Found(
        address,
        device.unit,
        Kind.INVERTER,
        models,
        manufacturer=identity.manufacturer,
        model=identity.model,
        serial=identity.serial,
        rated_w=identity.max_w,
        control_model=identity.control_model,
        fallback=_fallback(identity),
    )


def _fallback(identity: InverterIdentity) -> HardwareFallback:
    """What it does under inverter-writer: a 704 goes to a value that we choose, a 123 holds its last."""
    if identity.control_model is None:
        return HardwareFallback.UNKNOWN
    return HardwareFallback.CHOSEN_W if identity.chooses_revert else HardwareFallback.HOLDS_LAST
