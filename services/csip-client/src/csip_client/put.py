"""When a document is put: what differs from what the server took, debounced, failures backed off. Pure."""

from __future__ import annotations

from dataclasses import dataclass

RETRY_S, LONGEST_RETRY_S = 10.0, 300.0


@dataclass(slots=True)
class Put:
    """One document that is put when it differs from what the server took last; failures back off."""

    sent: object = None
    since: float | None = None
    wanted: object = None
    not_before: float = float("-inf")
    failures: int = 0

    def want(self, thing: object, mono: float) -> None:
        """Remember since when it differs."""
        if thing != self.wanted:
            self.wanted, self.since = thing, mono

    def due(self, debounce_s: float) -> float:
        """When it may go out (monotonic); infinity when nothing differs."""
        if self.wanted is None or self.wanted == self.sent or self.since is None:
            return float("inf")
        first = self.sent is None
        return max(self.since + (0.0 if first else debounce_s), self.not_before)

    def done(self) -> None:
        """The server took it."""
        self.sent, self.failures, self.not_before = self.wanted, 0, float("-inf")

    def failed(self, mono: float, retry_after_s: float | None) -> None:
        """It did not."""
        self.failures += 1
        wait_s = min(LONGEST_RETRY_S, RETRY_S * 2.0 ** min(self.failures - 1, 10))
        self.not_before = mono + (wait_s if retry_after_s is None else retry_after_s)
