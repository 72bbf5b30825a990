"""Which setpoint is obeyed: contract.md's rules on `setpoint`, `engine_id` and the lease. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from dynexport.messages import Scope, Setpoint

LEASE_S = 15.0
LONGEST_TTL_S = 15.0
MOST_ENGINES = 16


@dataclass(frozen=True, slots=True)
class Accepted:
    """The target in force, watts of generation, and until when it holds (monotonic); `export_limit_w` goes with it."""

    target_w: float
    connect: bool
    seq: int
    engine_id: str
    deadline: float
    export_limit_w: float | None = None

    def limit_w(self, scope: Scope, share_w: float) -> float:
        """What an inverter's own limit is to be, watts of its scope; an engine that does not know of scope `export`
        is taken at no more than the failsafe's.
        """
        if scope is Scope.GENERATION:
            return self.target_w
        return min(self.target_w, share_w) if self.export_limit_w is None else self.export_limit_w


@dataclass(slots=True)
class Acceptance:
    """The lease of one inverter, and the last accepted setpoint."""

    accepted: Accepted | None = None
    holder: str | None = None
    holder_heard: float = -math.inf
    _seqs: dict[str, int] = field(default_factory=dict)

    def offer(self, setpoint: Setpoint, mono: float) -> str | None:
        """Take a live setpoint in; None when it counts, else why it does not."""
        if not math.isfinite(setpoint.target_w) or setpoint.target_w < 0:
            return f"target_w {setpoint.target_w} is no power to make"
        last = self._seqs.get(setpoint.engine_id)
        if last is not None and setpoint.seq <= last:
            return f"seq {setpoint.seq} is not after {last}"
        self._remember(setpoint)
        if self._free(mono) or setpoint.engine_id == self.holder:
            self._hold(setpoint, mono)
            self._accept(setpoint, setpoint.target_w, setpoint.export_limit_w, setpoint.connect, mono)
        else:
            self._tighten(setpoint, mono)
        return None

    def _free(self, mono: float) -> bool:
        return self.holder is None or mono - self.holder_heard > LEASE_S

    def _hold(self, setpoint: Setpoint, mono: float) -> None:
        self.holder, self.holder_heard = setpoint.engine_id, mono
        if setpoint.release:
            self.holder = None

    def _tighten(self, setpoint: Setpoint, mono: float) -> None:
        """Another engine's word while the lease is held can only tighten, and feeds the deadline.

        One that does not know of scope `export` means no more export than what it lets be made.
        """
        standing = self.accepted
        target_w = setpoint.target_w if standing is None else min(setpoint.target_w, standing.target_w)
        export_w = setpoint.export_limit_w
        if standing is not None:
            said_w = setpoint.target_w if export_w is None else export_w
            export_w = None if standing.export_limit_w is None else min(said_w, standing.export_limit_w)
        connect = setpoint.connect and (standing is None or standing.connect)
        self._accept(setpoint, target_w, export_w, connect, mono)

    def _accept(
        self, setpoint: Setpoint, target_w: float, export_w: float | None, connect: bool, mono: float
    ) -> None:
        deadline = mono + min(setpoint.ttl_s, LONGEST_TTL_S)
        self.accepted = Accepted(target_w, connect, setpoint.seq, setpoint.engine_id, deadline, export_w)

    def _remember(self, setpoint: Setpoint) -> None:
        self._seqs.pop(setpoint.engine_id, None)
        self._seqs[setpoint.engine_id] = setpoint.seq
        while len(self._seqs) > MOST_ENGINES:
            del self._seqs[next(iter(self._seqs))]
