"""What any inverter's driver tells: who it is, what it makes, and what limits it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dynexport.messages import HardwareFallback, InverterState, Scope


@dataclass(frozen=True, slots=True)
class InverterIdentity:
    """What it is; `max_w` is the base of its percentages, watts. `control_model` None: it cannot be limited.

    `chooses_revert`: its timer goes to a value that we choose. `can_disconnect`: it has a switch that we may use.
    A described device has `driver`, `confidence` and `when_silent`; `why_not`: why it may not be limited.
    """

    manufacturer: str | None
    model: str | None
    serial: str | None
    der_type: int | None
    control_model: int | None
    max_w: float
    nameplate_w: float | None
    max_va: float | None
    max_var: float | None
    resolution_pct: float
    chooses_revert: bool = False
    can_disconnect: bool = True
    driver: str | None = None
    confidence: str | None = None
    scope: Scope | None = None
    when_silent: HardwareFallback | None = None
    why_not: str | None = None

    @property
    def key(self) -> str:
        """What tells this device from another one in its place; empty where it gives no serial number."""
        if not self.serial:
            return ""
        return "|".join(part or "" for part in (self.manufacturer, self.model, self.serial))


@dataclass(frozen=True, slots=True)
class InverterValues:
    """One reading, watts + generation; None is not implemented. `measured_at` None: when it was asked."""

    power_w: float
    state: InverterState
    reactive_var: float | None
    voltage_a_v: float | None
    voltage_b_v: float | None
    voltage_c_v: float | None
    frequency_hz: float | None
    energy_wh: float | None
    measured_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class InverterStatus:
    """Connection and available power, watts; None is not implemented."""

    connected: bool | None = None
    available: bool | None = None
    operating: bool | None = None
    available_w: float | None = None


@dataclass(frozen=True, slots=True)
class ControlValues:
    """The limit as it stands: percent of `max_w`, and whether it counts; `connected` None: it has no switch.

    `told` False: the device has not said this, or not yet; it is the least that may stand there.
    `foreign`: another kind of limit stands there, whose power is not known; it counts as 0 %.
    """

    connected: bool | None
    limit_pct: float
    enabled: bool
    revert_s: int | None
    told: bool = True
    foreign: bool = False

    @property
    def effective_pct(self) -> float:
        """What limits now: 100 when the limit is not enabled."""
        return self.limit_pct if self.enabled else 100.0
