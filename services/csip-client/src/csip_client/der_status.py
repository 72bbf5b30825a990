"""DERStatus of all inverters together, live: genConnectStatus and operationalModeStatus. Pure.

CSIP-AUS MUL-01, ALL-07, ALL-08, ALL-11, ALL-12 as csip.md section 7 reads them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SILENT_S = 60.0
MAKES_PCT = 1.0
CONNECTED, AVAILABLE, OPERATING = 1, 2, 4
OFF, RUNNING = 1, 2


@dataclass(frozen=True, slots=True)
class InverterView:
    """One inverter as the bus showed it last; `age_s` of its reading (None: never heard); `asleep`: off or sleeping."""

    rated_w: float
    age_s: float | None = None
    power_w: float = 0.0
    asleep: bool = False
    connected: bool | None = None
    held_down: bool = False

    @property
    def on_ac(self) -> bool:
        """Whether it is on the grid: heard in the last minute, awake, and not disconnected."""
        heard = self.age_s is not None and self.age_s <= SILENT_S
        return heard and not self.asleep and self.connected is not False

    @property
    def runs(self) -> bool:
        """Whether it makes power, or would if a limit did not hold it down."""
        return self.on_ac and (self.held_down or self.power_w > MAKES_PCT / 100.0 * self.rated_w)


@dataclass(frozen=True, slots=True)
class DerStatus:
    """What DERStatus says: the bits of ConnectStatusType, and the operational mode."""

    connect: int
    mode: int


def der_status(
    inverters: Iterable[InverterView], *, connect: bool, energize: bool, islanded: bool = False
) -> DerStatus:
    """Bit 0 any inverter on AC, bit 1 with it, bit 2 with both unless de-energised; it does not follow power.

    `connect` and `energize` are what is in force: a disconnection clears all three bits.
    So does an island: what runs there runs, but not on the grid.
    """
    views = list(inverters)
    bits = 0
    if connect and not islanded and any(view.on_ac for view in views):
        bits = CONNECTED | AVAILABLE | (OPERATING if energize else 0)
    runs = bool(bits & OPERATING) and any(view.runs for view in views)
    return DerStatus(bits, RUNNING if runs else OFF)
