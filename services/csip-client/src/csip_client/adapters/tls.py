"""Mutual TLS 1.2 as CSIP-AUS wants it: the two ECDSA suites named, the server's chain always verified.

The context is built directly: `create_default_context` sets VERIFY_X509_STRICT on Python 3.13, which old utility
chains do not pass. The chain is never left unverified; only the host name's check is a setting.
"""

from __future__ import annotations

import ssl
from pathlib import Path

CCM8, GCM = "ECDHE-ECDSA-AES128-CCM8", "ECDHE-ECDSA-AES128-GCM-SHA256"
CIPHERS = f"{CCM8}:{GCM}:@SECLEVEL=0"  # OpenSSL 4 offers CCM8 at level 0 only


class TlsError(Exception):
    """The identity or the roots cannot be used, or the cipher is not on offer; the text says what to do."""


def context(
    certificate: Path, key: Path, roots: Path, *, check_hostname: bool = True, ciphers: str = CIPHERS
) -> ssl.SSLContext:
    """The client's context; raises TlsError. `roots` may hold several roots, or an intermediate (partial chain)."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.check_hostname = check_hostname
    made.verify_mode = ssl.CERT_REQUIRED
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        made.set_ciphers(ciphers)
    except ssl.SSLError as error:
        raise TlsError(f"csip.ciphers {ciphers!r}: none of them is on offer here ({error})") from error
    if ciphers == CIPHERS:
        _self_test(made)
    try:
        made.load_verify_locations(str(roots))
    except (OSError, ssl.SSLError) as error:
        raise TlsError(
            f"csip.ca {roots}: {error}; it must hold the utility's root certificate, as PEM"
        ) from error
    try:
        made.load_cert_chain(str(certificate), str(key))
    except (OSError, ssl.SSLError) as error:
        raise TlsError(f"csip.cert {certificate} and csip.key {key} do not fit together: {error}") from error
    return made


def _self_test(made: ssl.SSLContext) -> None:
    """A cipher that OpenSSL quietly left out shows here, not at the first handshake."""
    offered = {cipher["name"] for cipher in made.get_ciphers()}
    missing = {CCM8, GCM} - offered
    if missing:
        raise TlsError(f"OpenSSL here ({ssl.OPENSSL_VERSION}) does not offer {', '.join(sorted(missing))}")
