"""Tariff limits as a service: `limit/tariff` by daily windows, and what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from dynexport import topics
from dynexport.messages import Level, Limit, TariffStatus
from dynexport.ports import RawReceived, Received
from dynexport.service import Context, HealthPart, Moment
from tariff_limits.windows import Plan, plan
from tariff_limits.words import reason

SAY_EVERY_S = 10.0
TTL_S = 60.0
PAST_END = timedelta(seconds=2)
STEP = timedelta(seconds=1)
LOOK_AGAIN_S = 1.0
SOURCE = "tariff"


class TariffLimits:
    """Says every 10 s, and at each boundary, what the windows allow; says nothing by a clock it cannot trust."""

    def __init__(self, context: Context) -> None:
        self._context = context
        section = context.site.tariff
        self._windows = section.windows if section is not None else ()
        self._zone = context.site.site.zone
        self._plan: Plan | None = None
        self._due = float("-inf")
        self._stated = False
        self._trusted = True
        self._boot: datetime | None = None

    def start(self) -> None:
        """Say when there is nothing to do, once."""
        if not self._windows:
            self._context.event(Level.INFO, "idle", "site.yaml has no tariff windows: nothing to do here")

    def connected(self, now: Moment) -> None:
        """Say everything afresh at the next step."""
        self._plan, self._due = None, float("-inf")

    def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
        """Say what is due; wishes to be called at the next boundary."""
        if not self._windows or not self._look_at_clock():
            return LOOK_AGAIN_S
        self._look_for_step(now)
        before = self._plan
        if before is None or not before.holds(now.wall):
            self._plan = plan(self._windows, self._zone, now.wall)
            self._due = now.mono
        assert self._plan is not None
        if now.mono >= self._due:
            self._say(self._plan, now, changed=self._plan is not before)
        left_s = (self._plan.until - now.wall).total_seconds() if self._plan.until else LOOK_AGAIN_S
        return max(0.0, min(self._due - now.mono, left_s))

    def stop(self, now: Moment) -> None:
        """Withdraw what was said: README.md says why."""
        if self._stated:
            self._context.bus.publish(topics.LIMIT, None, SOURCE)
            self._context.bus.publish(topics.TARIFF_STATUS, None)

    def health(self) -> HealthPart:
        """Nothing to add."""
        return HealthPart()

    def _look_at_clock(self) -> bool:
        trusted = self._context.clock_trusted
        if trusted != self._trusted:
            self._trusted, self._plan = trusted, None
            if trusted:
                self._context.event(
                    Level.INFO, "clock_trusted", "the clock can be trusted: tariff windows count"
                )
            else:
                message = "the clock cannot be trusted: tariff windows are unknown, no limit is stated"
                self._context.event(Level.WARNING, "clock_untrusted", message)
        return trusted

    def _look_for_step(self, now: Moment) -> None:
        """A wall clock that jumped makes every deadline that was said wrong: all is said afresh."""
        boot = now.wall - timedelta(seconds=now.mono)
        if self._boot is not None and abs(boot - self._boot) > STEP:
            self._plan = None
        self._boot = boot

    def _say(self, current: Plan, now: Moment, *, changed: bool) -> None:
        self._due = now.mono + SAY_EVERY_S
        if self._context.bus.publish(topics.LIMIT, self._limit(current, now), SOURCE):
            self._stated = True
        if changed:
            self._context.bus.publish(topics.TARIFF_STATUS, self._status(current, now))

    def _limit(self, current: Plan, now: Moment) -> Limit:
        """What any window may set is stated, outside its window as null: no limit."""
        fields: dict[str, Any] = {
            name: getattr(current.limits, name)
            for name in ("export_limit_w", "generation_limit_w")
            if any(getattr(window, name) is not None for window in self._windows)
        }
        ttl_s = TTL_S
        if current.until is not None:
            fields["until"] = current.until
            ttl_s = min(TTL_S, (current.until + PAST_END - now.wall).total_seconds())
        return Limit(issued_at=now.wall, ttl_s=ttl_s, reason=reason(current, self._zone, now.wall), **fields)

    def _status(self, current: Plan, now: Moment) -> TariffStatus:
        coming = current.coming
        return TariffStatus(
            issued_at=now.wall,
            window=" and ".join(current.limits.names) or None,
            export_limit_w=current.limits.export_limit_w,
            until=current.until,
            next_at=coming.at if coming else None,
            next_export_limit_w=coming.limits.export_limit_w if coming else None,
        )


def build(context: Context) -> TariffLimits:
    """The factory for `service.main`."""
    return TariffLimits(context)
