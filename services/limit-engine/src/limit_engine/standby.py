"""Which engine speaks: contract.md on `engine_id`. Pure.

An engine listens before its first setpoint; while it hears another id it stays mute and takes over after the
other's silence. Of two that send, the one with the smaller id goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

LISTEN_S = 1.5
LEASE_S = 15.0


@dataclass(slots=True)
class Standby:
    """`own_id` is random per process; times are monotonic seconds. `listening_from` is the first connection."""

    own_id: str
    listening_from: float | None = None
    speaking: bool = False
    other_id: str | None = None
    other_heard: float = float("-inf")

    def hear(self, engine_id: str, release: bool, mono: float) -> bool:
        """A live setpoint was heard; True when it is news that another engine sends."""
        if engine_id == self.own_id:
            return False
        if release:
            self.other_id, self.other_heard = None, float("-inf")
            return False
        news = self.other_id != engine_id or mono - self.other_heard > LEASE_S
        self.other_id, self.other_heard = engine_id, mono
        if self.speaking and engine_id < self.own_id:
            self.speaking = False
        return news

    def may_speak(self, mono: float) -> bool:
        """Whether this engine sends now; decides a take-over."""
        if not self.speaking:
            listened = self.listening_from is not None and mono - self.listening_from >= LISTEN_S
            self.speaking = listened and mono - self.other_heard > LEASE_S
        return self.speaking
