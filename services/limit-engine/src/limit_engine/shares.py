"""Who may be given how much of a target: ratings, limits of single inverters, headroom, and who takes part. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from dynexport.sharing import Taker, share_out
from limit_engine.inverters import Track


def by_rating(tracks: Iterable[Track], caps_w: Mapping[str, float]) -> list[Taker]:
    """As if the sun gave each all that it can make; `caps_w` limits single inverters, watts by id."""
    return [
        Taker(track.id, track.rated_w, min(track.rated_w, caps_w.get(track.id, track.rated_w)), track.phase)
        for track in tracks
    ]


def by_use(tracks: Iterable[Track], caps_w: Mapping[str, float], headroom: float | None) -> list[Taker]:
    """Those that do not use their share are held at their use and headroom (a part of the rating)."""
    takers = [Taker(track.id, track.rated_w, track.ceiling_w(headroom), track.phase) for track in tracks]
    if not caps_w:
        return takers
    return [
        taker._replace(ceiling_w=min(taker.ceiling_w, caps_w.get(taker.id, math.inf))) for taker in takers
    ]


def reach_w(
    target_w: float,
    phases_w: Mapping[str, float],
    tracks: Mapping[str, Track],
    taking: Sequence[Track],
    caps_w: Mapping[str, float],
) -> float:
    """How much of a target the phases let through, watts: with all inverters, or with those that take part."""
    everybody = share_out(target_w, by_rating(tracks.values(), caps_w), phases_w)
    if len(taking) == len(tracks):
        return sum(everybody.values())
    present = share_out(target_w, by_rating(taking, caps_w), phases_w)
    return max(sum(everybody.values()), sum(present.values()))


def shares_w(
    total_w: float,
    phases_w: Mapping[str, float],
    tracks: Mapping[str, Track],
    taking: Sequence[Track],
    caps_w: Mapping[str, float],
    headroom: float | None,
) -> dict[str, float]:
    """What each should have now, watts by id.

    One that does not take part (it does not answer) is part of the load, and its share is never raised.
    """
    shares = share_out(total_w, by_use(taking, caps_w, headroom), phases_w)
    if len(taking) < len(tracks):
        fair = share_out(total_w, by_rating(tracks.values(), caps_w), phases_w)
        for name in tracks.keys() - shares.keys():
            shares[name] = min(tracks[name].share_w, fair[name])
    return shares
