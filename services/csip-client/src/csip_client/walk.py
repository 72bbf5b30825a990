"""The control lane: device capability, time, registration, assignments, programs, each at the server's own rate.

Follows links only, and asks the device capability at the address that it was given, never at its own href.
"""

from __future__ import annotations

from collections.abc import Callable

from csip_client import news
from csip_client.agenda import DCAP, DEVICES, FSA, PROGRAMS, REGISTRATION, TIME, Agenda
from csip_client.assigned import Assigned
from csip_client.enrolment import Enrolment
from csip_client.fetch import MOVED_OR_GONE, Failure, Fetcher, Refused
from csip_client.pace import Pace
from csip_client.programs import Reader
from csip_client.registration import Identity, Standing
from csip_client.wire import resources as r
from csip_client.wire.document import WireError
from csip_client.wire.read import device_capability, time

UNCOORDINATED = 7
IDLE_S = 3600.0


class ControlLane:
    """`due` and `run` are called by one thread; `pace` is that of the device capability, which outlives us."""

    def __init__(
        self,
        fetch: Fetcher,
        who: Identity,
        dcap: str,
        *,
        set_max_w: Callable[[], float],
        tell: Callable[[news.News], None],
        wall: Callable[[], float],
        offset_s: float,
        random: Callable[[], float],
        pace: Pace,
    ) -> None:
        self.fetch = fetch
        self.lost = False  # the device capability is no longer where it was
        self._address = dcap
        self._tell = tell
        self._wall = wall
        self._offset_s = offset_s
        self._failing = False
        self._afresh = False
        self._look_again = False
        self._dcap: r.DeviceCapability | None = None
        self._absent: str | None = None  # an address at which the server says that no registration stands
        self._agenda = Agenda(random, pace)
        self._enrolment = Enrolment(fetch, who, tell)
        reader = Reader(fetch, who.lfdi, set_max_w, lambda text: tell(news.Odd("csip_unreadable", text)))
        self._assigned = Assigned(fetch, reader)

    @property
    def halted(self) -> bool:
        """Whether the PIN forbids every request until a restart."""
        return self._enrolment.standing is Standing.PIN_MISMATCH

    def look_again(self) -> None:
        """What was reported to is gone; may be called by another thread."""
        self._look_again = True

    def due(self, mono: float) -> float:
        """Seconds until something is to be asked; 0 or less is now."""
        if self._look_again:
            self._look_again = False
            self._agenda.anew(mono, (DCAP, DEVICES, REGISTRATION))
        return IDLE_S if self.halted else self._agenda.due(mono)

    def run(self, mono: float) -> None:
        """Ask the resource that is due."""
        if self.halted:
            return
        name = self._agenda.next(mono)
        pace = self._agenda.paces[name]
        pace.asked(mono)
        try:
            rate_s = self._ask(name, mono)
        except Failure as error:
            self._failed(name, pace, error, mono)
            return
        pace.answered(rate_s)
        self._worked(name, mono)

    def _ask(self, name: str, mono: float) -> float:
        match name:
            case "dcap":
                return self._ask_dcap(mono)
            case "time":
                return self._ask_time()
            case "devices":
                return self._ask_devices(mono)
            case "registration":
                return self._ask_registration()
            case "fsa":
                return self._ask_fsa(mono)
            case _:
                return self._ask_programs(name.removeprefix(PROGRAMS))

    def _ask_dcap(self, mono: float) -> float:
        node = self.fetch.get(self._address)
        if node is None:
            raise WireError("an empty device capability")
        found = self._dcap = device_capability(node)
        self._agenda.keep(TIME, found.TimeLink, mono)
        self._agenda.keep(DEVICES, found.EndDeviceListLink, mono)
        return found.pollRate

    def _ask_time(self) -> float:
        assert self._dcap is not None
        assert self._dcap.TimeLink is not None
        before = self._wall()
        node = self.fetch.get(self._dcap.TimeLink)
        if node is None:
            raise WireError("an empty time")
        found = time(node)
        if found.quality != UNCOORDINATED:
            self._offset_s = found.currentTime - (before + self._wall()) / 2.0
            self._tell(news.TimeKnown(self._offset_s))
        return found.pollRate

    def _ask_devices(self, mono: float) -> float:
        assert self._dcap is not None
        assert self._dcap.EndDeviceListLink is not None
        href = self._dcap.EndDeviceListLink
        rate_s, device = self._enrolment.ask(href)
        if device is None:  # a registration of ours, or one that went: everything below is new either way
            self._forget_below()
            self._afresh = self._enrolment.register(href, int(self._wall() + self._offset_s))
        elif not device.enabled:
            self._forget_below()
            self._enrolment.stand(Standing.DISABLED)
        else:
            self._found(device, mono)
        return rate_s

    def _found(self, device: r.EndDevice, mono: float) -> None:
        self._take(device, mono)
        if not self._pin_is_ours(device, mono):
            return
        self._enrolment.stand(Standing.REGISTERED)
        mirrors = self._dcap.MirrorUsagePointListLink if self._dcap else None
        self._tell(news.Links(device.DERListLink, mirrors))
        self._agenda.keep(FSA, device.FunctionSetAssignmentsListLink, mono)
        self._enrolment.put_point(device.ConnectionPointLink)

    def _take(self, device: r.EndDevice, mono: float) -> None:
        """Our entry as it stands now: where it leads no longer is not asked, another registration is compared anew."""
        before, self._enrolment.device = self._enrolment.device, device
        if before is None or before.RegistrationLink != device.RegistrationLink:
            self._agenda.keep(REGISTRATION, None, mono)
        if device.FunctionSetAssignmentsListLink is None:
            self._agenda.keep(FSA, None, mono)

    def _pin_is_ours(self, device: r.EndDevice, mono: float) -> bool:
        """Looked at before anything else is sent; without a registration there is nothing to compare.

        Only a registration that was read stays on the agenda: one that merely could not be read is no permission.
        """
        href = device.RegistrationLink
        if href is None or REGISTRATION in self._agenda.paces:
            return True
        pace = self._agenda.begin(REGISTRATION, href, mono)
        if pace.due <= mono:
            self._compare(href, pace, mono)
        known = pace.failures == 0  # asked too often lately: its last answer counts, if it was one
        if not known or href == self._absent:
            self._agenda.keep(REGISTRATION, None, mono)
        return known and not self.halted

    def _compare(self, href: str, pace: Pace, mono: float) -> None:
        """Ask the registration at `href`; raises unless it was read, or is not there."""
        pace.asked(mono)
        self._absent = None
        try:
            pace.answered(self._ask_registration())
        except Failure as error:
            self._agenda.keep(REGISTRATION, None, mono)
            if not isinstance(error, Refused) or error.status not in MOVED_OR_GONE:
                pace.failed(mono, error.retry_after_s if isinstance(error, Refused) else None)
                raise
            self._absent, pace.failures = href, 0

    def _ask_registration(self) -> float:
        device = self._enrolment.device
        assert device is not None
        assert device.RegistrationLink is not None
        rate_s = self._enrolment.ask_registration(device.RegistrationLink)
        if self.halted:
            self._forget_below()
        return rate_s

    def _ask_fsa(self, mono: float) -> float:
        device = self._enrolment.device
        assert device is not None
        assert device.FunctionSetAssignmentsListLink is not None
        began = self._wall()
        rate_s = self._assigned.ask_lists(device.FunctionSetAssignmentsListLink)
        self._agenda.keep_programs(self._assigned.lists, mono)
        self._hand_over(began)
        return rate_s

    def _ask_programs(self, href: str) -> float:
        began = self._wall()
        try:
            return self._assigned.ask_programs(href)
        finally:
            self._hand_over(began)

    def _hand_over(self, began: float) -> None:
        """`began` is our time; what was in force then counts as met, even if it is over by now."""
        known = self._assigned.assignments()
        if known is not None:
            self._tell(news.Walked(known, began + self._offset_s))

    def _forget_below(self) -> None:
        """Nothing below the list of end devices is ours any more, or it stands elsewhere now."""
        self._enrolment.device = None
        self._assigned.forget()
        self._agenda.only_above()
        self._tell(news.Links(None, None))

    def _failed(self, name: str, pace: Pace, error: Exception, mono: float) -> None:
        pace.failed(mono, error.retry_after_s if isinstance(error, Refused) else None)
        self._tell(news.Contact(str(error)))
        if not isinstance(error, Refused) or error.status >= 500:
            self._failing = True
        elif error.status in MOVED_OR_GONE:
            self._forget_below()  # P-04: rediscover from the top, never touch an old address again
            self.lost = name == DCAP  # the well-known file may name another place
            if not self.lost:
                self._agenda.anew(mono, (DCAP, DEVICES))

    def _worked(self, name: str, mono: float) -> None:
        self._tell(news.Contact())
        if self._failing:
            self._failing = False
            self._agenda.after_an_outage(name, mono)
        if self._afresh:  # before we were registered, the answers had no pollRate
            self._afresh = False
            self._agenda.anew(mono)
