"""What the law remembers of each inverter: its power, its commands, its gain, and whether it uses its share."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from dynexport.messages import InverterState
from dynexport.sharing import EVENLY
from limit_engine.gain import Gain
from limit_engine.history import Series
from limit_engine.ramp import Ramp
from limit_engine.response import Response

SILENT_S = 5.0
ASLEEP_BELOW_W = 20.0
SLEEPING = (InverterState.OFF, InverterState.SLEEPING)
STILL_S = 3.0
STEP_MOVE = 0.05
WORST_TAU_S = 2.0


@dataclass(slots=True)
class Track:
    """One inverter. `share_w` is what it may make; the command is that divided by its gain.

    `by_export`: it holds the site's export by its own loop and does not obey `share_w`, so that nothing can be learned
    from its answers.
    """

    id: str
    rated_w: float
    ramp: Ramp
    phase: str = EVENLY
    power: Series = field(default_factory=Series)
    gain: Gain = field(default_factory=Gain)
    state: InverterState | None = None
    available_w: float | None = None
    heard: float = float("-inf")
    applied_w: float | None = None
    expected_w: float | None = None
    followed: float = float("-inf")
    idle: bool = False
    response: Response = field(default_factory=Response)
    commanded: tuple[float, float] | None = None
    by_export: bool = False

    @property
    def share_w(self) -> float:
        """What it may make now, watts."""
        return self.ramp.level_w

    @property
    def power_w(self) -> float:
        """What it made at the last reading, watts; 0 before the first."""
        return self.power.samples[-1][1] if self.power.samples else 0.0

    def answers(self, mono: float) -> bool:
        """Whether its last reading is recent enough to take part."""
        return mono - self.heard <= SILENT_S

    @property
    def asleep(self) -> bool:
        """Whether its silence is that of the night: it said so, or made nothing while it was allowed to."""
        if self.state in SLEEPING:
            return True
        return self.power_w < ASLEEP_BELOW_W < self.share_w and self.heard > float("-inf")

    def hear(
        self, moment: float, mono: float, power_w: float, state: InverterState, available_w: float | None
    ) -> None:
        """Take in a reading measured at `moment`."""
        if not self.answers(mono):
            self.power = Series()
            self.idle = False
        self.power.add(moment, power_w)
        self.response.see(moment, power_w)
        self.heard, self.state, self.available_w = mono, state, available_w

    def command(self, share_w: float, mono: float) -> None:
        """Remember a share that was sent; only a move of over 0.5 % of the rating starts a new wait."""
        if self.commanded and abs(share_w - self.commanded[1]) <= 0.005 * self.rated_w:
            return
        fall_w = self.power_w - share_w
        if fall_w > STEP_MOVE * self.rated_w and not self.by_export:
            self.response.step(mono, self.power_w, share_w / self.gain.value)
        else:
            self.response.cancel()
        self.commanded = (mono, share_w)

    def written(self, mono: float, applied_w: float) -> None:
        """The writer says what stands in the inverter now, watts."""
        self._follow(mono)
        self.applied_w = applied_w
        if self.expected_w is None:
            self.expected_w = applied_w

    def _follow(self, mono: float) -> None:
        """Let the expected power go after what was written, with the inverter's own lag."""
        if self.expected_w is not None and self.applied_w is not None:
            share = -math.expm1(-max(0.0, mono - self.followed) / (self.response.tau_s or WORST_TAU_S))
            self.expected_w += (self.applied_w - self.expected_w) * share
        self.followed = mono

    def settled(self, mono: float) -> bool:
        """Whether it has had the time to follow its command, and stands still."""
        wait_s = max(STILL_S, self.response.settles_in_s or 0.0)
        if self.commanded is None or mono - self.commanded[0] < wait_s:
            return False
        return abs(self.power.slope(1.5)) < 0.004 * self.rated_w

    def learn(self, mono: float) -> None:
        """Learn gain, and whether it uses its share, from a settled moment."""
        self._follow(mono)
        if not self.settled(mono) or not self.power.samples:
            return
        power_w = self.power_w
        self.idle = power_w < self.share_w - max(0.03 * self.rated_w, 0.08 * self.share_w)
        if self.by_export or self.expected_w is None or self.applied_w is None:
            return
        if abs(self.expected_w - self.applied_w) < 0.01 * self.rated_w:
            self.gain.learn(power_w, self.expected_w, self.rated_w, at_limit=self._at_limit(power_w))

    def _at_limit(self, power_w: float) -> bool:
        if self.available_w is not None and self.available_w < power_w * 1.02 + 0.01 * self.rated_w:
            return False
        return self.available_w is not None or self.state is InverterState.THROTTLED

    def ceiling_w(self, headroom: float | None) -> float:
        """The most that it may be given: its rating, or use and headroom while it does not use its share."""
        if headroom is None:
            return self.rated_w
        if self.idle and self.power_w >= self.share_w - 0.015 * self.rated_w:
            self.idle = False
        return min(self.rated_w, self.power_w + headroom * self.rated_w) if self.idle else self.rated_w
