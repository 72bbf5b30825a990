"""The control lane: device capability, time, registration, assignments, programs, each at the server's own rate.

Follows links only, and asks the device capability at the address that it was given, never at its own href.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from csip_client import news
from csip_client.adapters.http import Unreachable
from csip_client.fetch import MOVED_OR_GONE, Failure, Fetcher, Refused
from csip_client.model import Assignments
from csip_client.pace import Pace
from csip_client.programs import Content, Reader
from csip_client.registration import Identity, Standing, ours, pin_fits, put_connection_point, register
from csip_client.wire import resources as r
from csip_client.wire.document import WireError
from csip_client.wire.read import device_capability, function_set_assignments, poll_rate, time

DCAP, TIME, DEVICES, REGISTRATION, FSA, PROGRAMS = (
    "dcap",
    "time",
    "devices",
    "registration",
    "fsa",
    "programs:",
)
UNCOORDINATED = 7
IDLE_S = 3600.0


@dataclass(slots=True)
class Tree:
    """What has been read since the walk began; everything below a link that changed is forgotten with it."""

    dcap: r.DeviceCapability | None = None
    device: r.EndDevice | None = None
    assignments: tuple[str, ...] = ()  # hrefs of program lists, one per function set assignment
    listed: bool = False
    contents: dict[str, list[Content]] = field(default_factory=dict)


class ControlLane:
    """`due` and `run` are called by one thread; `now` is the server's time as far as it is known, seconds."""

    def __init__(
        self,
        fetch: Fetcher,
        who: Identity,
        dcap: str,
        *,
        set_max_w: float,
        tell: Callable[[news.News], None],
        wall: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self.fetch = fetch
        self.who = who
        self.tree = Tree()
        self.standing = Standing.UNKNOWN
        self._dcap = dcap
        self._tell = tell
        self._wall = wall
        self._random = random
        self._offset_s = 0.0
        self.lost = False
        self._anew = False
        self._failing = False
        self._refused_to_register = False
        self._point_put: str | None = None
        self._reader = Reader(
            fetch, who.lfdi, set_max_w, lambda text: tell(news.Odd("csip_unreadable", text))
        )
        self.paces: dict[str, Pace] = {DCAP: Pace(random)}

    @property
    def halted(self) -> bool:
        """Whether the PIN forbids every request until a restart."""
        return self.standing is Standing.PIN_MISMATCH

    def due(self, mono: float) -> float:
        """Seconds until something is to be asked; 0 or less is now."""
        if self.halted:
            return IDLE_S
        return min(pace.due for pace in self.paces.values()) - mono

    def run(self, mono: float) -> None:
        """Ask the resource that is due; programs go first, because a control may live for a minute only."""
        if self.halted:
            return
        name = min(
            self.paces,
            key=lambda each: (
                self.paces[each].due > mono,
                not each.startswith(PROGRAMS),
                self.paces[each].due,
            ),
        )
        pace = self.paces[name]
        pace.asked(mono)
        try:
            rate_s = self._ask(name, mono)
        except Failure as error:
            self._failed(name, pace, error, mono)
            return
        pace.answered(rate_s)
        self._worked(name, mono)
        if self._anew:  # before we were registered, the answers had no pollRate
            self._anew = False
            for each in self.paces.values():
                each.soon(mono)

    def _urgency(self, name: str, mono: float) -> tuple[bool, bool, float]:
        due = self.paces[name].due
        return due > mono, not name.startswith(PROGRAMS), due

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
        node = self.fetch.get(self._dcap)
        if node is None:
            raise WireError("an empty device capability")
        found = self.tree.dcap = device_capability(node)
        self._keep(TIME, found.TimeLink, mono)
        self._keep(DEVICES, found.EndDeviceListLink, mono)
        return found.pollRate

    def _ask_time(self) -> float:
        assert self.tree.dcap is not None
        assert self.tree.dcap.TimeLink is not None
        before = self._wall()
        node = self.fetch.get(self.tree.dcap.TimeLink)
        if node is None:
            raise WireError("an empty time")
        found = time(node)
        if found.quality != UNCOORDINATED:
            self._offset_s = found.currentTime - (before + self._wall()) / 2.0
            self._tell(news.TimeKnown(self._offset_s))
        return found.pollRate

    def _ask_devices(self, mono: float) -> float:
        assert self.tree.dcap is not None
        href = self.tree.dcap.EndDeviceListLink
        assert href is not None
        first, entries = self.fetch.get_list(href)
        rate_s = poll_rate(first)
        device = ours(entries, self.fetch, self.who.lfdi)
        if device is None:
            self._register(href)
            return rate_s
        if not device.enabled:
            self._forget_below()
            self._stand(Standing.DISABLED)
            return rate_s
        self._found(device, mono)
        return rate_s

    def _register(self, href: str) -> None:
        """A registration of ours, or one that went: everything below is new either way."""
        self._forget_below()
        if self._refused_to_register:
            return
        standing = register(self.fetch, href, self.who, int(self._wall() + self._offset_s))
        self._refused_to_register = standing is Standing.WAITING
        if standing is Standing.REGISTERED:
            self._tell(news.Stands(Standing.UNKNOWN, afresh=True))
            self._anew = True
        else:
            self._stand(standing)

    def _found(self, device: r.EndDevice, mono: float) -> None:
        self._refused_to_register = False
        if not self._pin_is_ours(device, mono):
            return
        self.tree.device = device
        self._put_point(device)
        self._stand(Standing.REGISTERED)
        mirrors = self.tree.dcap.MirrorUsagePointListLink if self.tree.dcap else None
        self._tell(news.Links(device.DERListLink, mirrors))
        self._keep(FSA, device.FunctionSetAssignmentsListLink, mono)

    def _pin_is_ours(self, device: r.EndDevice, mono: float) -> bool:
        """Looked at before anything else is sent; without a link there is nothing to compare."""
        if device.RegistrationLink is None or REGISTRATION in self.paces:
            return True
        self.tree.device = device
        pace = self.paces[REGISTRATION] = Pace(self._random)
        pace.asked(mono)
        try:
            pace.answered(self._ask_registration())
        except Refused as error:
            if error.status not in MOVED_OR_GONE:
                del self.paces[REGISTRATION]
                raise
            del self.paces[REGISTRATION]
        except (Unreachable, WireError):
            del self.paces[REGISTRATION]
            raise
        return not self.halted

    def _ask_registration(self) -> float:
        assert self.tree.device is not None
        assert self.tree.device.RegistrationLink is not None
        fits, rate_s = pin_fits(self.fetch, self.tree.device.RegistrationLink, self.who)
        if not fits:
            self._forget_below()
            self._stand(Standing.PIN_MISMATCH)
        return rate_s

    def _put_point(self, device: r.EndDevice) -> None:
        """The NMI, once per start and value; a refusal is told and not repeated until the settings change."""
        href, nmi = device.ConnectionPointLink, self.who.nmi
        if href is None or nmi is None or self._point_put == nmi:
            return
        try:
            put_connection_point(self.fetch, href, nmi)
        except Refused as error:
            if not error.final:
                raise
            self._tell(
                news.Odd("csip_connection_point", f"the server refused the NMI: {error}; is csip.nmi right?")
            )
        self._point_put = nmi

    def _ask_fsa(self, mono: float) -> float:
        assert self.tree.device is not None
        assert self.tree.device.FunctionSetAssignmentsListLink is not None
        first, nodes = self.fetch.get_list(self.tree.device.FunctionSetAssignmentsListLink)
        found = [function_set_assignments(node) for node in nodes]
        lists = tuple(dict.fromkeys(each.DERProgramListLink for each in found if each.DERProgramListLink))
        self.tree.assignments, self.tree.listed = lists, True
        self.tree.contents = {href: content for href, content in self.tree.contents.items() if href in lists}
        for name in [name for name in self.paces if name.startswith(PROGRAMS)]:
            if name.removeprefix(PROGRAMS) not in lists:
                del self.paces[name]
        for href in lists:
            self._keep(PROGRAMS + href, href, mono)
        self._hand_over()
        return poll_rate(first)

    def _ask_programs(self, href: str) -> float:
        before = {content.program.id: content for content in self.tree.contents.get(href, [])}
        rate_s, self.tree.contents[href] = self._reader.read(href, before)
        self._hand_over()
        return rate_s

    def _hand_over(self) -> None:
        contents = [content for listed in self.tree.contents.values() for content in listed]
        complete = self.tree.listed and set(self.tree.contents) == set(self.tree.assignments)
        if contents or complete:
            programs = tuple(content.program for content in contents)
            controls = tuple(each for content in contents for each in content.controls)
            self._tell(news.Walked(Assignments(programs, controls, complete)))

    def _keep(self, name: str, href: str | None, mono: float) -> None:
        """A resource that a link leads to is asked from now on; without the link no longer."""
        if href is None:
            self.paces.pop(name, None)
        elif name not in self.paces:
            self.paces[name] = Pace(self._random, due=mono)

    def _stand(self, standing: Standing) -> None:
        if standing is not self.standing:
            self.standing = standing
            self._tell(news.Stands(standing))

    def _forget_below(self) -> None:
        """Nothing below the list of end devices is ours any more, or it stands elsewhere now."""
        self.tree = Tree(self.tree.dcap)
        self.paces = {name: pace for name, pace in self.paces.items() if name in (DCAP, TIME, DEVICES)}
        self._tell(news.Links(None, None))

    def _failed(self, name: str, pace: Pace, error: Exception, mono: float) -> None:
        retry_after_s = error.retry_after_s if isinstance(error, Refused) else None
        pace.failed(mono, retry_after_s)
        self._tell(news.Contact(str(error)))
        if isinstance(error, Refused) and error.status in MOVED_OR_GONE and name == DCAP:
            self.lost = True  # the well-known file may name another place
            self._forget_below()
        elif isinstance(error, Refused) and error.status in MOVED_OR_GONE:
            self._forget_below()  # P-04: rediscover from the top, never touch an old address again
            self.paces[DCAP].soon(mono)
            if DEVICES in self.paces:
                self.paces[DEVICES].soon(mono)
        elif not isinstance(error, Refused) or error.status >= 500:
            self._failing = True

    def _worked(self, name: str, mono: float) -> None:
        self._tell(news.Contact())
        if self._failing:
            self._failing = False
            for other, pace in self.paces.items():
                if other != name and pace.failures:
                    pace.soon(mono)
            for other, pace in self.paces.items():
                if other.startswith(PROGRAMS) and other != name:
                    pace.soon(mono)
