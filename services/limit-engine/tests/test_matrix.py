"""The robustness matrix of control.md: every combination in CI, a cross-section elsewhere."""

from __future__ import annotations

import itertools
import math
import os
import random

import pytest
from bench.loop import Loop

from dynexport.testing.plant import InverterModel, MeterModel

LIMIT_W, BEFORE_W, AFTER_W = 1500.0, 5000.0, 500.0
AXES = (
    (0.2, 1.0, 4.0),
    (0.0, 0.5, 3.0),
    (0.2, 1.0),
    (0.0, 0.5, 1.0),
    (0.0, 50.0),
    (0.95, 1.0, 1.05),
    (1, 5, 20),
)
EVERY = list(itertools.product(*AXES))
CHOSEN = EVERY if os.environ.get("CI") else EVERY[::19]

Case = tuple[float, float, float, float, float, float, int]


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: "-".join(str(value) for value in case))
def test_a_load_drop_is_answered_in_time_without_limit_cycle(case: Case) -> None:
    tau_s, dead_s, refresh_s, latency_s, noise_w, gain, count = case
    rng = random.Random(repr(case))
    loop = Loop(
        [InverterModel(10_000.0 / count, tau_s, dead_s, gain)] * count,
        MeterModel(refresh_s, latency_s, noise_w, rng.uniform(0, refresh_s)),
        load_w=BEFORE_W,
        seed=rng.randrange(2**32),
    )
    loop.run(60.0 + 6.0 * dead_s + 5.0 * tau_s + rng.uniform(0, 1))
    dropped = loop.plant.now
    loop.plant.load_w = AFTER_W
    loop.run(40.0 + 6.0 * (tau_s + dead_s))
    trace = [(moment - dropped, export_w) for moment, export_w in loop.trace if moment >= dropped]
    over = [moment for moment, export_w in trace if export_w > LIMIT_W + 50.0 + 3.0 * noise_w]
    tail = [export_w for moment, export_w in trace if moment > trace[-1][0] - 20.0]
    floor_s = tau_s * math.log((BEFORE_W - AFTER_W) / 50.0)
    assert max(over, default=0.0) <= floor_s + dead_s + 4.0
    assert max(tail) - min(tail) < 100.0 + 6.0 * noise_w
    assert sum(tail) / len(tail) > LIMIT_W - 150.0 - 3.0 * noise_w, "lawful export is left unused: windup"
