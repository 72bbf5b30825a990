"""How late the meter is, learned from the answers to our own steps.

The house's load is constant most of the time, so the right latency is the one at which site + generation moves
least: the total variation over candidates, judged only over a stretch in which generation really moved.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

CANDIDATES_S = tuple(round(-0.3 + 0.1 * step, 1) for step in range(29))  # -0.3 .. 2.5
WORST_S = (0.0, 1.2)
MARGIN_S = 0.1
STRETCH_S = 12.0
AGAIN_S = 3.0


@dataclass(slots=True)
class MeterLatency:
    """The window in which a meter sample may lie, before the moment it was read."""

    learned_s: float | None = None
    lessons: int = 0
    _samples: deque[tuple[float, float]] = field(default_factory=deque)
    _judged: float = float("-inf")

    @property
    def window_s(self) -> tuple[float, float]:
        """Least and greatest latency, seconds: the worst case until learned."""
        if self.learned_s is None:
            return WORST_S
        return self.learned_s - MARGIN_S, self.learned_s + MARGIN_S

    def add(self, moment: float, site_w: float) -> None:
        """A new meter sample, at the middle of the time in which it may have been taken."""
        self._samples.append((moment, site_w))
        while self._samples[0][0] < moment - STRETCH_S:
            self._samples.popleft()

    def learn(self, generation_at: Callable[[float], float], known_from: float, enough_w: float) -> bool:
        """Judge the last stretch when generation moved by `enough_w` in it; True when a lesson was taken."""
        if len(self._samples) < 8 or self._samples[-1][0] < self._judged + AGAIN_S:
            return False
        start = known_from + CANDIDATES_S[-1]
        samples = [sample for sample in self._samples if sample[0] >= start]
        if len(samples) < 8:
            return False
        powers = [generation_at(moment) for moment, _ in samples]
        if max(powers) - min(powers) < enough_w:
            return False
        self._judged = samples[-1][0]
        return self._judge(samples, generation_at)

    def _judge(self, samples: list[tuple[float, float]], generation_at: Callable[[float], float]) -> bool:
        costs = [_variation(samples, generation_at, candidate) for candidate in CANDIDATES_S]
        best = min(range(len(costs)), key=costs.__getitem__)
        typical = sorted(costs)[len(costs) // 2]
        if costs[best] > 0.7 * typical or best in (0, len(costs) - 1):
            return False
        near = [index for index, cost in enumerate(costs) if cost <= costs[best] * 1.1 + 1e-9]
        if CANDIDATES_S[near[-1]] - CANDIDATES_S[near[0]] > 0.5:
            return False
        found = CANDIDATES_S[best]
        self.learned_s = found if self.learned_s is None else 0.5 * (self.learned_s + found)
        self.lessons += 1
        return True


def _variation(
    samples: list[tuple[float, float]], generation_at: Callable[[float], float], latency_s: float
) -> float:
    loads = [site_w + generation_at(moment - latency_s) for moment, site_w in samples]
    return sum(abs(after - before) for before, after in itertools.pairwise(loads))
