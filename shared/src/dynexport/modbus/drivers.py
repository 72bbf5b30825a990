"""Which driver reads and limits a device of `site.yaml`: its own SunSpec map, or a device description."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dynexport.messages import Scope
from dynexport.modbus.endpoint import Endpoint
from dynexport.modbus.inverter_values import ControlValues, InverterIdentity, InverterStatus, InverterValues
from dynexport.modbus.sunspec_inverter import SunSpecInverter
from dynexport.modbus.sunspec_meter import MeterValues, SunSpecMeter
from dynexport.settings import models

if TYPE_CHECKING:
    from dynexport.modbus.registers.model import LimitSection

WRITES_PER_DAY = 40


class InverterDevice(Protocol):
    """Any inverter that can be asked, limited, and perhaps disconnected.

    Every call may raise ModbusError. Percents are of the identity's `max_w`; with scope `export` they are of the
    site's export, and 100 % is as much as the inverter could ever export.
    """

    def identify(self) -> InverterIdentity: ...  # noqa: D102
    def read(self) -> InverterValues: ...  # noqa: D102
    def read_status(self) -> InverterStatus: ...  # noqa: D102
    def read_control(self) -> ControlValues: ...  # noqa: D102
    def write_limit(self, limit_pct: float, revert_s: int, revert_pct: float) -> None:
        """After `revert_s` without another write its own timer acts, 0: none; where it can, by `revert_pct`."""
        ...

    def write_connect(self, connect: bool) -> None: ...  # noqa: D102
    def release(self) -> None: ...  # noqa: D102


class MeterDevice(Protocol):
    """Any meter that can be read over Modbus."""

    def read(self) -> MeterValues:
        """One reading; raises ModbusError."""
        ...


def inverter_device(settings: models.ModbusInverter, endpoint: Endpoint) -> InverterDevice:
    """The driver of an inverter."""
    if isinstance(settings, models.SunSpecInverter):
        return SunSpecInverter(endpoint, settings.unit)
    from dynexport.modbus.registers.catalogue import description
    from dynexport.modbus.registers.inverter import RegisterInverter

    return RegisterInverter(
        endpoint,
        settings.unit,
        description(settings.device),
        name=settings.device,
        rated_w=settings.rated_w,
        tested=settings.i_have_tested_this,
    )


def meter_device(settings: models.ModbusMeter, endpoint: Endpoint) -> MeterDevice:
    """The driver of a meter."""
    if isinstance(settings, models.SunSpecMeter):
        return SunSpecMeter(endpoint, settings.unit, invert=settings.invert)
    from dynexport.modbus.registers.catalogue import description
    from dynexport.modbus.registers.meter import RegisterMeter

    return RegisterMeter(endpoint, settings.unit, description(settings.device), invert=settings.invert)


def persists(settings: models.Inverter) -> bool:
    """Whether its limit outlives a power cut: then it is written seldom, and a found one is kept."""
    if isinstance(settings, models.SunSpecInverter):
        return settings.limit_persists
    limit = _limit(settings) if isinstance(settings, models.RegisterInverter) else None
    return limit is not None and limit.persistent


def scope(settings: models.Inverter) -> Scope:
    """What its limit holds down: what it makes, or by its own meter what the site exports."""
    limit = _limit(settings) if isinstance(settings, models.RegisterInverter) else None
    return limit.scope if limit is not None else Scope.GENERATION


def writes_per_day(settings: models.Inverter) -> int:
    """How many writes a day a limit that persists is worth, tightenings aside."""
    limit = _limit(settings) if isinstance(settings, models.RegisterInverter) else None
    return limit.writes_per_day if limit is not None else WRITES_PER_DAY


def _limit(settings: models.RegisterInverter) -> LimitSection | None:
    """Its description's; what is not described is not imported, which saves memory."""
    from dynexport.modbus.registers.catalogue import description

    return description(settings.device).limit
