"""The mirrors' part of the report lane: makes the MirrorUsagePoints, asks how often they are wanted, posts readings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from csip_client import news
from csip_client.fetch import MOVED_OR_GONE, Failure, Fetcher, Refused
from csip_client.layout import Layout, Place
from csip_client.pace import Pace
from csip_client.telemetry import Reading, Series, Telemetry
from csip_client.wire import write
from csip_client.wire.read import mirror_usage_point, poll_rate

RETRY_S = 10.0
DEFAULT_POST_RATE_S = 300
Job = tuple[Callable[[float], None], float]


@dataclass(slots=True)
class Mirror:
    """One MirrorUsagePoint: where it stands, what it carries there, how often readings are wanted.

    `listed`: the server had it in its list; a server need not say where it put one, the list does.
    """

    place: Place
    location: str | None = None
    carries: frozenset[Series] = frozenset()
    post_rate_s: int = DEFAULT_POST_RATE_S
    listed: bool = False
    not_before: float = float("-inf")
    failures: int = 0

    def failed(self, mono: float, retry_after_s: float | None) -> None:
        """Back off, no longer than its post rate, or as long as the server asks."""
        self.failures += 1
        wait_s = RETRY_S * 2.0 ** min(self.failures - 1, 10)
        longest_s = max(RETRY_S, self.post_rate_s)
        self.not_before = mono + (min(longest_s, wait_s) if retry_after_s is None else retry_after_s)

    def worked(self, mono: float) -> None:
        """The server took what was sent to it."""
        self.failures, self.not_before = 0, mono

    def gone(self, mono: float) -> None:
        """The server has it no more: it is made anew."""
        self.location, self.carries, self.listed = None, frozenset(), False
        self.failed(mono, None)


class Mirrors:
    """What is posted below one MirrorUsagePointList; made anew with new links, while `telemetry` stays."""

    def __init__(
        self,
        fetch: Fetcher,
        mirror_list: str,
        layout: Layout,
        telemetry: Telemetry,
        pace: Pace,
        *,
        tell: Callable[[news.News], None],
        server_now: Callable[[], float],
    ) -> None:
        self._fetch = fetch
        self._list = mirror_list
        self._layout = layout
        self._telemetry = telemetry
        self._tell = tell
        self._now = server_now
        self._pace = pace
        self._mirrors: dict[Place, Mirror] = {}

    def jobs(self) -> Iterator[Job]:
        """What may be done, with the monotonic moment at which it is due."""
        for series in self._telemetry.known:
            place = self._layout.place(series)
            self._mirrors.setdefault(place, Mirror(place))
        rates = [mirror.post_rate_s for mirror in self._mirrors.values()]
        self._telemetry.close(self._now(), min(rates, default=DEFAULT_POST_RATE_S))
        for mirror in self._mirrors.values():
            if self._lacks(mirror):
                yield (lambda at, m=mirror: self._post_mirror(m, at)), mirror.not_before  # type: ignore[misc]
        if any(mirror.carries for mirror in self._mirrors.values()):
            yield self._ask, self._pace.due
        postable = self._next_reading()
        if postable is not None:
            reading, mirror = postable
            yield (lambda at: self._post_reading(reading, mirror, at)), mirror.not_before

    def _lacks(self, mirror: Mirror) -> set[Series]:
        here = {series for series in self._telemetry.known if self._layout.place(series) == mirror.place}
        return here - mirror.carries

    def _post_mirror(self, mirror: Mirror, mono: float) -> None:
        """Make it, or tell the server of new series: the same mRID is an update."""
        carries = frozenset(self._lacks(mirror) | mirror.carries)
        body = self._layout.document(mirror.place, carries, self._fetch.version)
        try:
            made = self._fetch.post(self._list, body)
        except Failure as error:
            mirror.failed(mono, error.retry_after_s if isinstance(error, Refused) else None)
            if isinstance(error, Refused) and error.final:
                self._tell(news.Odd("csip_mirror_refused", f"the server refused our mirror: {error}"))
            raise
        mirror.location = made.location or mirror.location
        mirror.carries = carries
        mirror.worked(mono)
        self._pace.soon(mono)

    def _ask(self, mono: float) -> None:
        """How often readings are wanted; obeyed from the next interval on."""
        self._pace.asked(mono)
        try:
            first, nodes = self._fetch.get_list(self._list)
        except Failure as error:
            self._pace.failed(mono, error.retry_after_s if isinstance(error, Refused) else None)
            raise
        self._pace.answered(poll_rate(first))
        listed = {found.mRID.upper(): found for node in nodes if (found := mirror_usage_point(node)).mRID}
        for mirror in self._mirrors.values():
            there = listed.get(self._layout.mrid(mirror.place))
            if there is not None:
                mirror.listed, mirror.location = True, mirror.location or there.href
                mirror.post_rate_s = there.postRate or mirror.post_rate_s
            elif mirror.listed or (mirror.carries and mirror.location is None):
                mirror.gone(mono)

    def _next_reading(self) -> tuple[Reading, Mirror] | None:
        """The oldest one of the mirror that may be posted to first: one that backs off holds up no other."""
        best: tuple[Reading, Mirror] | None = None
        seen: set[Place] = set()
        for reading in self._telemetry.waiting:
            mirror = self._mirrors[self._layout.place(reading.series)]
            if mirror.place in seen or not mirror.location or reading.series not in mirror.carries:
                continue
            seen.add(mirror.place)
            if best is None or mirror.not_before < best[1].not_before:
                best = reading, mirror
            if len(seen) == len(self._mirrors):
                break
        return best

    def _post_reading(self, reading: Reading, mirror: Mirror, mono: float) -> None:
        assert mirror.location is not None
        number = self._layout.reading_mrid(reading.series)
        body = write.meter_reading(
            number, reading.value, reading.start, reading.duration, self._fetch.version
        )
        try:
            self._fetch.post(mirror.location, body)
        except Refused as error:
            if error.status in MOVED_OR_GONE:  # made anew, and this reading once more
                mirror.gone(mono)
            elif error.final:
                self._telemetry.waiting.remove(reading)
                mirror.worked(mono)
                self._tell(news.Odd("csip_reading_refused", f"a reading is dropped: {error}"))
            else:
                mirror.failed(mono, error.retry_after_s)
            raise
        except Failure:
            mirror.failed(mono, None)
            raise
        mirror.worked(mono)
        self._telemetry.waiting.remove(reading)
