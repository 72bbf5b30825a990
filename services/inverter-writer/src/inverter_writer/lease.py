"""Which engine's setpoints count: contract.md's rules on `engine_id`, `seq` and the lease. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from dynexport.messages import BatterySetpoint, Setpoint

LEASE_S = 15.0
LONGEST_TTL_S = 15.0
MOST_ENGINES = 16


@dataclass(slots=True)
class Lease:
    """Held by one engine until it is silent for 15 s or lets go; `seq` of each engine only grows."""

    holder: str | None = None
    holder_heard: float = -math.inf
    _seqs: dict[str, int] = field(default_factory=dict)

    def out_of_order(self, setpoint: Setpoint | BatterySetpoint) -> str | None:
        """Why its `seq` does not count; None when it does, and it is remembered."""
        last = self._seqs.get(setpoint.engine_id)
        if last is not None and setpoint.seq <= last:
            return f"seq {setpoint.seq} is not after {last}"
        self._seqs.pop(setpoint.engine_id, None)
        self._seqs[setpoint.engine_id] = setpoint.seq
        while len(self._seqs) > MOST_ENGINES:
            del self._seqs[next(iter(self._seqs))]
        return None

    def holds(self, setpoint: Setpoint | BatterySetpoint, mono: float) -> bool:
        """Whether its engine has the lease now, or takes it; the word of another can only tighten."""
        free = self.holder is None or mono - self.holder_heard > LEASE_S
        if not free and setpoint.engine_id != self.holder:
            return False
        self.holder, self.holder_heard = (None if setpoint.release else setpoint.engine_id), mono
        return True


def deadline(setpoint: Setpoint | BatterySetpoint, mono: float) -> float:
    """Until when it counts (monotonic)."""
    return mono + min(setpoint.ttl_s, LONGEST_TTL_S)
