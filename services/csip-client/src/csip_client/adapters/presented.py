"""The chain that a server presents, read from the handshake itself: what TLS 1.2 sends in clear (RFC 5246 7.4.2).

The handshake is that of our own verifying context; nothing is exchanged with a server that does not pass it.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from csip_client.adapters.http import CONNECT_TIMEOUT_S

HANDSHAKE, CERTIFICATE = 22, 11
CHUNK, MOST_BYTES = 16_384, 200_000
HTTPS = 443


@dataclass(frozen=True, slots=True)
class Presented:
    """The chain, the server's own first, and why the handshake failed; None: it passed."""

    chain: tuple[x509.Certificate, ...]
    trouble: str | None


def present(server: str, tls: ssl.SSLContext) -> Presented:
    """Shake hands once; raises OSError where nobody answers."""
    where = urlsplit(server)
    host = where.hostname or ""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secured = tls.wrap_bio(incoming, outgoing, server_hostname=host)
    heard = bytearray()
    with socket.create_connection((host, where.port or HTTPS), CONNECT_TIMEOUT_S) as line:
        trouble = _shake(secured, line, incoming, outgoing, heard)
    return Presented(tuple(_chain(bytes(heard))), trouble)


def missing_issuer(chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]) -> str | None:
    """The first issuer, upwards from the server, that is neither presented nor in `csip.ca`; None: none is missing."""
    if not chain:
        return None
    here, seen = chain[0], set[bytes]()
    while here not in roots:
        if here.issuer == here.subject or here.signature in seen:
            return f"{here.issuer.rfc4514_string()} (presented by the server, not in csip.ca)"
        seen.add(here.signature)
        above = next((each for each in (*roots, *chain) if _signed(here, each)), None)
        if above is None:
            return here.issuer.rfc4514_string()
        here = above
    return None


def _signed(lower: x509.Certificate, upper: x509.Certificate) -> bool:
    try:
        lower.verify_directly_issued_by(upper)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _shake(
    secured: ssl.SSLObject,
    line: socket.socket,
    incoming: ssl.MemoryBIO,
    outgoing: ssl.MemoryBIO,
    heard: bytearray,
) -> str | None:
    while True:
        try:
            secured.do_handshake()
        except ssl.SSLWantReadError:
            line.sendall(outgoing.read())
            received = line.recv(CHUNK)
            if not received or len(heard) > MOST_BYTES:
                return "the server closed the connection within the handshake"
            heard += received
            incoming.write(received)
        except ssl.SSLError as error:
            return getattr(error, "verify_message", None) or error.reason or str(error)
        else:
            return None


def _chain(heard: bytes) -> list[x509.Certificate]:
    for kind, body in _messages(_handshake(heard)):
        if kind == CERTIFICATE:
            return [x509.load_der_x509_certificate(each) for each in _listed(body[3:])]
    return []


def _handshake(heard: bytes) -> bytes:
    """The handshake's bytes, records joined: type, version (2), length (2), content."""
    joined, at = b"", 0
    while at + 5 <= len(heard):
        size = int.from_bytes(heard[at + 3 : at + 5], "big")
        if heard[at] == HANDSHAKE:
            joined += heard[at + 5 : at + 5 + size]
        at += 5 + size
    return joined


def _messages(joined: bytes) -> list[tuple[int, bytes]]:
    """Type (1), length (3), body; what is not whole is left out."""
    found, at = [], 0
    while at + 4 <= len(joined):
        size = int.from_bytes(joined[at + 1 : at + 4], "big")
        if at + 4 + size > len(joined):
            break
        found.append((joined[at], joined[at + 4 : at + 4 + size]))
        at += 4 + size
    return found


def _listed(body: bytes) -> list[bytes]:
    found, at = [], 0
    while at + 3 <= len(body):
        size = int.from_bytes(body[at : at + 3], "big")
        found.append(body[at + 3 : at + 3 + size])
        at += 3 + size
    return found
