"""The report lane: answers first, then DERCapability, DERSettings and DERStatus, then the mirror usage points."""

from __future__ import annotations

import threading
from collections.abc import Callable

from csip_client import news
from csip_client.ders import DerReports
from csip_client.facts import Facts
from csip_client.fetch import MOVED_OR_GONE, Failure, Fetcher, Refused
from csip_client.layout import Layout
from csip_client.mirrors import DEFAULT_POST_RATE_S, Mirrors
from csip_client.outbox import Outbox
from csip_client.pace import Pace
from csip_client.telemetry import MOST_WAITING, Series, Telemetry

IDLE_S, HALTED_S = 60.0, 3600.0
MOST_PACES = 20
MOST_SAMPLES = 100_000
REDISCOVER_EVERY_S = 300.0
NOWHERE = news.Links(None, None)
Job = tuple[Callable[[float], None], float]


class ReportLane:
    """`due` and `run` are called by one thread; `facts`, `links` and `sample` may be given by another."""

    def __init__(
        self,
        fetch: Fetcher,
        outbox: Outbox,
        layout: Layout,
        *,
        tell: Callable[[news.News], None],
        server_now: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self.fetch = fetch
        self.outbox = outbox
        self.halted = False
        self._layout = layout
        self._tell = tell
        self._now = server_now
        self._random = random
        self._lock = threading.Lock()
        self._facts: Facts | None = None
        self._links = self._followed = NOWHERE
        self._afresh = self._registered_anew = False
        self._told_dropped = 0
        self._gone_until = float("-inf")
        self._samples: list[tuple[Series, float, float]] = []
        self._telemetry = Telemetry()
        self._paces: dict[str, Pace] = {}
        self._ders: DerReports | None = None
        self._mirrors: Mirrors | None = None

    def give(self, facts: Facts) -> None:
        """The facts from now on."""
        with self._lock:
            self._facts = facts

    def follow(self, links: news.Links) -> None:
        """Where reports go from now on; new links, or the same after none, mean that all is put and posted anew."""
        with self._lock:
            self._links = links
            self._afresh = self._afresh or links == NOWHERE

    def registered_anew(self) -> None:
        """The server took our registration as a new one: readings of before are of no use to it."""
        with self._lock:
            self._registered_anew = True

    def sample(self, series: Series, value: float, now: float) -> None:
        """A measurement at `now`, server's seconds."""
        with self._lock:
            self._samples.append((series, value, now))
            del self._samples[:-MOST_SAMPLES]

    def due(self, mono: float) -> float:
        """Seconds until something is to be sent; 0 or less is now."""
        self._take_in(mono)
        if self.halted:
            return HALTED_S
        return min([IDLE_S, self.outbox.due(mono), *(when - mono for _, when in self._jobs())])

    def run(self, mono: float) -> None:
        """Send the most pressing thing."""
        self._take_in(mono)
        if self.halted:
            return
        if self.outbox.due(mono) <= 0.0:
            self.outbox.run(mono)
            return
        job, when = min(self._jobs(), key=lambda each: each[1], default=(None, mono))
        if job is not None and when <= mono:
            self._attempt(job, mono)

    def _take_in(self, mono: float) -> None:
        with self._lock:
            links, facts, samples = self._links, self._facts, self._samples
            afresh, registered_anew = self._afresh, self._registered_anew
            self._samples, self._afresh, self._registered_anew = [], False, False
        if registered_anew:
            self._telemetry = Telemetry()
        for sample in samples if not registered_anew else ():
            self._telemetry.sample(*sample)
        if links != self._followed or afresh or registered_anew:
            self._follow(links, mono)
        if self._mirrors is None:  # there is nowhere to post yet: bounded all the same
            self._telemetry.close(self._now(), DEFAULT_POST_RATE_S)
        if facts is not None and self._ders is not None:
            self._ders.want(facts, mono)

    def _pace(self, href: str, mono: float) -> Pace:
        """How often an address was asked is remembered through a rediscovery, so that none is a storm."""
        if len(self._paces) > MOST_PACES:
            self._paces.clear()
        pace = self._paces.setdefault(href, Pace(self._random))
        pace.soon(mono)
        return pace

    def _follow(self, links: news.Links, mono: float) -> None:
        self._followed = links
        self._ders = self._mirrors = None
        if links.der_list is not None:
            self._ders = DerReports(
                self.fetch,
                links.der_list,
                self._pace(links.der_list, mono),
                tell=self._tell,
                server_now=self._now,
            )
        if links.mirrors is not None:
            self._mirrors = Mirrors(
                self.fetch, links.mirrors, self._layout, self._telemetry,
                self._pace(links.mirrors, mono), tell=self._tell, server_now=self._now,
            )  # fmt: skip

    def _jobs(self) -> list[Job]:
        """Everything that may be done, with the monotonic moment at which it is due."""
        jobs = [job for part in (self._ders, self._mirrors) if part is not None for job in part.jobs()]
        self._tell_dropped()
        return jobs

    def _tell_dropped(self) -> None:
        if self._telemetry.dropped > self._told_dropped:
            text = f"over {MOST_WAITING} readings wait for the server: the oldest are dropped"
            self._tell(news.Odd("csip_readings_dropped", text))
        self._told_dropped = self._telemetry.dropped

    def _attempt(self, job: Callable[[float], None], mono: float) -> None:
        try:
            job(mono)
        except Failure as error:
            self._tell(news.Contact(str(error)))
            if isinstance(error, Refused) and error.status in MOVED_OR_GONE and mono >= self._gone_until:
                self._gone_until = mono + REDISCOVER_EVERY_S
                self._follow(self._followed, mono)
                self._tell(news.Gone())
        else:
            self._tell(news.Contact())
