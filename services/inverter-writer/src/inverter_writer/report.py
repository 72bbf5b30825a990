"""What is fixed for one inverter, and what its endpoint's thread tells the service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dynexport.modbus.endpoint import ModbusError
from dynexport.modbus.inverter_values import InverterIdentity, InverterStatus, InverterValues

UNKNOWN = InverterStatus()


@dataclass(frozen=True, slots=True)
class Rules:
    """What is fixed for one inverter."""

    share_w: float
    enabled: bool
    inverters: int
    on_stop: str
    failsafe_disconnects: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What the endpoint's thread has to tell: one of these at a time, in order."""

    values: InverterValues | None = None
    status: InverterStatus = UNKNOWN
    measured_at: datetime | None = None
    identity: InverterIdentity | None = None
    error: ModbusError | None = None
    found_w: float | None = None
