"""What runs where site.yaml names no utility server: nothing is stated, and the container stays."""

from __future__ import annotations

from collections.abc import Sequence

from dynexport.messages import Level
from dynexport.ports import RawReceived, Received
from dynexport.service import Context, HealthPart, Moment

LOOK_AGAIN_S = 1.0


class Idle:
    """Says once that there is nothing to do."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def start(self) -> None:
        """Say it."""
        self._context.event(Level.INFO, "idle", "site.yaml has no `csip` section: nothing to do here")

    def connected(self, now: Moment) -> None:
        """Nothing is stated."""

    def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
        """Nothing to do."""
        return LOOK_AGAIN_S

    def stop(self, now: Moment) -> None:
        """Nothing to end."""

    def health(self) -> HealthPart:
        """Nothing to add."""
        return HealthPart()
