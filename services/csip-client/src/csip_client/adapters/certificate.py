"""Our certificate: the first one in its file is who we are."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509

from csip_client.adapters.tls import TlsError


def read(path: Path) -> x509.Certificate:
    """The first certificate of a PEM file; raises TlsError."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise TlsError(f"csip.cert {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise TlsError(f"csip.cert {path} holds no certificate in PEM: {error}") from error
