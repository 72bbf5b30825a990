"""The simulated gateway's own certificate, self-signed as a real one's."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from dynexport.pki.files import PRIVATE, chain_pem, key_pem, new_key, write_new

NAMES = ("teg", "powerwall", "powerpack")
LASTS = timedelta(days=3650)


def server_tls(path: Path, now: datetime) -> ssl.SSLContext:
    """TLS with the key and certificate of that file, which is made where it is not: a restart shows the same one."""
    if not path.exists():
        write_new({path: (_made(now), PRIVATE)})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def _made(now: datetime) -> bytes:
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Simulated Powerwall gateway")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + LASTS)
    names = x509.SubjectAlternativeName([x509.DNSName(each) for each in NAMES])
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    return key_pem(key) + chain_pem(certificate)
