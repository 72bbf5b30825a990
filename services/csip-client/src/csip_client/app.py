"""The client as a service: news of the lanes in, `limit/csip` and status out; the bus's measurements to the reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from csip_client import describe, news, storage, voice
from csip_client.adapters.store import Store
from csip_client.core import Lanes
from csip_client.facts import Facts
from csip_client.lane import LaneThread
from csip_client.obey import Now, Obedience
from csip_client.registration import Identity, Standing
from csip_client.seen import Seen
from csip_client.telemetry import Series
from dynexport import messages as m
from dynexport import topics
from dynexport.logs import Repeated
from dynexport.ports import RawReceived, Received
from dynexport.service import Context, HealthPart, Moment
from dynexport.settings.csip import CsipSection
from dynexport.settings.models import Site
from dynexport.watchdog import STALLED

TICK_S = 0.5
LIMIT_EVERY_S, RAMP_EVERY_S, STATUS_EVERY_S, SAMPLE_EVERY_S = 10.0, 1.0, 60.0, 1.0
STUCK_S = 600.0  # a walk of many slow answers, each of which ends by itself
DAYS_WARNED = 60.0
HEARD = (
    topics.METER_READING,
    topics.INVERTER_READING,
    topics.INVERTER_CAPABILITY,
    topics.INVERTER_CONTROL,
    topics.BATTERY_READING,
)


class CsipClient:
    """Obeys one utility server for one site."""

    def __init__(
        self,
        context: Context,
        csip: CsipSection,
        lanes: Lanes,
        store: Store,
        who: Identity,
        obedience: Obedience,
        days_left: float,
    ) -> None:
        self.context = context
        self.csip = csip
        self.lanes = lanes
        self.store = store
        self.who = who
        self.days_left = days_left
        self.known = _remembered(context.site, store)
        self.obedience = obedience
        self.standing = Standing.UNKNOWN
        self.trouble: str | None = None
        self.last_contact: datetime | None = None
        self._repeated = Repeated()
        self.seen = Seen(context.site, context.clock.mono())
        self._said: tuple[object, ...] = ()
        self._said_at, self._said_ttl_s = float("-inf"), LIMIT_EVERY_S
        self._status: tuple[object, ...] = ()
        self._status_at = float("-inf")
        self._schedule: object = None
        self._warned_of_days = False
        self._sampled_at = float("-inf")
        self._threads = [
            LaneThread("csip-control", lanes.control_due, lanes.run_control, context.clock, context.bus.wake),
            LaneThread("csip-report", lanes.report_due, lanes.run_report, context.clock, context.bus.wake),
        ]

    def start(self) -> None:
        """Subscribe to what is reported, and start both lanes."""
        for topic in HEARD:
            self.context.bus.subscribe(topic)
        for thread in self._threads:
            thread.start()

    def connected(self, now: Moment) -> None:
        """Say everything afresh."""
        self._said, self._status, self._schedule = (), (), None

    def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
        """Take in what the lanes and the bus tell, answer, state, report."""
        self._watch_threads(now.mono)
        for received in inbox:
            if isinstance(received, Received):
                self._hear(received, now)
        while not self.lanes.news.empty():
            self._take(self.lanes.news.get(), now)
        self._sample_devices(now.mono)
        server_now = self._server_now()
        may_answer = server_now is not None and self.standing is not Standing.PIN_MISMATCH
        if server_now is not None and may_answer and self.obedience.answer(int(server_now)):
            self._threads[1].wake()
        outcome = self.obedience.now(server_now)
        self._state(outcome, server_now, now)
        self._describe(outcome, now)
        self._tell_status(now)
        return TICK_S

    def stop(self, now: Moment) -> None:
        """The statement ends with its own `ttl_s`, the fallback then counts."""
        for thread in self._threads:
            thread.stop()

    def health(self) -> HealthPart:
        """What is known of the server's clock."""
        return HealthPart(learned={"server_offset_s": self.lanes.offset_s})

    def _server_now(self) -> float | None:
        """The server's time once it was given, or ours where our clock can be trusted."""
        if self.lanes.offset_s is None and not self.context.clock_trusted:
            return None
        return self.lanes.server_now()

    def _take(self, told: news.News, now: Moment) -> None:
        match told:
            case news.Contact(None):
                self.last_contact, self.trouble = now.wall, None
                if times := self._repeated.over("contact"):
                    self.context.event(
                        m.Level.INFO, "csip_back", f"the utility server answers again after {times} failures"
                    )
            case news.Contact(error):
                self.trouble = error
                self._warn("contact", "csip_unreachable", f"utility server: {error}")
            case news.Walked(assignments, at):
                self.obedience.walked(assignments, int(at))
            case news.Stands(standing, afresh):
                if afresh:
                    self.obedience.forget()
                self._stands(standing)
            case news.Odd(code, text):
                self._warn(f"{code} {text[:60]}", code, text)

    def _warn(self, key: str, code: str, text: str) -> None:
        """The first of its kind, then every 60th."""
        number = self._repeated.happened(key)
        if number is not None:
            self.context.event(m.Level.WARNING, code, text, times=number)

    def _stands(self, standing: Standing) -> None:
        if standing is self.standing:
            return
        self.standing = standing
        level = m.Level.INFO if standing is Standing.REGISTERED else m.Level.WARNING
        words = {
            Standing.REGISTERED: "the utility server knows us",
            Standing.WAITING: f"the utility must register us: tell it the LFDI {self.who.lfdi}",
            Standing.DISABLED: "the utility has us registered, but disabled",
            Standing.PIN_MISMATCH: "the server's PIN is not csip.pin: nothing is sent until we restart",
        }
        if standing in words:
            self.context.event(level, f"csip_{standing}", words[standing])

    def _hear(self, received: Received, now: Moment) -> None:
        message, name = received.message, received.id
        if isinstance(message, m.MeterReading):
            self._sample(describe.site_samples(message, self.csip.report_also))
            self.seen.hear(received)
        elif isinstance(message, m.InverterCapability):
            self.known[name] = message
            self.store.set_meta(f"capability {name}", message.to_payload().decode())
        else:
            self.seen.hear(received)

    def _sample_devices(self, mono: float) -> None:
        """Once a second, also when none answers."""
        if mono - self._sampled_at < SAMPLE_EVERY_S:
            return
        self._sampled_at = mono
        self._sample(storage.samples(self.seen.batteries(mono)))
        answering, discharge_w = self.seen.answering(mono), self.seen.discharge_w(mono)
        if answering is not None and discharge_w is not None:
            self._sample(describe.der_samples(answering, self.csip.report_also, discharge_w))

    def _sample(self, found: Iterable[tuple[Series, float]]) -> None:
        report = self.lanes.report
        if report is not None and self.lanes.offset_s is not None:
            moment = self.lanes.server_now()
            for series, value in found:
                report.sample(series, value, moment)

    def _state(self, outcome: Now, server_now: float | None, now: Moment) -> None:
        """`limit/csip`: every 10 s, on change, every second of a ramp; withdrawn where nothing may be stated."""
        stands = self.standing is not Standing.PIN_MISMATCH and self.obedience.knows_anything
        said = voice.limit(outcome, now.wall, server_now) if stands else None
        key = (said.model_dump(exclude={"issued_at", "ttl_s"}) if said else None,)
        age_s = now.mono - self._said_at
        if key == self._said and (said is None or age_s < min(LIMIT_EVERY_S, self._said_ttl_s / 2.0)):
            return
        if self._said and outcome.ramping and said is not None and age_s < RAMP_EVERY_S:
            return
        if self.context.bus.publish(topics.LIMIT, said, "csip"):
            self._said, self._said_at = key, now.mono
            self._said_ttl_s = said.ttl_s if said is not None and said.ttl_s else LIMIT_EVERY_S
        if server_now is not None:
            plan = voice.schedule(self.obedience, outcome, now.wall, server_now)
            stated = plan.model_dump(exclude={"issued_at"})
            if stated != self._schedule and self.context.bus.publish(topics.CSIP_SCHEDULE, plan):
                self._schedule = stated

    def _describe(self, outcome: Now, now: Moment) -> None:
        site = self.context.site
        rated, settings = describe.ratings(site, self.known)
        self.obedience.with_set_max_w(settings.max_w)
        rate = self.obedience.grad_pct_per_s
        grad = round(rate * 100) if rate else self.csip.set_grad_w
        views = self.seen.batteries(now.mono)
        self.lanes.give(
            Facts(
                rated,
                settings,
                describe.modes(self.csip, site),
                describe.der_type(site),
                grad,
                self.seen.status(now.mono, dict(outcome.statement.switches)),
                stored_pct=storage.charge_pct(views),
                stor_connect=storage.connect_status(views, islanded=self.seen.islanded(now.mono)),
            )
        )

    def _tell_status(self, now: Moment) -> None:
        version = self.lanes.version.name if self.lanes.version else None
        key = (self.trouble is None and self.last_contact is not None, self.standing, version)
        if key == self._status and now.mono - self._status_at < STATUS_EVERY_S:
            return
        message = m.CsipStatus(
            issued_at=now.wall,
            reachable=bool(key[0]),
            last_contact_at=self.last_contact,
            certificate_days_left=round(self.days_left, 1),
            standing=self.standing.value,
            version=version,
            lfdi=self.who.lfdi,
            clock_offset_s=self.lanes.clock_offset_s,
            trouble=self.trouble,
        )
        if self.context.bus.publish(topics.CSIP_STATUS, message):
            self._status, self._status_at = key, now.mono
        if self.days_left < DAYS_WARNED and not self._warned_of_days:
            self._warned_of_days = True
            text = f"our certificate ends in {self.days_left:.0f} days: a new one is a new LFDI, to be registered anew"
            self.context.event(m.Level.WARNING, "csip_certificate", text)

    def _watch_threads(self, mono: float) -> None:
        for thread in self._threads:
            if thread.crashed is not None:
                raise thread.crashed
            if thread.busy_for(mono) > STUCK_S:
                self.context.fail(STALLED, f"{thread.name}: an exchange has lasted {STUCK_S:.0f} s")


def _remembered(site: Site, store: Store) -> dict[str, m.InverterCapability]:
    """The nameplates that were met before: what is reported never depends on who answers tonight."""
    texts = {inverter.id: store.meta(f"capability {inverter.id}") for inverter in site.inverters}
    return {
        name: m.InverterCapability.model_validate_json(text)
        for name, text in texts.items()
        if text is not None
    }
