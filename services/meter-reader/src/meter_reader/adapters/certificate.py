"""The certificate that a device shows, before anything is said to it."""

from __future__ import annotations

import hashlib
import socket
import ssl

from meter_reader.web import NoAnswer

TIMEOUT_S = 2.0


def unverified_tls() -> ssl.SSLContext:
    """TLS that takes any certificate: the caller compares its fingerprint before a byte is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def fingerprint(certificate: bytes | None) -> str:
    """SHA-256 of a certificate in DER, in hexadecimal; raises NoAnswer where there is none."""
    if not certificate:
        raise NoAnswer("it shows no certificate")
    return hashlib.sha256(certificate).hexdigest()


def fingerprint_of(host: str, port: int) -> str:
    """Of the certificate that this server shows now; raises NoAnswer."""
    try:
        with (
            socket.create_connection((host, port), TIMEOUT_S) as raw,
            unverified_tls().wrap_socket(raw, server_hostname=host) as tls,
        ):
            return fingerprint(tls.getpeercert(binary_form=True))
    except OSError as error:
        raise NoAnswer(f"no TLS with {host}:{port}: {error.strerror or error}") from error
