"""A utility server in the test's own process: mutual TLS on loopback, the test's clock, addresses drawn at random.

It keeps every request and misbehaves on command.
"""

from __future__ import annotations

import random
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from csip_client.adapters.tls import CIPHERS
from csip_client.identity import lfdi
from csip_client.wire.document import V1_2, Version, document

DER_LINKS = (("DERCapabilityLink", "dercap"), ("DERSettingsLink", "derg"), ("DERStatusLink", "ders"))


@dataclass(slots=True)
class Pki:
    """A root, the server's certificate and the client's, as files."""

    folder: Path
    lfdi: str = ""

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def file(self, name: str) -> Path:
        return self.folder / name


def make_pki(folder: Path) -> Pki:
    """P-256 throughout; the client's certificate with its chain."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = _certificate("Test root", root_key, None, root_key, authority=True)
    pki = Pki(folder)
    pki.ca.write_bytes(root.public_bytes(Encoding.PEM))
    for name in ("server", "client"):
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(name, key, root, root_key, authority=False)
        pki.file(f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM))
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pki.file(f"{name}.key").write_bytes(private)
        if name == "client":
            pki.lfdi = lfdi(made.public_bytes(Encoding.DER))
    return pki


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now().astimezone()
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(names, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


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
        self.failing: Callable[[Request], tuple[int, dict[str, str]] | None] = lambda request: None
        self.names = _Names(random.Random(seed))
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
        return document(name, self.version, inside, attributes=given)

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


class _Names:
    """Our name of a resource -> an address that says nothing, some of them whole."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._paths: dict[str, str] = {"dcap": "/dcap"}
        self.origin = ""

    def __getitem__(self, name: str) -> str:
        if name not in self._paths:
            self._paths[name] = f"/{self._rng.choice('abcdef')}/{self._rng.getrandbits(40):x}"
        path = self._paths[name]
        return self.origin + path if self._rng.random() < 0.3 else path

    def of(self, path: str) -> str | None:
        return next((name for name, known in self._paths.items() if known == path), None)

    def move(self, name: str) -> None:
        """From now on it stands elsewhere."""
        self._paths.pop(name, None)


class Server(ThreadingHTTPServer):
    """Serves a Utility on loopback with mutual TLS; leave the `with` block to end it."""

    daemon_threads = True

    def __init__(self, utility: Utility, pki: Pki) -> None:
        utility.lfdi = pki.lfdi

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536  # one packet an answer

            def do_GET(self) -> None:
                where = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                media = self.headers.get("Content-Type") or self.headers.get("Accept") or ""
                asked = Request(utility.now(), self.command, where.path, parse_qs(where.query), body, media)
                status, headers, answer = utility.handle(asked)
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Type", utility.version.media_type)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_PUT = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Requests are kept, not printed."""

        super().__init__(("127.0.0.1", 0), Handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_2
        tls.set_ciphers(CIPHERS)
        tls.load_cert_chain(pki.file("server.pem"), pki.file("server.key"))
        tls.load_verify_locations(pki.ca)
        tls.verify_mode = ssl.CERT_REQUIRED
        self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.address = f"https://localhost:{self.server_address[1]}"
        utility.names.origin = self.address
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that breaks is the test's business."""
