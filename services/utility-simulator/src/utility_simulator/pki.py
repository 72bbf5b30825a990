"""A root, the server's certificate and a client's, as files; P-256 throughout."""

from __future__ import annotations

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
    now = SystemClock().now()
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
