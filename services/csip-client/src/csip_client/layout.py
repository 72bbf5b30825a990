"""How the things measured are laid out at the server: MirrorUsagePoints, reading types and their mRIDs. Pure.

csip.md section 7, "Reading types": kind 37 for every one; an mRID is a hash over LFDI, role, uom, qualifier, phase.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from csip_client.mrid import mrid
from csip_client.telemetry import MINUTE_S, Role, Series
from csip_client.wire import write
from csip_client.wire.document import Version

ROLE = {Role.SITE: "Site", Role.DER: "DER"}
UOM = {38: "W", 63: "var", 29: "V", 33: "Hz", 72: "Wh stored"}
QUALIFIER = {0: "", 2: " average", 8: " maximum", 9: " minimum"}
WATT_HOURS = 72
FLOW = {Role.SITE: write.FORWARD, Role.DER: write.REVERSE}
PHASE = {None: "", 128: " A", 64: " B", 32: " C", 129: " A", 65: " B", 33: " C"}


@dataclass(frozen=True, slots=True)
class Place:
    """Which MirrorUsagePoint; with `only` it carries nothing else."""

    role: Role
    only: Series | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a series is posted, and what it is called there; the same through restarts.

    `apart`: each reading type has a MirrorUsagePoint of its own (`mup_layout: reading`), instead of one per role.
    """

    pen: int
    lfdi: str
    apart: bool = False

    def place(self, series: Series) -> Place:
        """The MirrorUsagePoint that carries it."""
        return Place(series.role, series if self.apart else None)

    def mrid(self, place: Place) -> str:
        """mRID of a MirrorUsagePoint."""
        if place.only is None:
            return mrid(self.pen, self.lfdi, int(place.role))
        return mrid(self.pen, self.lfdi, "alone", *_parts(place.only))

    def reading_mrid(self, series: Series) -> str:
        """mRID of a MirrorMeterReading; another one in the other layout, where it belongs to another mirror."""
        apart = ("reading",) if self.apart else ()
        return mrid(self.pen, self.lfdi, *apart, *_parts(series))

    def document(self, place: Place, carries: Iterable[Series], version: Version) -> bytes:
        """A MirrorUsagePoint with the reading types that it carries; no post rate in them: a type may not change."""
        readings = [self._reading_type(series) for series in sorted(carries, key=str)]
        name = ROLE[place.role] if place.only is None else words(place.only)
        return write.mirror_usage_point(self.mrid(place), name, int(place.role), self.lfdi, readings, version)

    def _reading_type(self, series: Series) -> str:
        stored = series.uom == WATT_HOURS
        kind = write.ReadingType(
            uom=series.uom,
            qualifier=series.qualifier,
            flow=write.NO_FLOW if stored else FLOW[series.role],
            kind=write.KIND_ENERGY if stored else write.KIND_POWER,
            power_of_ten=series.power_of_ten,
            interval_s=MINUTE_S,
            phase=series.phase,
        )
        return write.meter_reading_type(self.reading_mrid(series), words(series), kind)


def _parts(series: Series) -> tuple[object, ...]:
    return int(series.role), series.uom, series.qualifier, series.phase


def words(series: Series) -> str:
    """What a series is, for people."""
    return f"{ROLE[series.role]} {UOM[series.uom]}{QUALIFIER[series.qualifier]}{PHASE[series.phase]}"
