"""From what is in force to what `limit/csip` says: ramps applied, the unreadable held at the fallback. Pure.

csip never states "no limit": a mode with neither control nor default is left out, so that the fallback counts
(csip.md, section 7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from csip_client.in_force import InForce, in_force
from csip_client.model import Answer, Held, Mode, Program
from csip_client.ramp import Connection, Ramp, Rules, follow
from csip_client.schedule import effective

WATTS = {
    Mode.EXPORT: "export_limit_w",
    Mode.IMPORT: "import_limit_w",
    Mode.GENERATION: "generation_limit_w",
    Mode.MAXIMUM: "generation_limit_w",
    Mode.LOAD: "load_limit_w",
}
ENDED = frozenset({Answer.COMPLETED, Answer.CANCELLED})
HELD_AT_FALLBACK = ("export_limit_w", "generation_limit_w")


@dataclass(frozen=True, slots=True)
class Shape:
    """What moves a limit from one cycle to the next: a ramp per mode, and the way back from a disconnection."""

    ramps: Mapping[Mode, Ramp] = field(default_factory=dict)
    connection: Connection = field(default_factory=Connection)


@dataclass(frozen=True, slots=True)
class Statement:
    """The attributes of `limit/csip` by their names; one that is not there is not stated. Watts."""

    watts: Mapping[str, float]
    switches: Mapping[str, bool]
    storage_target_w: float | None = None


def state(
    now_in_force: Mapping[Mode, InForce],
    shape: Shape,
    rules: Rules,
    fallback: Mapping[str, float],
    now: float,
    *,
    reconnects_slowly: bool = True,
) -> tuple[Statement, Shape]:
    """This cycle's statement, and the shape for the next; `fallback` is that of `sources.csip`, watts by attribute."""
    ramps = _ramps(now_in_force, shape, rules, now)
    watts: dict[str, float] = {}
    for mode, ramp in ramps.items():
        _tighten(watts, WATTS[mode], ramp.value(now))
    if Mode.UNKNOWN in now_in_force:
        for attribute in HELD_AT_FALLBACK:
            if attribute in fallback:
                _tighten(watts, attribute, fallback[attribute])
    switches = {
        name: bool(now_in_force[mode].value)
        for mode, name in ((Mode.CONNECT, "connect"), (Mode.ENERGIZE, "energize"))
        if mode in now_in_force
    }
    connection = shape.connection.after(all(switches.values()), now)
    ceiling_w = connection.ceiling_w(rules.set_max_w, now) if reconnects_slowly else None
    if ceiling_w is not None:
        _tighten(watts, "generation_limit_w", ceiling_w)
    target = now_in_force.get(Mode.STORAGE_TARGET)
    return (
        Statement(watts, switches, None if target is None else float(target.value)),
        Shape(ramps, connection),
    )


def tightest(held: Iterable[Held], programs: Iterable[Program], fallback: Mapping[str, float]) -> Statement:
    """While the time is not known: the tightest of the stored default and of every stored event that may still act.

    The fallback is left to the engine where no default was ever stored (csip.md: out of touch after a restart); an
    event then states nothing looser than it. One that was answered completed or cancelled has ended.
    """
    now_in_force = dict(in_force({}, programs, 0.0))
    for one in held:
        if effective(one) is not None and not one.answered & ENDED:
            for mode, value in one.control.values.items():
                standing = now_in_force.get(mode)
                held_at = fallback.get(WATTS.get(mode, "")) if standing is None else None
                if held_at is not None:
                    value = min(float(value), held_at)
                if standing is None or value < standing.value:
                    now_in_force[mode] = InForce(value, one)
    statement, _ = state(now_in_force, Shape(), Rules(float("inf")), fallback, 0.0)
    return replace(statement, storage_target_w=None)


def _ramps(now_in_force: Mapping[Mode, InForce], shape: Shape, rules: Rules, now: float) -> dict[Mode, Ramp]:
    found: dict[Mode, Ramp] = {}
    for mode in WATTS:
        stated = now_in_force.get(mode)
        if stated is not None:
            ramp_s = stated.held.control.ramp_s if stated.held is not None else None
            before = shape.ramps.get(mode)
            found[mode] = follow(before, stated.origin, float(stated.value), rules, now, ramp_s=ramp_s)
    return found


def _tighten(watts: dict[str, float], attribute: str, value_w: float) -> None:
    watts[attribute] = min(value_w, watts.get(attribute, value_w))
