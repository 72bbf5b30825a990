"""How a limit moves: setGradW between default and control, rampTms always, and the way back after a reconnection. Pure.

A ramp shapes the limit that we publish, never the actuator (control.md).
"""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT = "default"
RECONNECT_WAIT_S = 60.0
RECONNECT_PCT_PER_S = 100.0 / 6.0 / 60.0  # 16.67 % of setMaxW a minute (GEN-10, ALL-26, ALL-27)


@dataclass(frozen=True, slots=True)
class Ramp:
    """One mode's limit on its way: watts, server's seconds; `origin` is a control's mRID or `default`.

    It moves in a line to `upto_w`, which is the target or setMaxW: beyond that a limit limits nothing.
    """

    origin: str
    from_w: float
    to_w: float
    began: float
    lasts_s: float = 0.0
    upto_w: float = 0.0

    def value(self, now: float) -> float:
        """The limit now, watts: linear, then exactly the target."""
        if self.lasts_s <= 0.0 or now >= self.began + self.lasts_s:
            return self.to_w
        share = max(0.0, now - self.began) / self.lasts_s
        return self.from_w + (self.upto_w - self.from_w) * share


@dataclass(frozen=True, slots=True)
class Rules:
    """`rate_w_per_s` None is no ramp limit; `between_controls` ramps from one control to the next, too."""

    set_max_w: float
    rate_w_per_s: float | None = None
    between_controls: bool = False


def follow(
    before: Ramp | None, origin: str, to_w: float, rules: Rules, now: float, *, ramp_s: float | None = None
) -> Ramp:
    """The limit's ramp after this cycle; `ramp_s` is the acting control's rampTms. At start-up there is none."""
    if before is None:
        return Ramp(origin, to_w, to_w, now)
    if before.origin == origin and before.to_w == to_w:
        return before
    from_w = min(before.value(now), rules.set_max_w)
    upto_w = min(to_w, rules.set_max_w)
    if ramp_s is not None:
        lasts_s = ramp_s
    elif rules.rate_w_per_s and _ramps(before.origin, origin, rules):
        lasts_s = abs(upto_w - from_w) / rules.rate_w_per_s
    else:
        lasts_s = 0.0
    return Ramp(origin, from_w, to_w, now, lasts_s, upto_w)


def _ramps(before: str, after: str, rules: Rules) -> bool:
    return rules.between_controls or DEFAULT in (before, after)


@dataclass(frozen=True, slots=True)
class Connection:
    """Whether connect and energize were true last, and since when they are again; None: never seen false."""

    closed: bool = True
    since: float | None = None

    def after(self, closed: bool, now: float) -> Connection:
        """The state after this cycle."""
        if closed == self.closed:
            return self
        return Connection(closed, now if closed else None)

    def ceiling_w(self, set_max_w: float, now: float) -> float | None:
        """What generation may be at most on the way back, watts; None when nothing of that is in force."""
        if not self.closed or self.since is None:
            return None
        climbing_s = now - self.since - RECONNECT_WAIT_S
        ceiling_w = max(0.0, climbing_s) * set_max_w * RECONNECT_PCT_PER_S / 100.0
        return None if ceiling_w >= set_max_w else ceiling_w
