"""Tariff limits as a service: `limit/tariff` by daily windows, and what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from dynexport import topics
from dynexport.messages import Level, Limit, TariffStatus
from dynexport.ports import RawReceived, Received
from dynexport.service import Context, HealthPart, Moment
from tariff_limits.windows import Tariff, tariff_at

SAY_EVERY_S = 10.0
TTL_S = 60.0
PAST_END_S = 2.0
IDLE_S = 1.0
SOURCE = "tariff"


class TariffLimits:
    """Says every 10 s, and at each boundary, what the windows allow."""

    def __init__(self, context: Context) -> None:
        self.context = context
        section = context.site.tariff
        self.windows = section.windows if section is not None else ()
        self.zone = context.site.site.zone
        self._said: Tariff | None = None
        self._said_at = float("-inf")
        self._trusted: bool | None = None

    def start(self) -> None:
        """Say when there is nothing to do."""
        if not self.windows:
            self.context.log.info("idle: site.yaml has no tariff windows")

    def connected(self, now: Moment) -> None:
        """Say everything afresh."""
        self._said = None

    def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
        """Publish what is due; wakes at the next boundary."""
        if not self.windows or not self._look_at_clock():
            return IDLE_S
        tariff = tariff_at(self.windows, self.zone, now.wall)
        if tariff != self._said or now.mono - self._said_at >= SAY_EVERY_S:
            self._say(tariff, now)
        until_s = (tariff.until - now.wall).total_seconds() if tariff.until else IDLE_S
        return max(0.0, min(IDLE_S, until_s))

    def stop(self, now: Moment) -> None:
        """Withdraw: a preference whose publisher is gone must not stand on."""
        if self._said is not None:
            self.context.bus.publish(topics.LIMIT, None, SOURCE)

    def health(self) -> HealthPart:
        """Nothing to add."""
        return HealthPart()

    def _look_at_clock(self) -> bool:
        trusted = self.context.clock_trusted
        if trusted != self._trusted:
            if not trusted:
                self.context.event(
                    Level.WARNING,
                    "clock_untrusted",
                    "the wall clock is not to be trusted yet: no tariff limit is said",
                )
            elif self._trusted is not None:
                self.context.event(Level.INFO, "clock_trusted", "the wall clock is to be trusted now")
            self._trusted = trusted
        return trusted

    def _say(self, tariff: Tariff, now: Moment) -> None:
        common: dict[str, Any] = {
            "issued_at": now.wall,
            "ttl_s": _ttl_s(tariff.until, now.wall),
            "until": tariff.until,
            "reason": reason(tariff, self._local(tariff.until)),
        }
        limit = Limit(**common, **self._stated(tariff))
        if not self.context.bus.publish(topics.LIMIT, limit, SOURCE):
            return
        if tariff != self._said:
            self.context.bus.publish(topics.TARIFF_STATUS, self._status(tariff, now.wall))
        self._said, self._said_at = tariff, now.mono

    def _stated(self, tariff: Tariff) -> dict[str, Any]:
        """Every attribute that any window may set is stated, outside its window as null: no limit."""
        fields: dict[str, Any] = {}
        if any(window.export_limit_w is not None for window in self.windows):
            fields["export_limit_w"] = tariff.export_limit_w
        if any(window.generation_limit_w is not None for window in self.windows):
            fields["generation_limit_w"] = tariff.generation_limit_w
        return fields

    def _status(self, tariff: Tariff, now: datetime) -> TariffStatus:
        coming = tariff_at(self.windows, self.zone, tariff.until) if tariff.until else None
        return TariffStatus(
            issued_at=now,
            window=tariff.name,
            export_limit_w=tariff.export_limit_w,
            until=tariff.until,
            next_at=tariff.until,
            next_export_limit_w=coming.export_limit_w if coming else None,
        )

    def _local(self, moment: datetime | None) -> str:
        return "" if moment is None else f" until {moment.astimezone(self.zone):%H:%M}"


def _ttl_s(until: datetime | None, now: datetime) -> float:
    """The deadline of a statement: never past the moment it stops being true, plus 2 s."""
    if until is None:
        return TTL_S
    return min(TTL_S, (until - now + timedelta(seconds=PAST_END_S)).total_seconds())


def reason(tariff: Tariff, until: str) -> str:
    """Why, in words of a householder."""
    name = tariff.name or "tariff"
    parts = []
    if tariff.export_limit_w is not None:
        parts.append(f"export limited to {tariff.export_limit_w:.0f} W")
    if tariff.generation_limit_w is not None:
        parts.append(f"generation limited to {tariff.generation_limit_w:.0f} W")
    return f"{name}: {' and '.join(parts)}{until}" if parts else f"no tariff window{until}"


def build(context: Context) -> TariffLimits:
    """The factory for `service.main`."""
    return TariffLimits(context)
