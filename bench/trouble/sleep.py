"""Inverters that sleep at night: one of three through a whole night, and dusk, night and dawn with two."""

from __future__ import annotations

from collections.abc import Iterator

from bench.scenarios import Figure
from bench.trouble.case import LOAD_HIGH_W, RATED_W, Case, Trouble, tight
from dynexport import topics
from dynexport.messages import Setpoint

SETTLED_W = 50.0
SHARE_KNOWN_S = 2.0


def one_of_three(case: Case) -> Iterator[Figure]:
    """One inverter is dark; the others are driven down and up; at dawn it comes back."""
    case.fault("night", "i2")
    case.site.wait(15.0 if case.brief else 60.0)
    case.settle()
    stepped = case.load(3000.0)
    case.site.wait(12.0)
    away = [
        now.mono for now in case.site.record.since(stepped) if abs(now.export_w - case.limit_w) > SETTLED_W
    ]
    yield Figure("inverter-silent", "settled_s", max(away, default=stepped) - stepped)
    dawn = case.fault("clear")
    yield Figure("inverter-silent", "first_write_over_w", _first_write_over_w(case, "i2", dawn, RATED_W / 3))
    case.site.wait(8.0)
    yield Figure("inverter-silent", "over_s", case.over_s(dawn))
    case.load(LOAD_HIGH_W)
    case.settle()


def two_through_a_night(case: Case) -> Iterator[Figure]:
    """The sun sinks, both inverters go dark, the load drops, and the sun rises in steps."""
    for percent in (60.0, 30.0, 10.0, 3.0):
        case.fault("available_pct", value=percent)
        case.site.wait(3.0)
    case.fault("available_pct", value=0.0)
    case.load(500.0)
    case.site.wait(12.0 if case.brief else 60.0)
    dawn = case.fault("available_pct", value=5.0)
    first_w = max(_first_write_over_w(case, name, dawn, RATED_W / 2) for name in ("i0", "i1"))
    yield Figure("night-two-inverters", "first_write_over_w", first_w)
    for percent in (15.0, 40.0, 100.0):
        case.fault("available_pct", value=percent)
        case.site.wait(6.0)
    case.settle()
    yield Figure("night-two-inverters", "over_s", case.over_s(dawn))


def _first_write_over_w(case: Case, inverter: str, since: float, rated_w: float) -> float:
    """How far its first write since then was above its share as the engine last said it, watts."""
    for _ in range(150):
        writes = [w for w in case.site.record.writes if w.inverter == inverter and w.mono >= since]
        if writes:
            break
        case.site.wait(0.2)
    else:
        raise RuntimeError(f"{inverter} was not written to within 30 s of its return")
    shares = [
        received.message.target_w
        for received in case.heard(topics.SETPOINT, writes[0].mono - SHARE_KNOWN_S)
        if received.id == inverter
        and received.mono <= writes[0].mono
        and isinstance(received.message, Setpoint)
    ]
    if not shares:
        raise RuntimeError(f"no setpoint for {inverter} in the {SHARE_KNOWN_S:.0f} s before its first write")
    return max(0.0, writes[0].pct / 100.0 * rated_w - max(shares))


SLEEP = (
    Trouble(("inverter-silent",), one_of_three, tight(count=3)),
    Trouble(("night-two-inverters",), two_through_a_night, tight(count=2)),
)
