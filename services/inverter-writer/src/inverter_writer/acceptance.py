"""Which setpoint is obeyed: contract.md's rules on `setpoint`, `engine_id` and the lease. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dynexport.messages import Scope, Setpoint
from inverter_writer.lease import Lease, deadline


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
class Acceptance(Lease):
    """The lease of one inverter, and the last accepted setpoint."""

    accepted: Accepted | None = None

    def offer(self, setpoint: Setpoint, mono: float) -> str | None:
        """Take a live setpoint in; None when it counts, else why it does not."""
        if not math.isfinite(setpoint.target_w) or setpoint.target_w < 0:
            return f"target_w {setpoint.target_w} is no power to make"
        if (refused := self.out_of_order(setpoint)) is not None:
            return refused
        if self.holds(setpoint, mono):
            self._accept(setpoint, setpoint.target_w, setpoint.export_limit_w, setpoint.connect, mono)
        else:
            self._tighten(setpoint, mono)
        return None

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
        until = deadline(setpoint, mono)
        self.accepted = Accepted(target_w, connect, setpoint.seq, setpoint.engine_id, until, export_w)
