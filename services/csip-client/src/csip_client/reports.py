"""The report lane: answers first, then DERCapability, DERSettings and DERStatus, then the mirror usage points."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from csip_client import news
from csip_client.der_status import DerStatus
from csip_client.fetch import MOVED_OR_GONE, Failure, Fetcher, Refused
from csip_client.mrid import mrid
from csip_client.outbox import Outbox
from csip_client.pace import Pace
from csip_client.telemetry import Reading, Role, Series, Telemetry
from csip_client.wire import resources as r
from csip_client.wire import write
from csip_client.wire.document import WireError
from csip_client.wire.read import der, mirror_usage_point, poll_rate

DEBOUNCE_S = 2.0
RETRY_S, LONGEST_RETRY_S = 10.0, 300.0
DEFAULT_POST_RATE_S = 300
UOM = {38: "W", 63: "var", 29: "V", 33: "Hz"}
QUALIFIER = {2: "average", 8: "maximum", 9: "minimum"}
PHASE = {None: "", 128: " A", 64: " B", 32: " C", 129: " A", 65: " B", 33: " C"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the reports are made of now; the service replaces it whole. `grad` in hundredths of a percent a second."""

    ratings: write.Ratings
    settings: write.Ratings
    modes: write.Modes
    der_type: int
    grad: int
    status: DerStatus
    stored_pct: float | None = None
    stor_connect: int | None = None


@dataclass(slots=True)
class Put:
    """One document that is put when it differs from what the server took last; failures back off."""

    sent: object = None
    since: float | None = None
    wanted: object = None
    not_before: float = float("-inf")
    failures: int = 0

    def want(self, thing: object, mono: float) -> None:
        """Remember since when it differs."""
        if thing != self.wanted:
            self.wanted, self.since = thing, mono

    def due(self, debounce_s: float) -> float:
        """When it may go out (monotonic); infinity when nothing differs."""
        if self.wanted is None or self.wanted == self.sent or self.since is None:
            return float("inf")
        first = self.sent is None
        return max(self.since + (0.0 if first else debounce_s), self.not_before)

    def done(self) -> None:
        """The server took it."""
        self.sent, self.failures, self.not_before = self.wanted, 0, float("-inf")

    def failed(self, mono: float, retry_after_s: float | None) -> None:
        """It did not."""
        self.failures += 1
        wait_s = min(LONGEST_RETRY_S, RETRY_S * 2.0 ** min(self.failures - 1, 10))
        self.not_before = mono + (wait_s if retry_after_s is None else retry_after_s)


@dataclass(slots=True)
class Mirror:
    """One MirrorUsagePoint: made when a series of its role is known, where it stands, how often it is wanted."""

    role: Role
    location: str | None = None
    carries: frozenset[Series] = frozenset()
    post_rate_s: int = DEFAULT_POST_RATE_S
    not_before: float = float("-inf")


