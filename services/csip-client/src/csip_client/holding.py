"""What a fresh walk of the server's tree does to the controls that we hold. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from csip_client.model import Assignments, Control, Draws, Held, Program, Status

Key = tuple[str, str]
KEPT_S = (
    24 * 3600
)  # what ended and is no longer listed, or was withdrawn, is remembered so long: it may come back
LONGEST_RANDOM_S = 3600
CANCELLED = (Status.CANCELLED, Status.CANCELLED_RANDOMISED)


def absorb(
    held: Mapping[Key, Held], seen: Assignments, now: int, random_upto: Callable[[int], int]
) -> dict[Key, Held]:
    """The controls held after this walk; `random_upto(n)` draws from 0..n (n may be negative: n..0).

    A control that merely disappears goes on; one whose program is withdrawn acts no more and is answered no more
    (CSIP-AUS P-02), but what was drawn for it and answered is remembered: its program may be back at the next poll.
    """
    programs = {(program.device, program.id) for program in seen.programs}
    listed = {control.key: control for control in seen.controls}
    after: dict[Key, Held] = {}
    for key, old in held.items():
        if key not in listed:
            withdrawn = seen.complete and (old.control.device, old.control.program) not in programs
            gone = _withdrawn(old, now) if withdrawn else replace(old, listed=False)
            if now - _forgotten_from(gone) < KEPT_S:
                after[key] = gone
    for key, control in listed.items():
        before = held.get(key)
        if before is not None:
            after[key] = _seen_again(before, control, now)
        elif (fresh := _first_seen(control, now, random_upto)) is not None:
            after[key] = fresh
    return after


def current_programs(before: Iterable[Program], seen: Assignments) -> tuple[Program, ...]:
    """The programs after this walk: those that were seen, and what an incomplete walk has not read yet."""
    stored = {(program.device, program.id): program for program in before}
    fresh = {(program.device, program.id) for program in seen.programs}
    kept = () if seen.complete else (each for key, each in stored.items() if key not in fresh)
    return (*(_with_default(each, stored.get((each.device, each.id))) for each in seen.programs), *kept)


def _with_default(seen: Program, stored: Program | None) -> Program:
    """A default that could not be read is the stored one, with what was found to be unreadable since."""
    if seen.default_read:
        return seen
    old = stored.default if stored is not None else None
    if old is None or seen.default is None:
        return replace(seen, default=old or seen.default, default_read=True)
    values = {**old.values, **seen.default.values}
    return replace(seen, default=replace(old, values=values), default_read=True)


def latest_end(held: Held) -> int:
    """Effective start + duration + random duration, server's seconds: neighbours can only change it a little."""
    return held.control.end + held.draws.start + held.draws.duration


def _withdrawn(held: Held, now: int) -> Held:
    """The first withdrawal counts."""
    return replace(held, listed=False, withdrawn_at=now if held.withdrawn_at is None else held.withdrawn_at)


def _forgotten_from(held: Held) -> int:
    """The moment from which it is kept for KEPT_S more, server's seconds."""
    return latest_end(held) if held.withdrawn_at is None else held.withdrawn_at


def _seen_again(before: Held, control: Control, now: int) -> Held:
    """A withdrawn one that is over when it comes back stays withdrawn: nobody can say that it ran its course."""
    after = _updated(before, control, now)
    return before if before.withdrawn_at is not None and now >= latest_end(after) else after


def _first_seen(control: Control, now: int, random_upto: Callable[[int], int]) -> Held | None:
    """None for one that was over when it was served: it is ignored, whatever its draws would be."""
    if now >= control.end:
        return None
    widest = max(abs(control.randomize_start), abs(control.randomize_duration))
    draws = Draws(
        random_upto(_bounded(control.randomize_start)),
        max(random_upto(_bounded(control.randomize_duration)), -control.duration),
        random_upto(_bounded(widest)),
    )
    return Held(control, control.created, now, draws, now if control.status in CANCELLED else None)


def _updated(held: Held, control: Control, now: int) -> Held:
    """Draws, answers and first sight stay; a new version of the event has a creation time of its own."""
    cancelled_at = held.cancelled_at
    if control.status not in CANCELLED:
        cancelled_at = None
    elif cancelled_at is None:
        cancelled_at = now
    created = held.created if control.version == held.control.version else control.created
    return replace(
        held, control=control, created=created, cancelled_at=cancelled_at, listed=True, withdrawn_at=None
    )


def _bounded(seconds: int) -> int:
    return max(-LONGEST_RANDOM_S, min(LONGEST_RANDOM_S, seconds))
