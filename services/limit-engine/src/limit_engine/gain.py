"""What an inverter really makes of its limit, learned while it provably sits at it."""

from __future__ import annotations

from dataclasses import dataclass

LEAST, MOST = 0.93, 1.10
PLAUSIBLE = (0.88, 1.15)
TO_SAFE, TO_GENEROUS = 0.2, 0.05
SMALLEST_PCT = 5.0


@dataclass(slots=True)
class Gain:
    """`value` is measured power over commanded power; a command is divided by it."""

    value: float = 1.0
    lessons: int = 0

    def learn(self, power_w: float, command_w: float, rated_w: float, *, at_limit: bool) -> None:
        """Take in one settled moment; `at_limit` says that the sun would give more.

        Making more than commanded needs no proof, and is answered fast; making less is believed only at the
        limit, and slowly.
        """
        if command_w < rated_w * SMALLEST_PCT / 100.0:
            return
        seen = power_w / command_w
        if not PLAUSIBLE[0] <= seen <= PLAUSIBLE[1]:
            return
        if seen < self.value and not at_limit:
            return
        rate = TO_SAFE if seen > self.value else TO_GENEROUS
        self.value = min(MOST, max(LEAST, self.value + rate * (seen - self.value)))
        self.lessons += 1
