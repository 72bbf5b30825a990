"""Whether the site is cut off from the grid, beside a meter reading that was taken a moment earlier. Pure."""

from __future__ import annotations

from dataclasses import dataclass

LASTS_S = 10.0


@dataclass(slots=True)
class GridStatus:
    """Remembers what the gateway said last."""

    _last: bool | None = None
    _at: float = float("-inf")

    def said(self, islanded: bool | None, *, known: bool, mono: float) -> bool | None:
        """What counts for this reading; `known` False: the gateway did not answer, and for 10 s its last word counts.

        The meter is asked before the grid, so the first reading after the return may still be one of the cut-off
        site, and counts as that.
        """
        if not known:
            return self._last if mono - self._at <= LASTS_S else None
        before, self._last, self._at = self._last, islanded, mono
        return True if before is True and islanded is False else islanded
