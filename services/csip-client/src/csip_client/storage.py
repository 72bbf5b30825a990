"""What is told of the batteries together: ratings from `site.yaml`, connection, charge and stored energy as read. Pure.

csip.md section 7, "With a battery"; STO-01, STO-02, STO-05.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from csip_client.telemetry import LAST, Role, Series
from csip_client.wire import write
from dynexport.messages import BatteryReading
from dynexport.settings.devices import Battery

SILENT_S = 60.0
MOVES_PCT = 1.0
CONNECTED, AVAILABLE, OPERATING = 1, 2, 4
STORED = Series(Role.DER, 72, qualifier=LAST, power_of_ten=0)


@dataclass(frozen=True, slots=True)
class BatteryView:
    """One battery: what `site.yaml` says of it, its last reading, and the age of that, seconds."""

    battery: Battery
    reading: BatteryReading | None = None
    age_s: float = float("inf")

    @property
    def heard(self) -> BatteryReading | None:
        """Its reading of the last minute."""
        return self.reading if self.age_s <= SILENT_S else None

    @property
    def moves(self) -> bool:
        """Whether it charges or discharges."""
        here = self.heard
        return here is not None and abs(here.power_w) > MOVES_PCT / 100.0 * self.battery.rated_w

    @property
    def stored_wh(self) -> float | None:
        """What it stores: as it says, else its state of charge times `energy_wh`."""
        here, whole_wh = self.heard, self.battery.energy_wh
        if here is None or here.energy_wh is not None:
            return None if here is None else here.energy_wh
        return None if here.soc_pct is None or whole_wh is None else here.soc_pct / 100.0 * whole_wh


def connect_status(views: Sequence[BatteryView], *, islanded: bool = False) -> int | None:
    """ConnectStatusType bits: any one heard is connected and available, one that moves operates. None: no battery.

    In an island none is connected to the grid.
    """
    if not views:
        return None
    if islanded or all(view.heard is None for view in views):
        return 0
    return CONNECTED | AVAILABLE | (OPERATING if any(view.moves for view in views) else 0)


def charge_pct(views: Sequence[BatteryView]) -> float | None:
    """State of charge of all together, by their sizes; None where one is silent, or does not tell, or has no size."""
    charge = _sum([view.heard.soc_pct if view.heard else None for view in views])
    if len(views) <= 1 or charge is None:
        return charge if views else None
    whole_wh = _sum([view.battery.energy_wh for view in views])
    if whole_wh is None:
        return None
    return sum(_share(view) for view in views) / whole_wh


def _share(view: BatteryView) -> float:
    charge_pct = view.heard.soc_pct if view.heard else None
    return (charge_pct or 0.0) * (view.battery.energy_wh or 0.0)


def samples(views: Sequence[BatteryView]) -> Iterator[tuple[Series, float]]:
    """The energy stored in all together, Wh; nothing where one of them is not known."""
    stored = [view.stored_wh for view in views]
    known = [each for each in stored if each is not None]
    if known and len(known) == len(views):
        yield STORED, sum(known)


def with_batteries(ratings: write.Ratings, batteries: Sequence[Battery]) -> write.Ratings:
    """Ratings with theirs: charge and discharge in watts, size and reserve in Wh; a sum with a gap is left out."""
    if not batteries:
        return ratings
    whole_wh = _sum([each.energy_wh for each in batteries])
    return replace(
        ratings,
        max_charge_w=_sum([each.max_charge_w for each in batteries]),
        max_discharge_w=_sum([each.rated_w for each in batteries]),
        max_wh=whole_wh,
        min_wh=None if whole_wh is None else sum(each.reserve_wh for each in batteries),
    )


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
