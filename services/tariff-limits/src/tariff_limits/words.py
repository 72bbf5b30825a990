"""A plan in words that a householder understands. Pure."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from tariff_limits.windows import Plan

UNNAMED = "Tariff"
LONGEST_NAME = 200


def reason(plan: Plan, zone: ZoneInfo, now: datetime) -> str:
    """Why the site is limited now, or until when it is not."""
    limits, parts = plan.limits, []
    for what, watts, until in (
        ("export", limits.export_limit_w, plan.export_until),
        ("generation", limits.generation_limit_w, plan.generation_until),
    ):
        if watts is not None:
            said = f"{what} limited to {watts:.0f} W" if watts else f"no {what}"
            parts.append(f"{said}{_until(until, now, zone)}")
    if not parts:
        return f"{UNNAMED}: no limit{_until(plan.until, now, zone)}"
    return f"{' and '.join(limits.names)[:LONGEST_NAME] or UNNAMED}: {', '.join(parts)}"


def _until(moment: datetime | None, now: datetime, zone: ZoneInfo) -> str:
    """` until 16:00`, with the day when it is not today."""
    if moment is None:
        return ""
    local = moment.astimezone(zone)
    clock, days = f"{local:%H:%M}", (local.date() - now.astimezone(zone).date()).days
    if days == 1 and clock == "00:00":
        return " until midnight"
    day = {0: "", 1: " tomorrow"}.get(days, f" on {local.day} {local:%B}")
    return f" until {clock}{day}"
