"""What the reports are made of."""

from __future__ import annotations

from dataclasses import dataclass

from csip_client.der_status import DerStatus
from csip_client.wire import write


@dataclass(frozen=True, slots=True)
class Facts:
    """What the reports are made of now; the service replaces it whole. `grad` in hundredths of a percent a second."""

    ratings: write.Ratings
    settings: write.Ratings
    modes: write.Modes
    der_type: int
    grad: int
    status: DerStatus
    stored_pct: float | None = None
    stor_connect: int | None = None
