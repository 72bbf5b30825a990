"""How the things measured are laid out at the server: MirrorUsagePoints, reading types and their mRIDs. Pure.

csip.md section 7, "Reading types": kind 37 for every one; an mRID is a hash over LFDI, role, uom, qualifier, phase.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from csip_client.mrid import mrid
from csip_client.telemetry import Role, Series, interval_s
from csip_client.wire import write
from csip_client.wire.document import Version

ROLE = {Role.SITE: "Site", Role.DER: "DER"}
UOM = {38: "W", 63: "var", 29: "V", 33: "Hz"}
QUALIFIER = {2: "average", 8: "maximum", 9: "minimum"}
PHASE = {None: "", 128: " A", 64: " B", 32: " C", 129: " A", 65: " B", 33: " C"}


@dataclass(frozen=True, slots=True)
class Place:
    """Which MirrorUsagePoint."""

    role: Role


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a series is posted, and what it is called there; the same through restarts."""

    pen: int
    lfdi: str

    def place(self, series: Series) -> Place:
        """The MirrorUsagePoint that carries it."""
        return Place(series.role)

    def mrid(self, place: Place) -> str:
        """mRID of a MirrorUsagePoint."""
        return mrid(self.pen, self.lfdi, int(place.role))

    def reading_mrid(self, series: Series) -> str:
        """mRID of a MirrorMeterReading."""
        return mrid(self.pen, self.lfdi, int(series.role), series.uom, series.qualifier, series.phase)

    def document(self, place: Place, carries: Iterable[Series], post_rate_s: int, version: Version) -> bytes:
        """A MirrorUsagePoint with the reading types that it carries."""
        readings = [self._reading_type(series, post_rate_s) for series in sorted(carries, key=str)]
        return write.mirror_usage_point(
            self.mrid(place), ROLE[place.role], int(place.role), self.lfdi, readings, version
        )

    def _reading_type(self, series: Series, post_rate_s: int) -> str:
        kind = write.ReadingType(
            uom=series.uom,
            qualifier=series.qualifier,
            flow=write.FORWARD if series.role is Role.SITE else write.REVERSE,
            power_of_ten=series.power_of_ten,
            interval_s=interval_s(post_rate_s),
            phase=series.phase,
        )
        return write.meter_reading_type(self.reading_mrid(series), words(series), kind)


def words(series: Series) -> str:
    """What a series is, for people."""
    return f"{ROLE[series.role]} {UOM[series.uom]} {QUALIFIER[series.qualifier]}{PHASE[series.phase]}"
