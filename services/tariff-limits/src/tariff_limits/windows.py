"""Daily windows in the site's time zone: what limits now, when that changes, and what comes then. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from dynexport.settings.models import TariffWindow

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LOOK_AHEAD_DAYS = 8


@dataclass(frozen=True, slots=True)
class Stretch:
    """A window on one day, in UTC: from `start` until before `end`."""

    window: TariffWindow
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Tariff:
    """What windows say at one moment; None is no limit. `name` is that of the window that limits most."""

    export_limit_w: float | None
    generation_limit_w: float | None
    name: str | None
    until: datetime | None


def tariff_at(windows: Sequence[TariffWindow], zone: ZoneInfo, moment: datetime) -> Tariff:
    """The limits in force at an aware `moment`, and until when they stay as they are."""
    stretches = _stretches(windows, zone, moment)
    now = [stretch.window for stretch in stretches if stretch.start <= moment < stretch.end]
    current = _limits(now)
    edges = sorted({edge for stretch in stretches for edge in (stretch.start, stretch.end) if edge > moment})
    until = next((edge for edge in edges if _limits(_in_force(stretches, edge))[:2] != current[:2]), None)
    return Tariff(*current, until)


def _in_force(stretches: Sequence[Stretch], moment: datetime) -> list[TariffWindow]:
    return [stretch.window for stretch in stretches if stretch.start <= moment < stretch.end]


def _limits(windows: Sequence[TariffWindow]) -> tuple[float | None, float | None, str | None]:
    exports = [window.export_limit_w for window in windows if window.export_limit_w is not None]
    powers = [window.generation_limit_w for window in windows if window.generation_limit_w is not None]
    export = min(exports) if exports else None
    power = min(powers) if powers else None
    binding = [w for w in windows if (export is not None and w.export_limit_w == export)] or list(windows)
    return export, power, binding[0].name if binding else None


def _stretches(windows: Sequence[TariffWindow], zone: ZoneInfo, moment: datetime) -> list[Stretch]:
    today = moment.astimezone(zone).date()
    days = [today + timedelta(days=offset) for offset in range(-1, LOOK_AHEAD_DAYS)]
    return [
        _stretch(window, day, zone)
        for window in windows
        for day in days
        if DAYS[day.weekday()] in window.days and day.month in window.months
    ]


def _stretch(window: TariffWindow, day: date, zone: ZoneInfo) -> Stretch:
    """A window that ends before it starts, or when it starts, ends on the next day."""
    last = day if window.end > window.start else day + timedelta(days=1)
    start = datetime.combine(day, window.start, zone).astimezone(UTC)
    end = datetime.combine(last, window.end, zone)
    # in the repeated hour of autumn a window ends at the second pass: never earlier than any clock shows
    return Stretch(window, start, end.replace(fold=1).astimezone(UTC))
