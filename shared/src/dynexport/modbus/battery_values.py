"""What any battery's driver tells, and what it can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dynexport.messages import BatteryState


@dataclass(frozen=True, slots=True)
class BatteryIdentity:
    """What it is. `control_model` None: it cannot be commanded; `why` then says why, in words.

    `bounds`: it holds a bound on its own charging and discharging; without it it can only be told a rate.
    """

    manufacturer: str | None
    model: str | None
    serial: str | None
    control_model: int | None
    bounds: bool
    max_charge_w: float | None
    max_discharge_w: float | None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class BatteryValues:
    """One reading: watts + discharge, what it stores; None is not told."""

    power_w: float
    soc_pct: float | None
    energy_wh: float | None
    state: BatteryState | None


@dataclass(frozen=True, slots=True)
class Order:
    """What a battery is told, watts: a rate (+ discharge), else what it does by itself within the two bounds."""

    target_w: float | None = None
    max_charge_w: float | None = None
    max_discharge_w: float | None = None

    @property
    def window_w(self) -> tuple[float | None, float | None]:
        """The most that it charges and discharges, watts; a rate is both ends on one value, one of them below 0."""
        if self.target_w is None:
            return self.max_charge_w, self.max_discharge_w
        return -self.target_w, self.target_w

    @property
    def frees(self) -> bool:
        """Whether it says nothing at all: the battery does what it does by itself."""
        return self == FREE


FREE = Order()


class BatteryDevice(Protocol):
    """Any battery that can be asked, and perhaps commanded. Every call may raise ModbusError."""

    def identify(self) -> BatteryIdentity: ...  # noqa: D102
    def read(self) -> BatteryValues: ...  # noqa: D102
    def read_order(self) -> Order:
        """What it is told now, as far as its resolution goes."""
        ...

    def write_order(self, order: Order, revert_s: int) -> None:
        """After `revert_s` without another write it does what it does by itself."""
        ...

    def release(self) -> None:
        """Nothing is told any more."""
        ...
