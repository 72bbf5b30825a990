"""What the control law is given, and what it answers: control.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dynexport.messages import Location, Mode
from limit_engine.phases import PhaseBounds

NOTICED_S = 0.1  # from the end of the meter's deadline to the setpoint that answers it


@dataclass(frozen=True, slots=True)
class Plan:
    """The fixed figures of a site: ratings and phases by inverter id, watts, and the settings of the law.

    `has_battery`: something here may absorb what inverters change, a battery or a load that obeys.
    """

    rated_w: Mapping[str, float]
    up_ramp_pct_per_s: float = 20.0
    headroom_pct: float = 10.0
    meter_period_s: float = 0.5
    location: Location = Location.FEED_IN
    has_battery: bool = False
    feeds: Mapping[str, str] = field(default_factory=dict)

    @property
    def total_w(self) -> float:
        """The sum of the ratings."""
        return sum(self.rated_w.values())

    @property
    def open_loop_after_s(self) -> float:
        """How old the last meter reading may be: open loop is in force within 4 s, or 3 periods if longer."""
        return max(4.0, 3.0 * self.meter_period_s) - NOTICED_S


@dataclass(frozen=True, slots=True)
class Bounds:
    """What limits this cycle, watts: None is no limit.

    `blind_w`: all that makes power and does not obey us, as open loop has to count it; `uncontrolled_w`: of
    that what a generation limit counts; `unseen_w`: inverters that do not answer, as both count them;
    `caps_w`: limits of single inverters; `phases`: what limits each phase, None when nothing does.
    """

    export_limit_w: float | None
    generation_limit_w: float | None = None
    failsafe_w: float | None = None
    blind_w: float = 0.0
    uncontrolled_w: float = 0.0
    unseen_w: float = 0.0
    caps_w: Mapping[str, float] = field(default_factory=dict)
    phases: PhaseBounds | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What each inverter is commanded (`commands_w`, gain counted in) and why, watts; `full` names full phases."""

    mode: Mode
    target_w: float
    shares_w: Mapping[str, float]
    commands_w: Mapping[str, float]
    load_w: float | None
    full: tuple[str, ...] = ()
