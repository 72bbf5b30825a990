"""What is known of the site beside meter and limits: what makes power and does not obey us, as each rule counts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dynexport.clock import Fresh
from dynexport.failsafe import at_worst_on, failsafe_phases_w, may_export
from dynexport.messages import HardwareFallback, InverterCapability
from dynexport.settings.models import Battery, Site, Uncontrolled
from dynexport.sharing import PHASES, on_phase
from limit_engine.inverters import Track
from limit_engine.phases import PhaseBounds

READING_AGE_S = 5.0
FULL_PCT = 99.5


@dataclass(slots=True)
class Others:
    """The batteries and generators of `site.yaml` with their last readings, watts, + generation.

    Moments are monotonic seconds at which a power was measured.
    """

    site: Site
    readings: dict[str, Fresh[float]] = field(default_factory=dict)
    full_pct: dict[str, float] = field(default_factory=dict)

    def hear_battery(self, name: str, power_w: float, moment: float, soc_pct: float | None = None) -> None:
        """Take in a battery's reading; one that `site.yaml` does not list is ignored."""
        if any(battery.id == name for battery in self.site.batteries):
            self.readings[name] = Fresh(power_w, moment)
            self.full_pct[name] = 0.0 if soc_pct is None else soc_pct

    def hear_uncontrolled(self, name: str, power_w: float, moment: float) -> None:
        """Take in a generator's reading; one that `site.yaml` does not list is ignored."""
        if any(other.id == name for other in self.site.uncontrolled):
            self.readings[name] = Fresh(power_w, moment)

    def blind_w(self, mono: float) -> float:
        """All that may export and does not obey us: by its fresh reading, else its rating."""
        return sum(self._counted(entry, mono) for entry in may_export(self.site))

    def blind_on_w(self, phase: str, mono: float) -> float:
        """Of that what may be on one phase: all of it where nobody says which phase it feeds."""
        return sum(self._counted(entry, mono) * at_worst_on(phase, entry) for entry in may_export(self.site))

    def pv_w(self, mono: float) -> float:
        """Uncontrolled PV, as a generation limit counts it."""
        return sum(self._counted(entry, mono) for entry in self.site.uncontrolled if entry.kind == "pv")

    def battery_w(self, mono: float) -> float | None:
        """What the batteries deliver together, + discharge; None without a fresh reading of each."""
        powers = [self._fresh(name, mono) for name in batteries(self.site)]
        known = [power for power in powers if power is not None]
        return sum(known) if powers and len(known) == len(powers) else None

    def hidden_w(self, mono: float) -> float:
        """What makes power behind a feed-in meter and is no inverter, as a load limit has to count it: at its most."""
        discharging = [self._counted(entry, mono) for entry in self._all_batteries]
        return self.pv_w(mono) + sum(discharging)

    def charging_w(self, mono: float) -> float:
        """What all batteries charge, where a consumption meter does not say it: at their most where nobody does."""
        return sum(max(0.0, -self._given_w(entry, mono)) for entry in self._all_batteries)

    def supplied_w(self, mono: float) -> float:
        """What others than inverters and grid deliver where only consumption is metered, - charging: at least."""
        pv = [self._fresh(entry.id, mono) or 0.0 for entry in self.site.uncontrolled if entry.kind == "pv"]
        return sum(pv) + sum(self._given_w(entry, mono) for entry in self._all_batteries)

    @property
    def _all_batteries(self) -> list[Battery | Uncontrolled]:
        beside = [battery for battery in self.site.batteries if battery.inverter is None]
        return [*beside, *(entry for entry in self.site.uncontrolled if entry.kind == "battery")]

    def _given_w(self, entry: Battery | Uncontrolled, mono: float) -> float:
        """What it delivers; unread it charges as much as it can."""
        power_w = self._fresh(entry.id, mono)
        if power_w is not None:
            return power_w
        most_w = entry.max_charge_w if isinstance(entry, Battery) else None
        return -(most_w or entry.rated_w)

    def may_charge(self, mono: float) -> list[Battery]:
        """The batteries that answer and are not full, so far as they say how full they are."""
        return [
            battery
            for battery in self.site.batteries
            if self._fresh(battery.id, mono) is not None and self.full_pct.get(battery.id, 0.0) < FULL_PCT
        ]

    def _counted(self, entry: Battery | Uncontrolled, mono: float) -> float:
        power_w = self._fresh(entry.id, mono)
        return entry.rated_w if power_w is None else max(0.0, power_w)

    def _fresh(self, name: str, mono: float) -> float | None:
        reading = self.readings.get(name)
        return None if reading is None else reading.get(READING_AGE_S, mono)


def batteries(site: Site) -> list[str]:
    """All that may absorb what we change: the batteries, and those among what does not obey us.

    What a hybrid inverter's own battery does is in that inverter's reading already.
    """
    return [battery.id for battery in site.batteries if battery.inverter is None] + [
        other.id for other in site.uncontrolled if other.kind == "battery"
    ]


def phase_bounds(others: Others, unseen: Mapping[str, float], mono: float) -> PhaseBounds | None:
    """What limits each phase now; None without a limit per phase. `unseen` as `unseen_w` gives it."""
    site = others.site
    if site.phase_limit_w is None:
        return None
    return PhaseBounds(
        site.phase_limit_w,
        {phase: others.blind_on_w(phase, mono) for phase in PHASES},
        {phase: on_phase(phase, unseen, site.feeds) for phase in PHASES},
        failsafe_phases_w(site),
    )


def unseen_w(
    tracks: Mapping[str, Track], capabilities: Mapping[str, InverterCapability], mono: float
) -> dict[str, float]:
    """What each inverter that does not answer may be making, where no meter can see it, watts by id.

    Nothing when asleep; the last applied limit while it holds; when the device's own timer has run out, the value
    that it then takes; else the rating.
    """
    return {
        name: _unseen(track, capabilities.get(name), mono)
        for name, track in tracks.items()
        if not track.answers(mono)
    }


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
