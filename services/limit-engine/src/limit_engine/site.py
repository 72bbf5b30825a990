"""What is known of the site beside meter and limits: what makes power and does not obey us, as each rule counts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dynexport.clock import Fresh
from dynexport.messages import HardwareFallback, InverterCapability
from dynexport.settings.models import Site
from limit_engine.inverters import Track

READING_AGE_S = 5.0


@dataclass(slots=True)
class Others:
    """The batteries and generators of `site.yaml` with their last readings, watts, + generation."""

    site: Site
    readings: dict[str, Fresh[float]] = field(default_factory=dict)

    def hear(self, name: str, power_w: float, mono: float) -> None:
        """Take in a reading; names that `site.yaml` does not list are ignored."""
        if name in {battery.id for battery in self.site.batteries} | {
            other.id for other in self.site.uncontrolled
        }:
            self.readings[name] = Fresh(power_w, mono)

    def blind_w(self, mono: float) -> float:
        """All that may export and does not obey us: by its fresh reading, else its rating."""
        batteries = sum(
            self._counted(entry.id, entry.rated_w, mono)
            for entry in self.site.batteries
            if entry.exports != "never"
        )
        return batteries + sum(
            self._counted(entry.id, entry.rated_w, mono)
            for entry in self.site.uncontrolled
            if entry.exports != "never"
        )

    def pv_w(self, mono: float) -> float:
        """Uncontrolled PV, as a generation limit counts it."""
        return sum(
            self._counted(entry.id, entry.rated_w, mono)
            for entry in self.site.uncontrolled
            if entry.kind == "pv"
        )

    def battery_w(self, mono: float) -> float | None:
        """What the batteries deliver together, + discharge; None without a fresh reading of each."""
        powers = [self._fresh(battery.id, mono) for battery in self.site.batteries]
        known = [power for power in powers if power is not None]
        return sum(known) if powers and len(known) == len(powers) else None

    def _counted(self, name: str, rated_w: float, mono: float) -> float:
        power_w = self._fresh(name, mono)
        return rated_w if power_w is None else max(0.0, power_w)

    def _fresh(self, name: str, mono: float) -> float | None:
        reading = self.readings.get(name)
        return None if reading is None else reading.get(READING_AGE_S, mono)


def unseen_w(
    tracks: Mapping[str, Track], capabilities: Mapping[str, InverterCapability], mono: float
) -> float:
    """What the inverters that do not answer may be making, where no meter can see it, watts.

    Nothing when asleep; the last applied limit while it holds; when the device's own timer has run out, the value
    that it then takes; else the rating.
    """
    return sum(
        _unseen(track, capabilities.get(name), mono)
        for name, track in tracks.items()
        if not track.answers(mono)
    )


def _unseen(track: Track, capability: InverterCapability | None, mono: float) -> float:
    if track.asleep:
        return 0.0
    if track.applied_w is None:
        return track.rated_w
    expired = capability is not None and capability.fallback_s and mono - track.heard > capability.fallback_s
    if capability is None or not expired:
        return track.applied_w
    if capability.hardware_fallback is HardwareFallback.CHOSEN_W and capability.fallback_w is not None:
        return capability.fallback_w
    if capability.hardware_fallback is HardwareFallback.HOLDS_LAST:
        return track.applied_w
    return track.rated_w
