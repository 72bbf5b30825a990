"""A certificate file in words: who it makes us, by whom, how long, its chain, and whether the key is its own. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from dynexport.identity import lfdi, sfdi
from dynexport.pki.files import fits

SECONDS_A_DAY = 86_400.0


def days_left(certificate: x509.Certificate, now: datetime) -> float:
    """Until it expires; negative afterwards."""
    return (certificate.not_valid_after_utc - now).total_seconds() / SECONDS_A_DAY


def number_of(certificate: x509.Certificate) -> str:
    """Its LFDI."""
    return lfdi(certificate.public_bytes(Encoding.DER))


def lines(
    chain: Sequence[x509.Certificate], key: ec.EllipticCurvePrivateKey | None, now: datetime
) -> Iterator[str]:
    """What `dynexport cert show` prints; `key` None: there is none to compare."""
    first = chain[0]
    number = number_of(first)
    yield f"LFDI:      {number}"
    yield f"           {'-'.join(number[at : at + 4] for at in range(0, len(number), 4))}"
    yield f"SFDI:      {sfdi(number)}"
    yield f"subject:   {named(first.subject)}"
    yield f"issuer:    {named(first.issuer)}"
    yield f"valid to:  {first.not_valid_after_utc:%Y-%m-%d}, {_left(days_left(first, now))}"
    yield f"chain:     {_chain(chain)}"
    yield f"key:       {'not looked at' if key is None else 'fits' if fits(key, first) else 'DOES NOT FIT'}"


def named(name: x509.Name) -> str:
    """A name, or that there is none, as a device's."""
    return name.rfc4514_string() or "empty, as a device's is"


def broken_at(chain: Sequence[x509.Certificate]) -> int | None:
    """The place of the first certificate that the next one did not sign; None: every link holds."""
    for place, (lower, upper) in enumerate(pairwise(chain)):
        try:
            lower.verify_directly_issued_by(upper)
        except (ValueError, TypeError, InvalidSignature):
            return place
    return None


def _left(days: float) -> str:
    return f"{days:.0f} days left" if days >= 0 else f"EXPIRED {-days:.0f} days ago"


def _chain(chain: Sequence[x509.Certificate]) -> str:
    names = " <- ".join(named(each.subject) for each in chain)
    broken = broken_at(chain)
    if broken is None:
        return f"{len(chain)} in the file: {names}"
    return f"BROKEN after {broken + 1} of {len(chain)}: {names}; each must be signed by the next"
