"""The server's resources, its programs and controls, and every request that came; no sockets.

`now` is the server's own clock, so that tests let hours pass in a moment.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from utility_simulator.document import V1_2, Version, document
from utility_simulator.names import Names


@dataclass(slots=True)
class Program:
    """A DERProgram on the server: controls by mRID as their inner XML, and the default's, None for 404."""

    primacy: int
    controls: dict[str, str] = field(default_factory=dict)
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came: the server's time, what and where, and its body."""

    at: float
    method: str
    path: str
    query: dict[str, list[str]]
    body: bytes
    media_type: str


class Utility:
    """Resources by path; `now` is the server's own clock, seconds."""

    def __init__(
        self, now: Callable[[], float], *, version: Version = V1_2, seed: int = 1, page: int = 10
    ) -> None:
        self.now = now
        self.version = version
        self.page = page
        self.programs: list[list[Program]] = [[]]  # per function set assignment
        self.rates = dict.fromkeys(("dcap", "tm", "edev", "fsa", "der", "derp", "mup", "rg"), 60)
        self.post_rate = 60
        self.registered = False
        self.enabled = True
        self.pin: int | None = None
        self.may_register = True
        self.lfdi = ""
        self.requests: list[Request] = []
        self.failing: Callable[[Request], tuple[int, dict[str, str]] | None] = lambda _: None
        self.names = Names(random.Random(seed))
        self.stored: dict[str, list[bytes]] = {}
        self.mirrors: dict[str, str] = {}
        self._lock = threading.Lock()

    def bodies(self, name: str) -> list[bytes]:
        """What was put or posted to one of our resources."""
        return self.stored.get(name, [])

    def answers(self) -> list[tuple[str, int]]:
        """The DERControlResponses in order: subject and status."""
        found = []
        for body in self.bodies("rsp"):
            text = body.decode()
            found.append(
                (text.split("<subject>")[1].split("<")[0], int(text.split("<status>")[1].split("<")[0]))
            )
        return found

    def handle(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        """Answer one request."""
        with self._lock:
            self.requests.append(request)
            failed = self.failing(request)
            if failed is not None:
                return failed[0], failed[1], b""
            return self._answer(request)

    def _answer(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        name = self.names.of(request.path)
        if name is None:
            return 404, {}, b""
        if request.method == "GET":
            body = self._get(name, request)
            return (404, {}, b"") if body is None else (200, {}, body)
        self.stored.setdefault(name.split(":")[0], []).append(request.body)
        if name == "edev":
            if not self.may_register:
                return 403, {}, b""
            self.registered = True
            return 201, {"Location": self.names["device"]}, b""
        if name == "mup":
            mrid = request.body.decode().split("<mRID>")[1].split("<")[0]
            self.mirrors.setdefault(mrid, self.names[f"mirror:{mrid}"])
            return 201, {"Location": self.mirrors[mrid]}, b""
        return (204, {}, b"") if request.method == "PUT" else (201, {}, b"")

    def _get(self, name: str, request: Request) -> bytes | None:
        n = self.names
        match name.split(":"):
            case ["dcap"]:
                links = (
                    f'<EndDeviceListLink href="{n["edev"]}"/><MirrorUsagePointListLink href="{n["mup"]}"/>'
                )
                return self._doc("DeviceCapability", f'<TimeLink href="{n["tm"]}"/>{links}', "dcap")
            case ["tm"]:
                return self._doc(
                    "Time", f"<currentTime>{int(self.now())}</currentTime><quality>4</quality>", "tm"
                )
            case ["edev"]:
                return self._list(
                    "EndDeviceList", [self._device()] if self.registered else [], "edev", request
                )
            case ["rg"]:
                inside = f"<dateTimeRegistered>0</dateTimeRegistered><pIN>{self.pin}</pIN>"
                return self._doc("Registration", inside, "rg")
            case ["fsa"]:
                entries = [
                    f'<FunctionSetAssignments href="{n[f"fsa:{number}"]}"><mRID>0F{number:02}</mRID>'
                    f'<DERProgramListLink href="{n[f"derp:{number}"]}"/></FunctionSetAssignments>'
                    for number in range(len(self.programs))
                ]
                return self._list("FunctionSetAssignmentsList", entries, "fsa", request)
            case ["derp", number]:
                programs = self.programs[int(number)]
                entries = [self._program(number, index, each) for index, each in enumerate(programs)]
                return self._list("DERProgramList", entries, "derp", request)
            case ["derc", number, index]:
                controls = self.programs[int(number)][int(index)].controls
                return self._list("DERControlList", list(controls.values()), None, request)
            case ["dderc", number, index]:
                default = self.programs[int(number)][int(index)].default
                return (
                    None
                    if default is None
                    else self._doc("DefaultDERControl", f"<mRID>DD</mRID>{default}", None)
                )
            case ["der"]:
                links = "".join(
                    f'<{link} href="{n[key]}"/>'
                    for link, key in (
                        ("DERCapabilityLink", "dercap"),
                        ("DERSettingsLink", "derg"),
                        ("DERStatusLink", "ders"),
                    )
                )
                return self._list("DERList", [f'<DER href="{n["der1"]}">{links}</DER>'], "der", request)
            case ["rsp"]:
                said = [body.decode().split("?>", 1)[1] for body in self.bodies("rsp")]
                return self._list("ResponseList", said, None, request)
            case ["mup"]:
                entries = [
                    f'<MirrorUsagePoint href="{href}"><mRID>{mrid}</mRID>'
                    f"<postRate>{self.post_rate}</postRate></MirrorUsagePoint>"
                    for mrid, href in self.mirrors.items()
                ]
                return self._list("MirrorUsagePointList", entries, "mup", request)
        return None

    def _device(self) -> str:
        n = self.names
        registration = f'<RegistrationLink href="{n["rg"]}"/>' if self.pin is not None else ""
        return (
            f'<EndDevice href="{n["device"]}"><DERListLink href="{n["der"]}"/>'
            f"<lFDI>{self.lfdi}</lFDI><sFDI>1</sFDI><changedTime>0</changedTime><enabled>{str(self.enabled).lower()}</enabled>"
            f'<FunctionSetAssignmentsListLink href="{n["fsa"]}"/>{registration}'
            f'<csipaus:ConnectionPointLink href="{n["cp"]}"/></EndDevice>'
        )

    def _program(self, number: str, index: int, program: Program) -> str:
        n = self.names
        return (
            f'<DERProgram href="{n[f"program:{number}:{index}"]}"><mRID>0A{number}{index:03}</mRID>'
            f'<DefaultDERControlLink href="{n[f"dderc:{number}:{index}"]}"/>'
            f'<DERControlListLink href="{n[f"derc:{number}:{index}"]}"/>'
            f"<primacy>{program.primacy}</primacy></DERProgram>"
        )

    def _list(self, name: str, entries: list[str], rate: str | None, request: Request) -> bytes:
        start, most = int(request.query.get("s", ["0"])[0]), int(request.query.get("l", ["1"])[0])
        page = entries[start : start + min(most, self.page)]
        attributes = {"all": str(len(entries)), "results": str(len(page))}
        return self._doc(name, "".join(page), rate, attributes)

    def _doc(
        self, name: str, inside: str, rate: str | None, attributes: dict[str, str] | None = None
    ) -> bytes:
        given = dict(attributes or {})
        if rate is not None and self.registered:
            given["pollRate"] = str(self.rates[rate])
        return document(name, self.version, inside, given)

    def control(
        self,
        mrid: str,
        start: int,
        duration: int,
        base: str,
        *,
        status: int = 0,
        created: int | None = None,
        extra: str = "",
    ) -> str:
        """A DERControl that wants every answer; `base` is what stands in its DERControlBase."""
        made = int(self.now()) if created is None else created
        return (
            f'<DERControl replyTo="{self.names["rsp"]}" responseRequired="03"><mRID>{mrid}</mRID>'
            f"<creationTime>{made}</creationTime><EventStatus><currentStatus>{status}</currentStatus>"
            f"<dateTime>{made}</dateTime><potentiallySuperseded>false</potentiallySuperseded></EventStatus>"
            f"<interval><duration>{duration}</duration><start>{start}</start></interval>{extra}"
            f"<DERControlBase>{base}</DERControlBase></DERControl>"
        )


def watts(mode: str, value: int, multiplier: int = 0) -> str:
    """A CSIP-AUS limit inside a DERControlBase."""
    return f"<csipaus:{mode}><multiplier>{multiplier}</multiplier><value>{value}</value></csipaus:{mode}>"


def stated(base: str, grad: int | None = None) -> str:
    """The inside of a DefaultDERControl."""
    rate = "" if grad is None else f"<setGradW>{grad}</setGradW>"
    return f"<DERControlBase>{base}</DERControlBase>{rate}"
