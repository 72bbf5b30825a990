"""What the batteries that we may command are to do: follow a target, or take what would be curtailed. Pure.

A target is never a limit: discharging is kept to what the export and generation limits leave, charging to what the
import and load limits leave. A target for discharge goes before the sun: inverters make room for it (`yield_w`), and
the battery grows into the room that the meter shows, so that the two never fill the same watts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from limit_engine.load import LoadFollower, LoadSample
from limit_engine.meter import MeterSample
from limit_engine.ramp import Ramp
from limit_engine.view import CALM, Window

UP_PCT_PER_S = 20.0
SOAK_PCT_PER_S, BACK_PCT_PER_S = 5.0, 2.0
BESIDE_THE_LIMIT_W = 50.0


@dataclass(frozen=True, slots=True)
class StorageBounds:
    """What limits the batteries this cycle, watts; None is no limit.

    `generation_left_w` is what a generation limit leaves beside all that may be made otherwise; `charge_w` what
    import and load limits leave for charging; `surplus_w` what inverters could make and may not, None when unknown.
    """

    target_w: float | None = None
    export_limit_w: float | None = None
    generation_left_w: float | None = None
    charge_w: float = math.inf
    surplus_w: float | None = None
    generation_w: float = 0.0


@dataclass(slots=True)
class Storage:
    """The state between cycles. `yield_w` is the discharge that inverters make room for, watts."""

    rated_w: float
    charge_rated_w: float
    yield_w: float = 0.0
    _room: LoadFollower = field(default_factory=LoadFollower)
    _sample: MeterSample | None = None
    _complete: bool = False
    _out: Ramp = field(init=False)
    _in: Ramp = field(init=False)
    _at: float | None = None

    def __post_init__(self) -> None:
        self._out = Ramp(0.0, UP_PCT_PER_S / 100.0 * self.rated_w)
        self._in = Ramp(0.0, SOAK_PCT_PER_S / 100.0 * self.charge_rated_w)

    def see(
        self,
        sample: MeterSample,
        site_w: tuple[float, float],
        discharge_w: tuple[float, float],
        seen: Window,
        *,
        late: bool,
    ) -> None:
        """A meter sample with what the batteries gave over its window, least and most, watts."""
        if sample is not self._sample:
            self._sample, self._complete = sample, False
            self._room.commit()
        if self._complete:
            return
        self._complete = not (late or seen.late)
        low_w, high_w = site_w[0] + discharge_w[0], site_w[1] + discharge_w[1]
        calm = high_w - low_w <= CALM * self._out.rate_w_per_s * seen.seconds + 0.01 * self.rated_w
        self._room.see(LoadSample(low_w, high_w, self._complete, calm))

    def forget(self) -> None:
        """Closed loop was left: everything is learned anew, and no target is followed meanwhile."""
        self._room.forget()
        self._sample, self.yield_w = None, 0.0
        self._out.level_w = self._in.level_w = 0.0

    def decide(
        self, bounds: StorageBounds, given_w: float, mono: float, *, may_rise: bool
    ) -> tuple[float | None, float]:
        """What all batteries that follow are to give now, watts, + discharge, and the most that they may discharge.

        `given_w` is what they give by their readings. None: each by itself.
        """
        if self._room.now is None:
            self.yield_w = 0.0
            return None, math.inf
        if bounds.target_w is None:
            self.yield_w = self._out.level_w = 0.0
            return self._soak_up(bounds, given_w, mono, may_rise=may_rise), math.inf
        self._in.level_w = 0.0
        if bounds.target_w <= 0.0:
            self.yield_w = self._out.level_w = 0.0
            return max(bounds.target_w, -bounds.charge_w, -self.charge_rated_w), 0.0
        left_w = math.inf if bounds.generation_left_w is None else bounds.generation_left_w
        wanted_w = min(bounds.target_w, self.rated_w, max(0.0, left_w))
        room_w = math.inf
        if bounds.export_limit_w is not None:
            room_w = max(0.0, bounds.export_limit_w + self._room.now.least_w)
            wanted_w = min(wanted_w, room_w + bounds.generation_w)
        self.yield_w = max(0.0, wanted_w - max(0.0, given_w))
        if self._out.level_w <= 0.0:  # from what it gives by itself
            self._out.level_w = max(0.0, min(given_w, wanted_w, room_w))
        level_w = self._out.follow(min(wanted_w, room_w), mono, may_rise=may_rise)
        return level_w, level_w

    def _soak_up(self, bounds: StorageBounds, given_w: float, mono: float, *, may_rise: bool) -> float | None:
        """Charge before curtail: the charging now and what is curtailed beside it; None when there is nothing to take.

        It grows while the site stands at its limit and rests while inverters grow into what it takes. To give back is
        to raise the export, so that is slow, and only when nothing is curtailed; it never makes the site import.
        """
        if bounds.export_limit_w is None or self._room.now is None:
            return None
        charged_w = max(0.0, -given_w)
        export_w = -self._room.now.mean_w - charged_w
        below_w = max(0.0, bounds.export_limit_w - export_w)
        surplus_w = bounds.surplus_w or 0.0
        wanted_w = self._in.level_w
        if surplus_w > BESIDE_THE_LIMIT_W:
            if below_w < self._near_w:
                wanted_w = max(wanted_w, charged_w + surplus_w)
        else:
            wanted_w -= min(
                max(0.0, below_w - self._near_w),
                BACK_PCT_PER_S / 100.0 * self.charge_rated_w * self._since_s(mono),
            )
        self._at = mono
        wanted_w = min(wanted_w, charged_w + export_w) if export_w < 0.0 else wanted_w
        wanted_w = max(0.0, min(wanted_w, bounds.charge_w, self.charge_rated_w))
        level_w = self._in.follow(wanted_w, mono, may_rise=may_rise)
        return -level_w if level_w > 0.0 else None

    def _since_s(self, mono: float) -> float:
        return 0.0 if self._at is None else min(1.0, mono - self._at)

    @property
    def _near_w(self) -> float:
        return max(BESIDE_THE_LIMIT_W * 2.0, 0.02 * self.charge_rated_w)
