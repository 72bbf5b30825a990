"""A day of sun and of household load, deterministic by seed."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

SUNRISE_H, SUNSET_H = 6.0, 19.0
DARK_BELOW = 0.004
STEP_H = 0.25
PEAKS = ((7.5, 1.0, 1800.0), (18.5, 1.6, 2600.0))
BASE_LOAD_W = 350.0
APPLIANCES_W = (0.0, 0.0, 0.0, 800.0, 1900.0, 2400.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Day:
    """Hours run from 0 to 24 and begin again."""

    seed: int

    def sun(self, hour: float) -> float:
        """Available power as a fraction of the rating: a clear bell with a few passing clouds."""
        hour %= 24.0
        if not SUNRISE_H < hour < SUNSET_H:
            return 0.0
        bell = math.pow(math.sin(math.pi * (hour - SUNRISE_H) / (SUNSET_H - SUNRISE_H)), 1.3)
        return bell * (1.0 - self._cloud(hour))

    def dark(self, hour: float) -> bool:
        """Whether inverters sleep and their Modbus answers nothing."""
        return self.sun(hour) < DARK_BELOW

    def load_w(self, hour: float) -> float:
        """What the house uses: a base, a morning and an evening, and appliances that come and go."""
        hour %= 24.0
        peaks = sum(size * math.exp(-(((hour - at) / width) ** 2)) for at, width, size in PEAKS)
        appliance = random.Random(f"{self.seed} load {int(hour / STEP_H)}").choice(APPLIANCES_W)
        return BASE_LOAD_W + peaks + (appliance if 6.5 < hour < 22.0 else 0.0)

    def _cloud(self, hour: float) -> float:
        """A cloud covers a part of some quarters of an hour, with soft edges."""
        draw = random.Random(f"{self.seed} cloud {int(hour / STEP_H)}")
        if draw.random() > 0.3:
            return 0.0
        depth = draw.uniform(0.3, 0.8)
        return depth * math.pow(math.sin(math.pi * (hour % STEP_H) / STEP_H), 2)
