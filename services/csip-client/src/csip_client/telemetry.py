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
LAST, AVERAGE, MOST, LEAST = 0, 2, 8, 9


class Role(IntEnum):
    """MirrorUsagePoint.roleFlags: the site (mirror, premises) and the DER (mirror, DER, submeter)."""

    SITE = 0x0003
    DER = 0x0049


@dataclass(frozen=True, slots=True)
class Series:
    """One thing measured: `uom` 38 W, 63 var, 29 V, 33 Hz, 72 Wh; `phase` 128, 64, 32 with A, B, C, None for a total.

    `qualifier` 2 is the average, 8 the maximum, 9 the minimum, 0 the last; `power_of_ten` keeps the decimals.
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
    """The samples of one whole minute: sum, count, least, most and last."""

    total: float = 0.0
    count: int = 0
    least: float = float("inf")
    most: float = float("-inf")
    last: float = 0.0

    def add(self, value: float) -> None:
        """Take a sample in."""
        self.total += value
        self.count += 1
        self.last = value
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
        if self._closed_upto - now > LONGEST_INTERVAL_S:  # the server's clock was far ahead and came back
            self.buckets = {key: bucket for key, bucket in self.buckets.items() if key[1] <= now}
            self._closed_upto = upto
        if upto <= self._closed_upto:
            return
        self.waiting += sorted(self._readings(upto, interval), key=lambda each: each.start)
        self.buckets = {key: bucket for key, bucket in self.buckets.items() if key[1] >= upto}
        self._closed_upto = upto
        too_many = max(0, len(self.waiting) - MOST_WAITING)
        self.dropped += too_many
        del self.waiting[:too_many]

    def _readings(self, upto: int, interval: int) -> Iterator[Reading]:
        """One for each run of minutes that were measured without a gap, within an interval: it covers what it says."""
        runs: dict[tuple[Series, int], tuple[int, list[Bucket]]] = {}  # by the end of the run so far
        over = sorted((key[1], str(key[0]), key[0]) for key in self.buckets if key[1] < upto)
        for minute, _, series in over:
            goes_on = minute % interval != 0 and (series, minute) in runs
            start, buckets = runs.pop((series, minute)) if goes_on else (minute, [])
            runs[series, minute + MINUTE_S] = (start, [*buckets, self.buckets[series, minute]])
        for (series, end), (start, buckets) in runs.items():
            moment = series.qualifier == LAST  # no interval: it stood so at the end of it
            yield Reading(
                series, end if moment else start, 0 if moment else end - start, _value(series, buckets)
            )


def interval_s(post_rate_s: int) -> int:
    """The whole minutes that one reading covers: the post rate, at least one minute, at most an hour."""
    return max(1, min(post_rate_s, LONGEST_INTERVAL_S) // MINUTE_S) * MINUTE_S


def _value(series: Series, buckets: list[Bucket]) -> int:
    if series.qualifier == LAST:
        value = buckets[-1].last
    elif series.qualifier == MOST:
        value = max(bucket.most for bucket in buckets)
    elif series.qualifier == LEAST:
        value = min(bucket.least for bucket in buckets)
    else:  # each minute counts alike, however often it was measured
        value = sum(bucket.total / bucket.count for bucket in buckets) / len(buckets)
    return round(value / 10.0**series.power_of_ten)
