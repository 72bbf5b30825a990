"""What loads and charging batteries may use together under an import and a load limit. Pure: no IO, no clock.

The mirror of the export side. What may be used is the limit less what the rest of the house takes, and the rest is
known only as far as meter and devices are known at the same moment: each meter sample is an interval, tightened on
as soon as all of it lies lower, raised on only when it is settled (`load.py`, the same estimate with its sign turned).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from limit_engine.beside import Beside
from limit_engine.load import LoadFollower, LoadSample
from limit_engine.meter import MeterSample
from limit_engine.ramp import Ramp
from limit_engine.view import CALM, Window

UP_PCT_PER_S = 10.0
ROOF = 2.0  # of what all can use: beyond it no margin of a load that waits is ever missing


@dataclass(frozen=True, slots=True)
class UseLimits:
    """What limits the site's use, watts; None is no limit."""

    import_limit_w: float | None = None
    load_limit_w: float | None = None

    @property
    def any(self) -> bool:
        """Whether one is in force."""
        return self.import_limit_w is not None or self.load_limit_w is not None


@dataclass(frozen=True, slots=True)
class Seen:
    """One meter sample with all that was seen beside it, as least and most over the window of the sample, watts.

    `site_w` is the power at the grid connection, + import; `use_w` what all at the site use, charging counted.
    """

    sample: MeterSample
    window: Window
    site_w: tuple[float, float]
    use_w: tuple[float, float]


@dataclass(slots=True)
class ImportSide:
    """What may be used, over time. `level_w` is what all that obeys may use together now, watts."""

    beside: Beside
    ramp: Ramp = field(init=False)
    _roof_w: float = field(init=False)
    _import: LoadFollower = field(default_factory=LoadFollower)
    _load: LoadFollower = field(default_factory=LoadFollower)
    _sample: MeterSample | None = None
    _complete: bool = False

    def __post_init__(self) -> None:
        capacity_w = self.beside.capacity_w
        self._roof_w = ROOF * capacity_w
        self.ramp = Ramp(self._roof_w, UP_PCT_PER_S / 100.0 * capacity_w)

    def see(self, seen: Seen, mono: float) -> None:
        """Look at the newest meter sample, again and again until everybody was read after it."""
        if seen.sample is not self._sample:
            self._sample, self._complete = seen.sample, False
            self._import.commit()
            self._load.commit()
        if self._complete:
            return
        least_w, most_w = self.beside.used_w(seen.window.start, seen.window.end, mono)
        self._complete = not seen.window.late and not self.beside.late(seen.window.end, mono)
        for follower, (low_w, high_w) in ((self._import, seen.site_w), (self._load, seen.use_w)):
            follower.see(self._room(least_w - high_w, most_w - low_w, seen.window))

    def level_w(self, limits: UseLimits, mono: float, *, known: bool, may_rise: bool) -> float:
        """What all may use together now, watts: without a limit all that they can; 0 while nothing is `known`."""
        if not known:
            self._forget()
        wanted_w = self._roof_w
        if limits.any:
            wanted_w = min(wanted_w, max(0.0, self._allowed_w(limits)))
            may_rise = may_rise and known
        return self.ramp.follow(wanted_w, mono, may_rise=may_rise or not limits.any)

    def _allowed_w(self, limits: UseLimits) -> float:
        allowed = []
        for limit_w, follower in (
            (limits.import_limit_w, self._import),
            (limits.load_limit_w, self._load),
        ):
            if limit_w is not None:
                allowed.append(limit_w + follower.now.least_w if follower.now else 0.0)
        return min(allowed)

    def _room(self, low_w: float, high_w: float, window: Window) -> LoadSample:
        calm = (
            high_w - low_w <= CALM * self.ramp.rate_w_per_s * window.seconds + self.beside.capacity_w * 0.01
        )
        return LoadSample(low_w, high_w, self._complete, calm)

    def _forget(self) -> None:
        self._import.forget()
        self._load.forget()
        self._sample = None
