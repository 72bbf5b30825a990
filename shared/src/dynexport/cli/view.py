"""A snapshot in words: one plain line, or the rows of the live table. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo

from dynexport import messages as m
from dynexport.cli.snapshot import STALE_S, Snapshot

UNKNOWN = "unknown"
NAMES = {
    "export_limit_w": "export limit",
    "generation_limit_w": "generation limit",
    "import_limit_w": "import limit",
    "load_limit_w": "load limit",
}


def watts(value: float | None) -> str:
    """`1500 W`, or unknown."""
    return UNKNOWN if value is None else f"{value:.0f} W"


def age(mono: float, heard: float) -> str:
    """` (12 s old)` for what is stale, nothing for what is fresh."""
    seconds = mono - heard
    return f" ({seconds:.0f} s old)" if seconds > STALE_S else ""


def grid(snapshot: Snapshot, mono: float) -> str:
    """`export 1498 W`, `export 0 W (importing 320 W)` or `export 0 W (islanded: cut off from the grid)`."""
    if snapshot.meter is None:
        return "export unknown"
    reading, heard = snapshot.meter
    if reading.islanded:
        return f"export 0 W (islanded: cut off from the grid){age(mono, heard)}"
    if reading.location is m.Location.CONSUMPTION:
        return f"export unknown, house uses {watts(reading.power_w)}{age(mono, heard)}"
    if reading.power_w <= 0:
        return f"export {watts(-reading.power_w)}{age(mono, heard)}"
    return f"export 0 W (importing {watts(reading.power_w)}){age(mono, heard)}"


def limit(active: m.Active | None, zone: tzinfo | None = None) -> str:
    """`limit 1500 W (manual until 12:00:05)`."""
    if active is None:
        return "limit unknown"
    if not (active.connect and active.energize):
        return f"disconnected by {active.connect_source or active.energize_source}"
    if active.export_limit_w is None:
        return "no limit"
    until = f" until {clock(active.until, zone)}" if active.until else ""
    return f"limit {watts(active.export_limit_w)} ({active.export_limit_source}{until})"


def clock(moment: datetime, zone: tzinfo | None) -> str:
    """The time of day at the site, or in the machine's own zone."""
    return f"{moment.astimezone(zone):%H:%M:%S}"


def line(snapshot: Snapshot, now: datetime, mono: float, zone: tzinfo | None = None) -> str:
    """One plain line of everything that matters."""
    active = snapshot.active[0] if snapshot.active else None
    curtailed = (
        "amount unknown" if active is None or active.curtailed_w is None else watts(active.curtailed_w)
    )
    parts = [
        f"{clock(now, zone)} {grid(snapshot, mono)}",
        limit(active, zone),
        f"made {watts(snapshot.generation_w)}",
        f"curtailed {curtailed}",
        f"mode {active.mode.value if active else UNKNOWN}",
    ]
    down = sorted(name for name, online in snapshot.online.items() if not online)
    if down:
        parts.append(f"offline: {', '.join(down)}")
    return ", ".join(parts)


def envelope_rows(snapshot: Snapshot, zone: tzinfo | None = None) -> list[tuple[str, str, str, str]]:
    """What limits: name, value, source, until."""
    if snapshot.active is None:
        return [("nothing heard from limit-engine yet", "", "", "")]
    active = snapshot.active[0]
    rows = []
    for attribute, name in NAMES.items():
        value = getattr(active, attribute)
        source = getattr(active, f"{attribute.removesuffix('_w')}_source")
        if value is not None or attribute == "export_limit_w":
            until = clock(active.until, zone) if active.until and source not in (None, "agreement") else ""
            rows.append((name, watts(value) if value is not None else "none", source or "", until))
    if active.storage_target_w is not None:
        verb = "charge" if active.storage_target_w < 0 else "discharge"
        wish = f"{verb} {watts(abs(active.storage_target_w))}"
        rows.append(("storage target", wish, active.storage_target_source or "", ""))
    if not (active.connect and active.energize):
        rows.append(("connection", "open", active.connect_source or active.energize_source or "", ""))
    return rows


def inverter_rows(snapshot: Snapshot, mono: float) -> list[tuple[str, str, str, str, str, str]]:
    """Each inverter: id, power, its own state, target, applied, what the writer does."""
    rows = []
    for name in sorted({*snapshot.readings, *snapshot.controls}):
        control = snapshot.controls.get(name)
        reading = snapshot.readings.get(name)
        power = UNKNOWN if reading is None else watts(reading[0].power_w) + age(mono, reading[1])
        state = UNKNOWN if reading is None else reading[0].state.value
        doing = (
            UNKNOWN if control is None else control.state.value + (" CONFLICT" if control.conflict else "")
        )
        target = watts(control.requested_w) if control else UNKNOWN
        rows.append((name, power, state, target, watts(control.applied_w) if control else UNKNOWN, doing))
    return rows


def beside_rows(snapshot: Snapshot, mono: float) -> list[tuple[str, str, str]]:
    """Each load and battery: id, what it uses or gives, what it may or is to do."""
    rows = []
    for name in sorted({*snapshot.loads, *snapshot.allowed}):
        used, allowed = snapshot.loads.get(name), snapshot.allowed.get(name)
        power = UNKNOWN if used is None else f"uses {watts(used[0].power_w)}{age(mono, used[1])}"
        rows.append((name, power, UNKNOWN if allowed is None else f"may use {watts(allowed.target_w)}"))
    for name in sorted({*snapshot.batteries, *snapshot.orders}):
        reading = snapshot.batteries.get(name)
        power = UNKNOWN if reading is None else _flow(reading[0].power_w) + age(mono, reading[1])
        rows.append((name, power, _order(snapshot.orders.get(name))))
    return rows


def _flow(power_w: float) -> str:
    return f"charges {watts(-power_w)}" if power_w < 0 else f"discharges {watts(power_w)}"


def _order(order: m.BatterySetpoint | None) -> str:
    """What a battery is to do; nothing is said to one that we may not command."""
    if order is None:
        return "by itself"
    words = "by itself" if order.target_w is None else f"is to: {_flow(order.target_w)}"
    return words if order.max_charge_w is None else f"{words}, charging at most {watts(order.max_charge_w)}"


def changed_since(infos: Mapping[str, m.Info], sha256: str | None) -> str:
    """`site.yaml was changed after limit-engine started: restart it`; empty where nothing was changed, or known."""
    old = sorted(name for name, info in infos.items() if info.settings_sha256 not in (None, sha256))
    if sha256 is None or not old:
        return ""
    return (
        f"site.yaml was changed after {', '.join(old)} started: restart {'it' if len(old) == 1 else 'them'}"
    )


def service_words(snapshot: Snapshot, mono: float) -> str:
    """`limit-engine ok, meter-reader offline`."""
    words = []
    for name, online in sorted(snapshot.online.items()):
        if not online:
            words.append(f"{name} OFFLINE")
        elif name in snapshot.health and mono - snapshot.health[name][1] > 25.0:
            words.append(f"{name} silent for {mono - snapshot.health[name][1]:.0f} s")
        else:
            words.append(f"{name} ok")
    return ", ".join(words) or "no service heard yet"
