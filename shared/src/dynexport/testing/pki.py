"""For tests and the demo: a root, a server's certificate and a client's, as files; P-256 throughout.

`python -m dynexport.testing.pki FOLDER [HOST ...]` makes them where none are.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dynexport.clock import SystemClock
from dynexport.pki.files import chain_pem, key_pem, new_key, write_new
from dynexport.pki.shown import number_of

PUBLIC, SECRET = 0o644, 0o600


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
    root_key = new_key()
    root = _certificate("Test root", root_key, None, root_key, authority=True)
    pki = Pki(folder)
    files = {pki.ca: (chain_pem(root), PUBLIC)}
    for name in ("server", "expired", "client"):
        key = new_key()
        made = _certificate(name, key, root, root_key, authority=False, hosts=hosts)
        files[pki.file(f"{name}.pem")] = chain_pem(made, root), PUBLIC
        files[pki.file(f"{name}.key")] = key_pem(key), SECRET
        if name == "client":
            pki.lfdi = number_of(made)
    write_new(files)
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


if __name__ == "__main__":
    if not (Path(sys.argv[1]) / "ca.pem").exists():
        make_pki(Path(sys.argv[1]), sys.argv[2:] or ["localhost"])
