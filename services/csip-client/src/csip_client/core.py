"""The client without threads and without the bus: two lanes that ask and report, and what they make of it.

In production each lane has a thread; a test drives both under one clock that jumps.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass

from csip_client import news
from csip_client.adapters.http import Http
from csip_client.adapters.store import Store
from csip_client.connect import resolve
from csip_client.facts import Facts
from csip_client.fetch import Failure, Fetcher, Refused
from csip_client.layout import Layout
from csip_client.outbox import Outbox
from csip_client.pace import Pace
from csip_client.registration import Identity, Standing
from csip_client.reports import ReportLane
from csip_client.walk import ControlLane
from csip_client.wire.document import Version


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `site.yaml` says of the connection."""

    version: str
    dcap_path: str
    pen: int
    set_max_w: float
    mirrors_apart: bool = False


class Lanes:
    """Both lanes of one connection; `control` and `report` may run in threads of their own."""

    def __init__(
        self,
        http: tuple[Http, Http],
        who: Identity,
        wanted: Wanted,
        store: Store,
        *,
        wall: Callable[[], float],
        mono: Callable[[], float],
        random: Callable[[], float],
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.news: queue.SimpleQueue[news.News] = queue.SimpleQueue()
        self.version: Version | None = None
        self.offset_s: float | None = None
        self._http = http
        self._who = who
        self._wanted = wanted
        self._store = store
        self._wall = wall
        self._mono = mono
        self._wall_less_mono: float | None = None
        self._set_max_w = wanted.set_max_w
        self._random = random
        self._wake = wake
        self._control: ControlLane | None = None
        self._report: ReportLane | None = None
        self._facts: Facts | None = None
        self._pace = Pace(random)  # of the device capability
        self._finding = Pace(random)
        self._not_before = float("-inf")

    def server_now(self) -> float:
        """The server's time, seconds since 1970; ours where it was not given yet."""
        return self._steady() + (self.offset_s or 0.0)

    @property
    def clock_offset_s(self) -> float | None:
        """The server's clock less ours as it is now, seconds; None while the server's was not given."""
        return None if self.offset_s is None else self.server_now() - self._wall()

    def _steady(self) -> float:
        """Our wall clock, which from the first word of the server's time on no step moves: NTP ends no control."""
        return self._wall() if self._wall_less_mono is None else self._mono() + self._wall_less_mono

    def close(self) -> None:
        """Let both connections go, once no lane runs any more."""
        for http in self._http:
            http.close()

    def _known_now(self) -> float | None:
        """The server's time; None while it was not given."""
        return None if self.offset_s is None else self.server_now()

    def give(self, facts: Facts) -> None:
        """What is reported from now on."""
        self._facts = facts
        self._set_max_w = facts.settings.max_w
        if self._report is not None:
            self._report.give(facts)

    @property
    def report(self) -> ReportLane | None:
        """The report lane, once the version is known."""
        return self._report

    def control_due(self, mono: float) -> float:
        """Seconds until the control lane has something to ask."""
        control = self._control
        return self._not_before - mono if control is None else control.due(mono)

    def run_control(self, mono: float) -> None:
        """Find the server, then walk it."""
        if self._control is None:
            self._connect(mono)
            return
        self._control.run(mono)
        if self._control.lost:
            self._control = None  # found again as soon as the device capability may be asked for once more
            self._not_before = self._pace.due

    def report_due(self, mono: float) -> float:
        """Seconds until the report lane has something to send."""
        return 1.0 if self._report is None else self._report.due(mono)

    def run_report(self, mono: float) -> None:
        """Send what is due."""
        if self._report is not None:
            self._report.run(mono)

    def _connect(self, mono: float) -> None:
        self._finding.asked(mono)
        try:
            self.version, dcap = resolve(
                self._http[0], self._wanted.version, self._wanted.dcap_path, self._wall
            )
        except Failure as error:
            self._finding.failed(mono, error.retry_after_s if isinstance(error, Refused) else None)
            self._not_before = self._finding.due
            self._tell(news.Contact(str(error)))
            return
        self._finding.failures = 0
        self._control = ControlLane(
            Fetcher(self._http[0], self.version, self._wall),
            self._who,
            dcap,
            set_max_w=lambda: self._set_max_w,
            tell=self._tell,
            wall=self._steady,
            offset_s=self.offset_s or 0.0,
            random=self._random,
            pace=self._pace,
        )
        if self._report is None or self._report.fetch.version is not self.version:
            self._make_report(Fetcher(self._http[1], self.version, self._wall))

    def _make_report(self, fetch: Fetcher) -> None:
        self._report = ReportLane(
            fetch,
            Outbox(fetch, self._store, self._who.lfdi, self._tell, self._known_now),
            Layout(self._wanted.pen, self._who.lfdi, self._wanted.mirrors_apart),
            tell=self._tell,
            server_now=self.server_now,
            random=self._random,
        )
        if self._facts is not None:
            self._report.give(self._facts)

    def _tell(self, told: news.News) -> None:
        """Pass on to the service what it decides; what the report lane must know goes there at once."""
        control = self._control  # the control lane's thread may set it to None at any moment
        match told:
            case news.TimeKnown(offset_s):
                if self._wall_less_mono is None:
                    self._wall_less_mono = self._wall() - self._mono()
                self.offset_s = offset_s
            case news.Links() if self._report is not None:
                self._report.follow(told)
            case news.Stands(Standing.PIN_MISMATCH) if self._report is not None:
                self._report.halted = True
            case news.Stands(_, True) if self._report is not None:
                self._report.registered_anew()
            case news.Gone() if control is not None:
                control.look_again()
        self.news.put(told)
        self._wake()