class ReportLane:
    """`due` and `run` are called by one thread; `facts`, `links` and `sample` may be given by another."""

    def __init__(
        self,
        fetch: Fetcher,
        outbox: Outbox,
        lfdi: str,
        pen: int,
        *,
        tell: Callable[[news.News], None],
        server_now: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self.fetch = fetch
        self.outbox = outbox
        self.halted = False
        self._lfdi = lfdi
        self._pen = pen
        self._tell = tell
        self._now = server_now
        self._random = random
        self._lock = threading.Lock()
        self._facts: Facts | None = None
        self._links = news.Links(None, None)
        self._samples: list[tuple[Series, float, float]] = []
        self._telemetry = Telemetry()
        self._forget()

    def give(self, facts: Facts) -> None:
        """The facts from now on."""
        with self._lock:
            self._facts = facts

    def follow(self, links: news.Links) -> None:
        """Where reports go from now on; new links mean that everything is put and posted anew."""
        with self._lock:
            self._links = links

    def sample(self, series: Series, value: float, now: float) -> None:
        """A measurement at `now`, server's seconds."""
        with self._lock:
            self._samples.append((series, value, now))
            del self._samples[:-100_000]

    def due(self, mono: float) -> float:
        """Seconds until something is to be sent; 0 or less is now."""
        self._take_in(mono)
        if self.halted:
            return 3600.0
        return min([self.outbox.due(mono), *(when - mono for _, when in self._jobs(mono))])

    def run(self, mono: float) -> None:
        """Send the most pressing thing."""
        self._take_in(mono)
        if self.halted:
            return
        if self.outbox.due(mono) <= 0.0:
            self.outbox.run(mono)
            return
        job, when = min(self._jobs(mono), key=lambda each: each[1])
        if when <= mono:
            self._attempt(job, mono)

    def _forget(self) -> None:
        self._der: r.DER | None = None
        self._der_pace = Pace(self._random)
        self._mirror_pace: Pace | None = None
        self._puts = {"capability": Put(), "settings": Put(), "status": Put()}
        self._mirrors = {role: Mirror(role) for role in Role}
        self._followed = news.Links(None, None)

    def _take_in(self, mono: float) -> None:
        with self._lock:
            links, facts, samples = self._links, self._facts, self._samples
            self._samples = []
        for sample in samples:
            self._telemetry.sample(*sample)
        if links != self._followed:
            self._forget()
            self._followed = links
        if facts is not None:
            self._puts["capability"].want((facts.ratings, facts.modes, facts.der_type), mono)
            self._puts["settings"].want((facts.settings, facts.modes, facts.grad), mono)
            self._puts["status"].want((facts.status, facts.stored_pct, facts.stor_connect), mono)

    def _jobs(self, mono: float) -> list[tuple[Callable[[float], None], float]]:
        """Everything that may be done, with the monotonic moment at which it is due."""
        jobs: list[tuple[Callable[[float], None], float]] = [(self._idle, mono + 60.0)]
        if self._followed.der_list is not None:
            jobs.append((self._ask_ders, self._der_pace.due))
        if self._der is not None and self._facts is not None:
            jobs += [
                (lambda at, name=name: self._put(name, at), put.due(DEBOUNCE_S if name == "status" else 0.0))  # type: ignore[misc]
                for name, put in self._puts.items()
            ]
        if self._followed.mirrors is not None:
            jobs += self._mirror_jobs(mono)
        return jobs

    def _mirror_jobs(self, mono: float) -> list[tuple[Callable[[float], None], float]]:
        jobs: list[tuple[Callable[[float], None], float]] = []
        self._telemetry.close(self._now(), min(mirror.post_rate_s for mirror in self._mirrors.values()))
        for mirror in self._mirrors.values():
            known = {series for series, _ in self._telemetry.buckets if series.role is mirror.role}
            known |= {each.series for each in self._telemetry.waiting if each.series.role is mirror.role}
            if known - mirror.carries:
                jobs.append((lambda at, m=mirror, k=known: self._post_mirror(m, k, at), mirror.not_before))  # type: ignore[misc]
        if any(mirror.location for mirror in self._mirrors.values()):
            pace = self._mirror_pace = self._mirror_pace or Pace(self._random)
            jobs.append((self._ask_mirrors, pace.due))
        postable = self._next_reading()
        if postable is not None:
            jobs.append(
                (lambda at: self._post_reading(postable, at), self._mirrors[postable.series.role].not_before)
            )
        return jobs

    def _attempt(self, job: Callable[[float], None], mono: float) -> None:
        try:
            job(mono)
        except Failure as error:
            self._tell(news.Contact(str(error)))
        else:
            self._tell(news.Contact())

    def _idle(self, mono: float) -> None:
        """Nothing to do."""

    def _ask_ders(self, mono: float) -> None:
        """The list of DER; a status goes out at its rate, whatever changed. An empty list is asked again."""
        assert self._followed.der_list is not None
        self._der_pace.asked(mono)
        try:
            first, nodes = self.fetch.get_list(self._followed.der_list)
        except Failure as error:
            self._der_pace.failed(mono, error.retry_after_s if isinstance(error, Refused) else None)
            raise
        self._der_pace.answered(poll_rate(first))
        found = der(nodes[0]) if nodes else None
        if found != self._der:
            self._der = found
            self._puts = {name: Put() for name in self._puts}
        elif self._puts["status"].sent is not None:
            self._puts["status"] = Put()

    def _put(self, name: str, mono: float) -> None:
        assert self._der is not None
        assert self._facts is not None
        put, now = self._puts[name], int(self._now())
        href, body = self._document(name, self._facts, self._der, now)
        if href is None:
            put.done()
            return
        try:
            self.fetch.put(href, body)
        except Refused as error:
            put.failed(mono, error.retry_after_s)
            if error.status in MOVED_OR_GONE:
                self._der_pace.soon(mono)
            elif error.final:
                self._tell(news.Odd("csip_report_refused", f"the server refused our DER {name}: {error}"))
            raise
        except Failure:
            put.failed(mono, None)
            raise
        put.done()

    def _document(self, name: str, facts: Facts, found: r.DER, now: int) -> tuple[str | None, bytes]:
        version = self.fetch.version
        match name:
            case "capability":
                body = write.der_capability(facts.ratings, facts.modes, facts.der_type, version)
                return found.DERCapabilityLink, body
            case "settings":
                return found.DERSettingsLink, write.der_settings(
                    facts.settings, facts.modes, facts.grad, now, version
                )
            case _:
                body = write.der_status(
                    facts.status.connect, facts.status.mode, now, version,
                    stored_pct=facts.stored_pct, stor_connect=facts.stor_connect,
                )  # fmt: skip
                return found.DERStatusLink, body

    def _post_mirror(self, mirror: Mirror, known: set[Series], mono: float) -> None:
        """Make it, or tell the server of new series: the same mRID is an update."""
        assert self._followed.mirrors is not None
        carries = frozenset(known | mirror.carries)
        readings = [self._reading_type(series, mirror.post_rate_s) for series in sorted(carries, key=str)]
        name = "Site" if mirror.role is Role.SITE else "DER"
        number = mrid(self._pen, self._lfdi, int(mirror.role))
        body = write.mirror_usage_point(
            number, name, int(mirror.role), self._lfdi, readings, self.fetch.version
        )
        mirror.not_before = mono + RETRY_S
        made = self.fetch.post(self._followed.mirrors, body)
        if made.location is None and mirror.location is None:
            raise WireError("the server made a MirrorUsagePoint and did not say where")
        mirror.location = made.location or mirror.location
        mirror.carries, mirror.not_before = carries, mono
        if self._mirror_pace is not None:
            self._mirror_pace.soon(mono)

    def _ask_mirrors(self, mono: float) -> None:
        """How often readings are wanted; obeyed from the next interval on."""
        assert self._followed.mirrors is not None
        assert self._mirror_pace is not None
        self._mirror_pace.asked(mono)
        try:
            first, nodes = self.fetch.get_list(self._followed.mirrors)
        except Failure as error:
            self._mirror_pace.failed(mono, error.retry_after_s if isinstance(error, Refused) else None)
            raise
        self._mirror_pace.answered(poll_rate(first))
        listed = {found.mRID.upper(): found for node in nodes if (found := mirror_usage_point(node)).mRID}
        for mirror in self._mirrors.values():
            there = listed.get(mrid(self._pen, self._lfdi, int(mirror.role)))
            if there is not None and there.postRate:
                mirror.post_rate_s = there.postRate

    def _next_reading(self) -> Reading | None:
        """The oldest one whose mirror is made."""
        ready = (each for each in self._telemetry.waiting if self._mirrors[each.series.role].location)
        return next((each for each in ready if each.series in self._mirrors[each.series.role].carries), None)

    def _post_reading(self, reading: Reading, mono: float) -> None:
        mirror = self._mirrors[reading.series.role]
        assert mirror.location is not None
        number = self._reading_mrid(reading.series)
        body = write.meter_reading(number, reading.value, reading.start, reading.duration, self.fetch.version)
        mirror.not_before = mono + RETRY_S
        try:
            self.fetch.post(mirror.location, body)
        except Refused as error:
            if error.status in MOVED_OR_GONE:  # the mirror is gone: made anew, and this reading once more
                self._mirrors[mirror.role] = Mirror(mirror.role, post_rate_s=mirror.post_rate_s)
            elif error.final:
                self._telemetry.waiting.remove(reading)
                mirror.not_before = mono
                self._tell(news.Odd("csip_reading_refused", f"a reading is dropped: {error}"))
            elif error.retry_after_s is not None:
                mirror.not_before = mono + error.retry_after_s
            raise
        mirror.not_before = mono
        self._telemetry.waiting.remove(reading)

    def _reading_type(self, series: Series, post_rate_s: int) -> str:
        flow = write.FORWARD if series.role is Role.SITE else write.REVERSE
        kind = write.ReadingType(
            uom=series.uom,
            qualifier=series.qualifier,
            flow=flow,
            power_of_ten=series.power_of_ten,
            interval_s=max(60, post_rate_s // 60 * 60),
            phase=series.phase,
        )
        name = "Site" if series.role is Role.SITE else "DER"
        words = f"{name} {UOM[series.uom]} {QUALIFIER[series.qualifier]}{PHASE[series.phase]}"
        return write.meter_reading_type(self._reading_mrid(series), words, kind)

    def _reading_mrid(self, series: Series) -> str:
        return mrid(self._pen, self._lfdi, int(series.role), series.uom, series.qualifier, series.phase)
