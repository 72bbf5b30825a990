"""`dynexport cert`: the keys and certificates by which a utility server knows a device."""

from __future__ import annotations

import ipaddress
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import typer
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from dynexport.cli.connect import CLOCK
from dynexport.pki import files, profile
from dynexport.pki.hardware import hardware_name, hardware_type
from dynexport.pki.shown import broken_at, days_left, lines
from dynexport.settings.load import find

DEVICE_YEARS, TEST_YEARS = 5, 1
TEST_POLICIES = (profile.DEVICE, profile.TEST, profile.SELF_SIGNED)
FOLDER = typer.Argument(None, help="Where to; default `csip` beside site.yaml. Made with mode 0700.")
PEN = typer.Option(..., min=1, max=99_999_999, help="Private enterprise number of the maker.")
SERIAL = typer.Option(None, help="Serial number of the device; default a random one.")
TYPE = typer.Option(None, help="OID of the hardware's type; default 1.3.6.1.4.1.40732.PEN.1.")
REQUEST = typer.Argument(help="The device's request (CSR).")
BY = typer.Option(..., help="The manufacturer's certificate, PEM, with the chain above it.")
BY_KEY = typer.Option(..., help="The manufacturer's private key, PEM.")
TO = typer.Option(None, help="The file to write; default beside the request, .pem.")
FILE = typer.Argument(help="A certificate with its chain, PEM.")
KEY = typer.Option(None, help="Its key; default the same name with .key, if there is one.")

cert = typer.Typer(no_args_is_help=True, help="Keys and certificates for a utility server.")


@contextmanager
def _said() -> Iterator[None]:
    """What cannot be used is said, with exit code 1."""
    try:
        yield
    except (files.PkiError, ValueError) as error:
        typer.echo(f"nothing was written: {error}", err=True)
        raise typer.Exit(1) from None


@cert.command("device")
def device(
    folder: Path | None = FOLDER,
    pen: int = PEN,
    serial: str | None = SERIAL,
    hardware: str | None = TYPE,
) -> None:
    """Make a device's key and the request (CSR) for its certificate: device.key, device.csr."""
    with _said():
        names = hardware_name(hardware or hardware_type(pen), serial or str(uuid.uuid4()))
        key = files.new_key()
        _request(_place(folder), "device", key, profile.device_request(key, names))
    typer.echo(
        "next: send device.csr to who signs for you (maker or distributor); device.key never leaves this machine"
    )


@cert.command("manufacturer")
def manufacturer(
    organisation: str = typer.Option(..., help="The maker's name, as it shall stand in certificates."),
    folder: Path | None = FOLDER,
) -> None:
    """Make a manufacturer's key and the request (CSR) for its certificate: manufacturer.key, manufacturer.csr."""
    with _said():
        key = files.new_key()
        _request(_place(folder), "manufacturer", key, profile.manufacturer_request(key, organisation))
    typer.echo("next: have manufacturer.csr signed by the distributor's root, then `dynexport cert sign`")


@cert.command("sign")
def sign(
    request: Path = REQUEST,
    by: Path = BY,
    by_key: Path = BY_KEY,
    to: Path | None = TO,
    years: int = typer.Option(
        DEVICE_YEARS, min=1, max=30, help="For how long; never beyond the manufacturer's."
    ),
) -> None:
    """Sign a device's certificate by a manufacturer's; the file holds the chain, the device first."""
    now, target = CLOCK.now(), to or request.with_suffix(".pem")
    with _said():
        asked, above = files.read_request(request), files.read_chain(by)
        issuer = (above[0], files.read_key(by_key))
        profile.require_authority(issuer, by, now)
        if broken_at(above) is not None:
            raise files.PkiError(
                f"{by}: its certificates do not sign each other in their order, lowest first"
            )
        public = asked.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        made = profile.device_certificate(public, profile.names_of(asked, request), issuer, now, years)
        _write({target: (files.chain_pem(made, *above), files.PUBLIC)})
    typer.echo("\n".join(lines([made, *above], None, now)))
    typer.echo("next: tell the distributor this LFDI, and set csip.cert in site.yaml")


@cert.command("self-signed")
def self_signed(
    folder: Path | None = FOLDER,
    pen: int = PEN,
    serial: str | None = SERIAL,
    host: str = typer.Option("localhost", help="Name or address of the test server."),
) -> None:
    """For local tests: a root, a device and a server. NO DISTRIBUTOR ACCEPTS THEM."""
    now = CLOCK.now()
    with _said():
        names = hardware_name(hardware_type(pen), serial or str(uuid.uuid4()))
        keys = {name: files.new_key() for name in ("root", "device", "server")}
        name = profile.authority_name("Local test", "NO DISTRIBUTOR ACCEPTS THIS")
        root = profile.root_certificate(keys["root"], name, now, TEST_YEARS)
        issuer = (root, keys["root"])
        made = profile.device_certificate(
            keys["device"].public_key(), names, issuer, now, TEST_YEARS, TEST_POLICIES
        )
        server = profile.server_certificate(keys["server"].public_key(), _host(host), issuer, now, TEST_YEARS)
        chains = {"root": (root,), "device": (made, root), "server": (server, root)}
        place = _place(folder)
        _write(
            {place / f"{each}.key": (files.key_pem(key), files.PRIVATE) for each, key in keys.items()}
            | {
                place / f"{each}.pem": (files.chain_pem(*chain), files.PUBLIC)
                for each, chain in chains.items()
            }
        )
    typer.echo("\n".join(lines([made, root], keys["device"], now)))
    typer.echo("FOR LOCAL TESTS ONLY: no distributor accepts these certificates.", err=True)


@cert.command("show")
def show(
    file: Path = FILE,
    key: Path | None = KEY,
) -> None:
    """Print LFDI, SFDI, subject, issuer, days left, chain, and whether the key fits; exit code 1 in doubt."""
    now = CLOCK.now()
    try:
        chain = files.read_chain(file)
        beside = file.with_suffix(".key")
        found = key or (beside if beside != file and beside.exists() else None)
        private = None if found is None else files.read_key(found)
        files.require_p256(chain[0].public_key(), file)
    except files.PkiError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo("\n".join(lines(chain, private, now)))
    alone = private is None or files.fits(private, chain[0])
    if not alone or broken_at(chain) is not None or days_left(chain[0], now) < 0:
        raise typer.Exit(1)


def _request(
    folder: Path, name: str, key: ec.EllipticCurvePrivateKey, request: x509.CertificateSigningRequest
) -> None:
    _write(
        {
            folder / f"{name}.key": (files.key_pem(key), files.PRIVATE),
            folder / f"{name}.csr": (request.public_bytes(Encoding.PEM), files.PUBLIC),
        }
    )


def _write(made: Mapping[Path, tuple[bytes, int]]) -> None:
    files.write_new(made)
    for path in made:
        typer.echo(f"written: {path}")


def _place(folder: Path | None) -> Path:
    return folder or find(None, os.environ).parent / "csip"


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
