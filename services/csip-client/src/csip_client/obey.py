"""From news to a statement: holds programs and controls, answers them, and says what is in force at each moment.

Everything that must survive is in the store before it acts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from csip_client.adapters.store import Store
from csip_client.answers import due
from csip_client.holding import absorb, current_programs
from csip_client.in_force import InForce, grad_pct_per_s, in_force
from csip_client.model import Assignments, Held, Mode, Program
from csip_client.ramp import Rules
from csip_client.schedule import Schedule, next_change, schedule
from csip_client.statement import Shape, Statement, state, tightest

GRAD = "grad_pct_per_s"


@dataclass(frozen=True, slots=True)
class Policy:
    """What `site.yaml` decides: `fallback` is that of `sources.csip`, watts by attribute."""

    set_max_w: float
    fallback: Mapping[str, float]
    between_controls: bool = False
    reconnects_slowly: bool = True


@dataclass(frozen=True, slots=True)
class Now:
    """One moment's outcome. `until` is the next moment at which something starts or ends, server's seconds."""

    statement: Statement
    in_force: Mapping[Mode, InForce]
    until: int | None
    ramping: bool


class Obedience:
    """What we hold of the server's word. `now` is always the server's time; None: it is not known since we started."""

    def __init__(self, store: Store, policy: Policy, random_upto: Callable[[int], int]) -> None:
        self._store = store
        self._policy = policy
        self._random_upto = random_upto
        self.programs: tuple[Program, ...] = store.programs()
        self.held: dict[tuple[str, str], Held] = store.held()
        self.plan: Schedule = schedule(self.held.values())
        self.shape = Shape()
        self.awake_since: float | None = None
        remembered = store.meta(GRAD)
        self.grad_pct_per_s = float(remembered) if remembered is not None else None

    @property
    def knows_anything(self) -> bool:
        """Whether a default or a control is stored that is not withdrawn."""
        return any(one.withdrawn_at is None for one in self.held.values()) or any(
            program.default is not None for program in self.programs
        )

    def walked(self, seen: Assignments, now: int) -> None:
        """A walk of the tree: stored before it counts. A withdrawn default keeps the last rate."""
        held = absorb(self.held, seen, now, self._random_upto)
        programs = current_programs(self.programs, seen)
        if (programs, held) != (self.programs, self.held):
            self._store.save(programs, held)
        self.programs, self.held = programs, held
        self.plan = schedule(held.values())
        rate = grad_pct_per_s(programs)
        if rate is not None and rate != self.grad_pct_per_s:
            self._store.set_meta(GRAD, repr(rate))
            self.grad_pct_per_s = rate

    def forget(self) -> None:
        """A new registration: nothing of before counts."""
        self._store.forget()
        self.programs, self.held, self.plan, self.shape = (), {}, {}, Shape()
        self.grad_pct_per_s = None

    def answer(self, now: int) -> int:
        """Queue the answers that are due; how many."""
        if self.awake_since is None or now < self.awake_since:  # the server's clock may be set back
            self.awake_since = now
        found = due(self.held.values(), self.plan, now, awake_since=self.awake_since)
        for each in found:
            key = each.held.control.key
            self.held[key] = self._store.answer(self.held[key], each.answer, now)
        if found:
            self.plan = schedule(self.held.values())
        return len(found)

    def now(self, now: float | None) -> Now:
        """What is in force; without the server's time the tightest of everything that may be."""
        if now is None:
            return Now(tightest(self.held.values(), self.programs, self._policy.fallback), {}, None, False)
        stated = in_force(self.plan, self.programs, now)
        statement, self.shape = state(
            stated,
            self.shape,
            self._rules(),
            self._policy.fallback,
            now,
            reconnects_slowly=self._policy.reconnects_slowly,
        )
        ramping = any(now < ramp.began + ramp.lasts_s for ramp in self.shape.ramps.values())
        climbing = self.shape.connection.ceiling_w(self._policy.set_max_w, now) is not None
        return Now(statement, stated, next_change(self.plan, now), ramping or climbing)

    def with_set_max_w(self, set_max_w: float) -> None:
        """The inverters' ratings changed: the base of setGradW."""
        self._policy = replace(self._policy, set_max_w=set_max_w)

    def _rules(self) -> Rules:
        """setGradW in watts a second; absent or 0 is no ramp."""
        rate = self.grad_pct_per_s
        rate_w = None if not rate else rate / 100.0 * self._policy.set_max_w
        return Rules(self._policy.set_max_w, rate_w, self._policy.between_controls)
