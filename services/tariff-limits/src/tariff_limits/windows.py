"""Daily windows in the site's time zone: what limits now, when that changes, and what comes then. Pure.

The rule is the householder's: a window is in force while the clock on the wall shows a time inside it. So a window
inside the hour that spring skips does not happen that day, and one inside the hour that autumn repeats happens twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dynexport.settings.models import TariffWindow

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ONE_DAY = timedelta(days=1)
LOOK_AHEAD_DAYS = 400


@dataclass(frozen=True, slots=True)
class Limits:
    """What the windows allow at one moment, watts; None is no limit. `names`: the windows that limit most."""

    export_limit_w: float | None = None
    generation_limit_w: float | None = None
    names: tuple[str, ...] = field(default=(), compare=False)

    def __bool__(self) -> bool:
        """Whether anything is limited."""
        return self != Limits()


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` on, `limits` hold."""

    at: datetime
    limits: Limits


@dataclass(frozen=True, slots=True)
class Plan:
    """True from `since` until before `until` (None: for longer than a year); `coming` is the next limit."""

    since: datetime
    limits: Limits
    until: datetime | None
    export_until: datetime | None
    generation_until: datetime | None
    coming: Change | None

    def holds(self, now: datetime) -> bool:
        """Whether this may be said at `now`; an endless one is looked at anew every day."""
        return self.since <= now < (self.until or self.since + ONE_DAY)


def plan(windows: Sequence[TariffWindow], zone: ZoneInfo, now: datetime) -> Plan:
    """What the windows say at an aware `now`, and what comes."""
    limits = limits_at(windows, zone, now)
    ends: dict[str, datetime] = {}
    until = coming = None
    for change in changes(windows, zone, now):
        until = until or change.at
        if change.limits and coming is None:
            coming = change
        for name in ("export_limit_w", "generation_limit_w"):
            if getattr(change.limits, name) != getattr(limits, name):
                ends.setdefault(name, change.at)
        if coming and all(name in ends for name in _limited(limits)):
            break
    return Plan(now, limits, until, ends.get("export_limit_w"), ends.get("generation_limit_w"), coming)


def limits_at(windows: Sequence[TariffWindow], zone: ZoneInfo, moment: datetime) -> Limits:
    """Per attribute the smallest over all windows in force."""
    wall = moment.astimezone(zone)
    now = [window for window in windows if in_force(window, wall.date(), wall.time())]
    exports = [window.export_limit_w for window in now if window.export_limit_w is not None]
    powers = [window.generation_limit_w for window in now if window.generation_limit_w is not None]
    export, power = min(exports, default=None), min(powers, default=None)
    binding = [
        window.name
        for window in now
        if (export is not None and window.export_limit_w == export)
        or (power is not None and window.generation_limit_w == power)
    ]
    return Limits(export, power, tuple(dict.fromkeys(name for name in binding if name)))


def in_force(window: TariffWindow, day: date, wall: time) -> bool:
    """Whether the window holds at this wall time; past midnight it belongs to the day on which it started."""
    if window.start < window.end:
        return _starts_on(window, day) and window.start <= wall < window.end
    return (_starts_on(window, day) and wall >= window.start) or (
        _starts_on(window, day - ONE_DAY) and wall < window.end
    )


def changes(windows: Sequence[TariffWindow], zone: ZoneInfo, now: datetime) -> Iterator[Change]:
    """Every moment after `now` at which the limits become different, for a little more than a year."""
    before = limits_at(windows, zone, now)
    start = now.astimezone(UTC)
    for number in range(LOOK_AHEAD_DAYS):
        since = start + number * ONE_DAY
        for moment in _edges(windows, zone, since, since + ONE_DAY):
            limits = limits_at(windows, zone, moment)
            if limits != before:
                before = limits
                yield Change(moment, limits)


def _limited(limits: Limits) -> list[str]:
    return [name for name in ("export_limit_w", "generation_limit_w") if getattr(limits, name) is not None]


def _starts_on(window: TariffWindow, day: date) -> bool:
    return day.month in window.months and DAYS[day.weekday()] in window.days


def _edges(
    windows: Sequence[TariffWindow], zone: ZoneInfo, since: datetime, till: datetime
) -> list[datetime]:
    """The moments in (since, till] at which a window may start or end, UTC, in order."""
    first = since.astimezone(zone).date() - ONE_DAY
    walls = set()
    for window in windows:
        for day in (first + number * ONE_DAY for number in range(4)):
            if _starts_on(window, day):
                last = day if window.start < window.end else day + ONE_DAY
                walls |= {datetime.combine(day, window.start), datetime.combine(last, window.end)}
    moments = {
        wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for wall in walls for fold in (0, 1)
    } | _clock_change(zone, since, till)
    return sorted(moment for moment in moments if since < moment <= till)


def _clock_change(zone: ZoneInfo, since: datetime, till: datetime) -> set[datetime]:
    """The moment within a day at which the zone's offset changes, to the second; empty when it does not."""
    if since.astimezone(zone).utcoffset() == till.astimezone(zone).utcoffset():
        return set()
    low, high = since.replace(microsecond=0), till.replace(microsecond=0)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset():
            low = middle
        else:
            high = middle
    return {high}
