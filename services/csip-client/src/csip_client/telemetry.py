"""Averages of whole minutes for the mirror usage points: what was measured, labelled with the interval it covers. Pure.

csip.md sections 3 and 7: kind 37 for every reading, totals without a phase, voltage per phase, site + is import.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

MINUTE_S = 60
LONGEST_INTERVAL_S = 3600
MOST_WAITING = 20_000


class Role(IntEnum):
    """MirrorUsagePoint.roleFlags: the site (mirror, premises) and the DER (mirror, DER, submeter)."""

    SITE = 0x0003
    DER = 0x0049


@dataclass(frozen=True, slots=True)
class Series:
    """One thing measured: `uom` 38 W, 63 var, 29 V, 33 Hz; `phase` 128, 64, 32 with A, B, C, None for a total.

    `qualifier` 2 is the average, 8 the maximum, 9 the minimum; `power_of_ten` keeps the decimals.
    """

    role: Role
    uom: int
    phase: int | None = None
    qualifier: int = 2
    power_of_ten: int = -1


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of [start, start + duration): server's seconds; `value` is already scaled to a whole number."""

    series: Series
    start: int
    duration: int
    value: int


@dataclass(slots=True)
class Bucket:
    """The samples of one whole minute: sum, count, least and most."""

    total: float = 0.0
    count: int = 0
    least: float = float("inf")
    most: float = float("-inf")

    def add(self, value: float) -> None:
        """Take a sample in."""
        self.total += value
        self.count += 1
        self.least, self.most = min(self.least, value), max(self.most, value)


@dataclass(slots=True)
class Telemetry:
    """Samples in, readings out: memory is bounded by minutes, never by how often something is measured."""

    buckets: dict[tuple[Series, int], Bucket] = field(default_factory=dict)
    waiting: list[Reading] = field(default_factory=list)
    known: set[Series] = field(default_factory=set)
    dropped: int = 0
    _closed_upto: int = 0

    def sample(self, series: Series, value: float, now: float) -> None:
        """A measurement at `now`, server's seconds; one for an interval that was closed already is ignored."""
        minute = int(now // MINUTE_S) * MINUTE_S
        if minute >= self._closed_upto:
            self.known.add(series)
            self.buckets.setdefault((series, minute), Bucket()).add(value)

    def close(self, now: float, post_rate_s: int) -> None:
        """Turn the intervals that are over into readings that wait to be posted; the oldest go when too many wait."""
        interval = interval_s(post_rate_s)
        upto = int(now // interval) * interval
        if upto <= self._closed_upto:
            return
        self.waiting += sorted(self._readings(upto, interval), key=lambda each: each.start)
        self.buckets = {key: bucket for key, bucket in self.buckets.items() if key[1] >= upto}
        self._closed_upto = upto
        too_many = max(0, len(self.waiting) - MOST_WAITING)
        self.dropped += too_many
        del self.waiting[:too_many]

    def _readings(self, upto: int, interval: int) -> Iterator[Reading]:
        spans: dict[tuple[Series, int], list[Bucket]] = {}
        for (series, minute), bucket in self.buckets.items():
            if minute < upto:
                spans.setdefault((series, minute // interval * interval), []).append(bucket)
        for (series, start), buckets in spans.items():
            yield Reading(series, start, interval, _value(series, buckets))


def interval_s(post_rate_s: int) -> int:
    """The whole minutes that one reading covers: the post rate, at least one minute, at most an hour."""
    return max(1, min(post_rate_s, LONGEST_INTERVAL_S) // MINUTE_S) * MINUTE_S


def _value(series: Series, buckets: list[Bucket]) -> int:
    match series.qualifier:
        case 8:
            value = max(bucket.most for bucket in buckets)
        case 9:
            value = min(bucket.least for bucket in buckets)
        case _:  # each minute counts alike, however often it was measured
            value = sum(bucket.total / bucket.count for bucket in buckets) / len(buckets)
    return round(value / 10.0**series.power_of_ten)
