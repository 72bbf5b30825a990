"""Inverters that hold the site's export by loops of their own, beside those that obey us: who gives way. Pure.

Both aim at the same limit, and only one of them closes a loop on it: what we command follows the load and a fixed
split, so that nothing is corrected twice. One that makes more than its part is not pushed back: the others do not rise
into what it has, and give way for it only when the sum stays above the target longer than its own loop needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from limit_engine.inverters import Track

BEYOND = 0.01  # of its rating, above its share
OVER = 0.005  # of all ratings, above the target
GIVE_WAY_AFTER_S = 5.0


@dataclass(slots=True)
class OwnLoops:
    """Since when what all make together has been above the target (monotonic); None while it is not."""

    _over_since: float | None = None

    def make_room(
        self, shares_w: dict[str, float], taking: Sequence[Track], target_w: float, mono: float
    ) -> dict[str, float]:
        """The shares, those of inverters that obey lowered where one with its own loop makes more than its share."""
        own = [track for track in taking if track.by_export]
        if not any(track.power_w > shares_w[track.id] + BEYOND * track.rated_w for track in own):
            self._over_since = None
            return shares_w
        others = [track for track in taking if not track.by_export]
        rated_w = sum(track.rated_w for track in taking)
        made_w = sum(track.power_w for track in taking)
        if made_w <= target_w + OVER * rated_w:
            self._over_since = None
        elif self._over_since is None:
            self._over_since = mono
        left_w = max(0.0, target_w - sum(track.power_w for track in own))
        if self._over_since is None or mono - self._over_since < GIVE_WAY_AFTER_S:
            left_w = max(left_w, sum(track.share_w for track in others))
        wanted_w = sum(shares_w[track.id] for track in others)
        if left_w >= wanted_w:
            return shares_w
        lowered = {track.id: shares_w[track.id] * left_w / wanted_w for track in others}
        return {**shares_w, **lowered}
