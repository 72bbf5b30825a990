"""What the server answers to a GET, resource by resource, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from utility_simulator.document import document

if TYPE_CHECKING:
    from utility_simulator.tree import Request, Utility

DER_LINKS = {"DERCapabilityLink": "dercap", "DERSettingsLink": "derg", "DERStatusLink": "ders"}
PUT_BY_CLIENT = ("dercap", "derg", "ders", "cp")
NOTHING, NOT_FOUND = 204, 404

Answer = tuple[int, bytes]


class Pages:
    """Renders a Utility; names are ours, addresses are drawn by `Names`."""

    def __init__(self, utility: Utility) -> None:
        self._utility = utility

    def get(self, name: str, request: Request) -> Answer:
        """Status and body of one resource."""
        kind, *rest = name.split(":")
        if kind == "dderc":
            return self._default(rest)
        if kind in PUT_BY_CLIENT:
            stored = self._utility.stored.get(kind)
            return (200, stored[-1]) if stored else (NOT_FOUND, b"")
        body = self._document(kind, rest, request)
        return (NOT_FOUND, b"") if body is None else (200, body)

    def _document(self, kind: str, rest: list[str], request: Request) -> bytes | None:
        u, n = self._utility, self._utility.names
        match kind:
            case "dcap":
                links = (
                    f'<EndDeviceListLink href="{n["edev"]}"/><MirrorUsagePointListLink href="{n["mup"]}"/>'
                )
                return self._made("DeviceCapability", f'<TimeLink href="{n["tm"]}"/>{links}', "dcap")
            case "tm":
                inside = f"<currentTime>{int(u.now())}</currentTime><quality>4</quality>"
                return self._made("Time", inside, "tm")
            case "edev":
                return self._list("EndDeviceList", [self._device()] if u.registered else [], "edev", request)
            case "rg":
                inside = f"<dateTimeRegistered>0</dateTimeRegistered><pIN>{u.pin}</pIN>"
                return self._made("Registration", inside, "rg")
            case "fsa":
                numbers = [number for number in range(len(u.programs)) if number not in u.withdrawn]
                return self._list(
                    "FunctionSetAssignmentsList", [self._assignment(each) for each in numbers], "fsa", request
                )
            case "derp":
                entries = [self._program(rest[0], index) for index in range(len(u.programs[int(rest[0])]))]
                return self._list("DERProgramList", entries, "derp", request)
            case "derc":
                program = u.programs[int(rest[0])][int(rest[1])]
                return self._list(
                    "DERControlList", program.listed(u.now(), ended=u.lists_ended), None, request
                )
            case "der":
                return self._list("DERList", [self._der()], "der", request)
            case "mup":
                return self._list(
                    "MirrorUsagePointList", [self._mirror(each) for each in u.mirrors], "mup", request
                )
            case "rsp":
                said = [body.decode().split("?>", 1)[1] for body in u.bodies("rsp")]
                return self._list("ResponseList", said, None, request)
        return None

    def _default(self, place: list[str]) -> Answer:
        default = self._utility.programs[int(place[0])][int(place[1])].default
        if default is None:
            return (NOTHING if self._utility.style.empty else NOT_FOUND), b""
        if isinstance(default, int):
            return default, b""
        return 200, self._made("DefaultDERControl", f"<mRID>DD</mRID>{default}", None)

    def _device(self) -> str:
        u, n = self._utility, self._utility.names
        registration = f'<RegistrationLink href="{n["rg"]}"/>' if u.pin is not None else ""
        return (
            f'<EndDevice href="{n["device"]}"><DERListLink href="{n["der"]}"/>'
            f"<lFDI>{u.lfdi}</lFDI><sFDI>1</sFDI><changedTime>0</changedTime>"
            f"<enabled>{str(u.enabled).lower()}</enabled>"
            f'<FunctionSetAssignmentsListLink href="{n["fsa"]}"/>{registration}'
            f'<csipaus:ConnectionPointLink href="{n["cp"]}"/></EndDevice>'
        )

    def _assignment(self, number: int) -> str:
        n = self._utility.names
        return (
            f'<FunctionSetAssignments href="{n[f"fsa:{number}"]}"><mRID>0F{number:02}</mRID>'
            f'<DERProgramListLink href="{n[f"derp:{number}"]}"/></FunctionSetAssignments>'
        )

    def _program(self, number: str, index: int) -> str:
        n, program = self._utility.names, self._utility.programs[int(number)][index]
        return (
            f'<DERProgram href="{n[f"program:{number}:{index}"]}"><mRID>0A{number}{index:03}</mRID>'
            f'<DefaultDERControlLink href="{n[f"dderc:{number}:{index}"]}"/>'
            f'<DERControlListLink href="{n[f"derc:{number}:{index}"]}"/>'
            f"<primacy>{program.primacy}</primacy></DERProgram>"
        )

    def _der(self) -> str:
        n = self._utility.names
        links = "".join(f'<{link} href="{n[key]}"/>' for link, key in DER_LINKS.items())
        return f'<DER href="{n["der1"]}">{links}</DER>'

    def _mirror(self, mrid: str) -> str:
        u = self._utility
        return (
            f'<MirrorUsagePoint href="{u.mirrors[mrid]}"><mRID>{mrid}</mRID>'
            f"<postRate>{u.post_rate}</postRate></MirrorUsagePoint>"
        )

    def _list(self, name: str, entries: list[str], rate: str | None, request: Request) -> bytes:
        start, most = int(request.query.get("s", ["0"])[0]), int(request.query.get("l", ["1"])[0])
        style = self._utility.style
        page = style.ordered(entries)[start : start + min(most, style.page)]
        attributes = {"all": str(len(entries)), "results": str(len(page))}
        return self._made(name, "".join(page), rate, attributes)

    def _made(
        self, name: str, inside: str, rate: str | None, attributes: dict[str, str] | None = None
    ) -> bytes:
        """A document; before the device is registered no answer has a pollRate."""
        given = dict(attributes or {})
        if rate is not None and self._utility.registered and rate not in self._utility.style.unrated:
            given["pollRate"] = str(self._utility.rates[rate])
        return self._utility.style.written(document(name, self._utility.version, inside, given))
