"""The mRIDs that we make; CSIP-AUS: one ends in the PEN in decimal. Pure."""

from __future__ import annotations

import hashlib


def mrid(pen: int, *parts: object) -> str:
    """24 hex digits of a hash over `parts`, stable through restarts, then the PEN as eight decimal digits."""
    text = "\n".join(str(part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:24].upper() + f"{pen:08d}"
