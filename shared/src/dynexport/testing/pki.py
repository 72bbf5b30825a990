"""For tests and the demo: a root, a server's certificate and a client's, as files; P-256 throughout.

`python -m dynexport.testing.pki FOLDER [HOST ...]` makes them where none are.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from dynexport.clock import SystemClock
from dynexport.identity import lfdi


@dataclass(slots=True)
class Pki:
    """A root, the server's certificate and the client's, as files."""

    folder: Path
    lfdi: str = ""

    @property
    def ca(self) -> Path:
        """The root certificate."""
        return self.folder / "ca.pem"

    def file(self, name: str) -> Path:
        """One of the files, by its name."""
        return self.folder / name


def make_pki(folder: Path, hosts: Sequence[str] = ("localhost",)) -> Pki:
    """Each certificate with its chain; `expired` is the server's of yesterday. Keys are readable by their owner only.

    Raises FileExistsError where something of that name is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "ca.pem").exists():
        raise FileExistsError(f"{folder} has certificates already")
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = _certificate("Test root", root_key, None, root_key, authority=True)
    pki = Pki(folder)
    pki.ca.write_bytes(root.public_bytes(Encoding.PEM))
    for name in ("server", "expired", "client"):
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(name, key, root, root_key, authority=False, hosts=hosts)
        pki.file(f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM))
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write_secret(pki.file(f"{name}.key"), private)
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
    hosts: Sequence[str] = (),
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = SystemClock().now()
    over = name == "expired"
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=-0.5 if over else 365))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        made = made.add_extension(names, critical=False)
    return made.sign(issuer_key, hashes.SHA256())


def _write_secret(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


if __name__ == "__main__":
    if not (Path(sys.argv[1]) / "ca.pem").exists():
        make_pki(Path(sys.argv[1]), sys.argv[2:] or ["localhost"])
