"""Whether the device holds what we wrote: contract.md, row "read-back". Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PATIENCE_S = 300.0
MISMATCHES = 2


class Verdict(StrEnum):
    """What to do about what was read."""

    OURS = "ours"
    OVERWRITE = "overwrite"
    LEAVE = "leave"


@dataclass(slots=True)
class Readback:
    """Compares percentages after rounding to the device's resolution."""

    conflict: bool = False
    _mismatches: int = 0
    _foreign_pct: float | None = None
    _since: float = 0.0

    def see(self, read_pct: float, written_pct: float, resolution_pct: float, mono: float) -> Verdict:
        """A looser foreign value is overwritten at once; a tighter one stands until unchanged for 5 min."""
        if abs(read_pct - written_pct) < 0.5 * resolution_pct:
            self.conflict, self._mismatches, self._foreign_pct = False, 0, None
            return Verdict.OURS
        self._mismatches += 1
        self.conflict = self._mismatches >= MISMATCHES
        if self._foreign_pct is None or abs(read_pct - self._foreign_pct) >= 0.5 * resolution_pct:
            self._foreign_pct, self._since = read_pct, mono
        if read_pct > written_pct or mono - self._since >= PATIENCE_S:
            return Verdict.OVERWRITE
        return Verdict.LEAVE
