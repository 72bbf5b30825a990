"""Our certificate: the first one in its file is who we are."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from csip_client.adapters.tls import TlsError

SECONDS_A_DAY = 86_400.0


def read(path: Path) -> x509.Certificate:
    """The first certificate of a PEM file; raises TlsError."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise TlsError(f"csip.cert {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise TlsError(f"csip.cert {path} holds no certificate in PEM: {error}") from error


def der(certificate: x509.Certificate) -> bytes:
    """Its DER, from which the LFDI is made."""
    return certificate.public_bytes(Encoding.DER)


def days_left(certificate: x509.Certificate, now: datetime) -> float:
    """Until it expires; negative afterwards."""
    return (certificate.not_valid_after_utc - now).total_seconds() / SECONDS_A_DAY
