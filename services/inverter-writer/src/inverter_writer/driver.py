"""What the writer needs of a driver: any inverter that can be asked, limited, and perhaps disconnected."""

from __future__ import annotations

from typing import Protocol

from dynexport.modbus.inverter_values import ControlValues, InverterIdentity, InverterStatus, InverterValues


class InverterDevice(Protocol):
    """Every call may raise ModbusError. Percents are of the identity's `max_w`."""

    def identify(self) -> InverterIdentity: ...  # noqa: D102
    def read(self) -> InverterValues: ...  # noqa: D102
    def read_status(self) -> InverterStatus: ...  # noqa: D102
    def read_control(self) -> ControlValues: ...  # noqa: D102
    def write_limit(self, limit_pct: float, revert_s: int, revert_pct: float) -> None:
        """After `revert_s` without another write its own timer acts, 0: none; where it can, by `revert_pct`."""
        ...

    def write_connect(self, connect: bool) -> None: ...  # noqa: D102
    def release(self) -> None: ...  # noqa: D102
