"""Random faults against the control law and the plant; what may never happen, whatever happens."""

from __future__ import annotations

import random
from dataclasses import replace

from bench.loop import Loop
from dynexport.messages import Mode
from dynexport.testing.plant import InverterModel, MeterModel

STEP_S = 1.0
RUN_S = 250
RATED_W = 10_000.0
GRACE_S = 10.0


def control_run(seed: int) -> tuple[float, str | None]:
    """One run of `RUN_S` seconds; its length and the first broken invariant in words."""
    rng = random.Random(seed)
    count = rng.choice((1, 2, 3, 5))
    model = InverterModel(RATED_W / count, rng.choice((0.2, 1.0, 2.0)), 0.0, rng.choice((0.97, 1.0, 1.03)))
    meter = MeterModel(rng.choice((0.0, 0.2, 1.0)), rng.choice((0.0, 0.5)), 20.0, rng.uniform(0, 0.2))
    loop = Loop([model] * count, meter, load_w=rng.uniform(200, 6000), seed=seed)
    over_since: float | None = None
    calm_since = loop.plant.now
    for _ in range(RUN_S):
        before = loop.law.ramp.level_w
        changed = _disturb(loop, rng)
        loop.run(STEP_S)
        calm_since = loop.plant.now if changed else calm_since
        broken = _always(loop, before)
        if broken:
            return loop.plant.now, broken
        export_limit_w = loop.bounds.export_limit_w or 0.0
        over = -loop.plant.site_w > export_limit_w + 100.0
        over_since = (over_since or loop.plant.now) if over else None
        overdue = over_since is not None and loop.plant.now - max(over_since, calm_since) > GRACE_S
        if overdue and loop.distort is None:
            return loop.plant.now, f"export {-loop.plant.site_w:.0f} W stays above {export_limit_w:.0f} W"
    return loop.plant.now, None


def _disturb(loop: Loop, rng: random.Random) -> bool:
    """Perhaps change something; True when the site needs time to answer."""
    draw = rng.random() * 2.0
    names = list(loop.law.tracks)
    if draw < 0.04:
        loop.plant.load_w = rng.uniform(100, 8000)
    elif draw < 0.07:
        loop.bounds = replace(loop.bounds, export_limit_w=rng.choice((0.0, 1500.0, 5000.0, 10_000.0)))
    elif draw < 0.08:
        loop.bounds = replace(loop.bounds, generation_limit_w=rng.choice((None, 0.0, 3000.0)))
    elif draw < 0.12:
        share = rng.uniform(0, 1)
        for inverter in loop.plant.inverters:
            inverter.available_w = share * inverter.model.rated_w
    elif draw < 0.14:
        loop.meter_alive = not loop.meter_alive
    elif draw < 0.16:
        loop.silent = loop.silent ^ {rng.choice(names)} if len(names) > 1 else set()
    else:
        return False
    return True


def _always(loop: Loop, before_w: float) -> str | None:
    """What holds at every moment."""
    decision = loop.decision
    assert decision is not None
    total_w = sum(decision.shares_w.values())
    rate_w = loop.law.ramp.rate_w_per_s
    if any(share < 0 for share in decision.shares_w.values()):
        return "a share is negative"
    if any(decision.shares_w[name] > track.rated_w + 1e-6 for name, track in loop.law.tracks.items()):
        return "a share is above its rating"
    if decision.target_w > before_w + rate_w * (STEP_S + 1.0) + 1e-6:
        return f"the target rose from {before_w:.0f} to {decision.target_w:.0f} W in {STEP_S:.0f} s"
    answering = sum(
        decision.shares_w[name] for name, track in loop.law.tracks.items() if track.answers(loop.plant.now)
    )
    if answering > decision.target_w + 1e-6:
        return f"shares of {total_w:.0f} W exceed the target of {decision.target_w:.0f} W"
    limit_w = loop.bounds.generation_limit_w
    if limit_w is not None and decision.target_w > limit_w + 1e-6:
        return "the target exceeds the generation limit"
    if decision.mode is Mode.OPEN_LOOP and decision.target_w > (loop.bounds.export_limit_w or 0.0) + 1e-6:
        return "open loop counts on the house's load"
    return None
