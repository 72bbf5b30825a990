"""Random events against the whole engine with loads and batteries beside the inverters; what may never last."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from bench.home import Home, Truth
from dynexport.testing.plant import InverterModel, MeterModel
from dynexport.testing.plant_battery import BatteryModel, LoadModel

RUN_S = 240
GRACE_S = 12.0
TOLERANCE_W, MOVES_W = 100.0, 100.0
SECTIONS = {
    "sources": {"csip": {"kind": "obligation", "fallback": {"export_limit_w": 1500}}},
    "agreement": {"export_limit_w": 20_000, "failsafe_export_limit_w": 1500},
}


@dataclass(slots=True)
class Limits:
    """What the utility says now, watts."""

    export_limit_w: float = 5000.0
    import_limit_w: float = 20_000.0
    storage_target_w: float | None = None

    def stated(self) -> dict[str, Any]:
        """The same as a statement: no target is none stated."""
        target = {} if self.storage_target_w is None else {"storage_target_w": self.storage_target_w}
        return {"export_limit_w": self.export_limit_w, "import_limit_w": self.import_limit_w, **target}

    def broken_by(self, truth: Truth) -> str | None:
        """Which of them what obeys us breaks now: what the house itself does is not ours."""
        charging_w = sum(max(0.0, -power_w) for power_w in truth.batteries_w)
        gives = truth.generation_w > MOVES_W or max(truth.batteries_w, default=0.0) > MOVES_W
        if gives and -truth.site_w > self.export_limit_w + TOLERANCE_W:
            return "export"
        takes = sum(truth.loads_w) + charging_w > MOVES_W
        return "import" if takes and truth.site_w > self.import_limit_w + TOLERANCE_W else None


def home_run(seed: int) -> tuple[float, str | None]:
    """One run of `RUN_S` seconds; its length and the first limit that stays broken, in words."""
    rng = random.Random(seed)
    home, limits = _home(rng, seed), Limits()
    home.state("csip", **limits.stated())
    calm, since, which = 0.0, 0.0, None
    for _ in range(RUN_S):
        if _disturb(home, limits, rng):
            home.state("csip", **limits.stated())
            calm = home.plant.now
        home.run(1.0)
        now, broken = home.plant.now, limits.broken_by(home.truth)
        if broken != which:
            which, since = broken, now
        if broken and now - max(since, calm) > GRACE_S:
            return now, f"{broken} stays beyond its limit: {limits}, {home.truth}"
    return home.plant.now, None


def _home(rng: random.Random, seed: int) -> Home:
    battery = BatteryModel(tau_s=rng.choice((0.3, 1.5)))
    return Home(
        [InverterModel(5000.0, rng.choice((0.3, 1.0, 2.0)))],
        batteries=[battery] * rng.choice((0, 1, 1, 2)),
        loads=[LoadModel(3000.0), LoadModel(2000.0, switched=True)][: rng.choice((0, 1, 2))],
        load_w=rng.uniform(0, 3000),
        meter=MeterModel(rng.choice((0.2, 1.0)), rng.choice((0.0, 0.5)), rng.choice((5.0, 20.0))),
        sections=SECTIONS,
        seed=seed,
    )


def _disturb(home: Home, limits: Limits, rng: random.Random) -> bool:
    """Perhaps change something; True when the site needs time to answer."""
    draw = rng.random()
    batteries = home.plant.beside.batteries
    if draw < 0.04:
        home.plant.load_w = rng.uniform(0, 4000)
    elif draw < 0.06:
        limits.export_limit_w = rng.choice((0.0, 1500.0, 5000.0))
    elif draw < 0.08:
        limits.import_limit_w = rng.choice((0.0, 2000.0, 6000.0, 20_000.0))
    elif draw < 0.10:
        limits.storage_target_w = rng.choice((None, -5000.0, 5000.0, 0.0, 2000.0))
    elif draw < 0.13:
        home.plant.inverters[0].available_w = rng.uniform(0, 5000)
    elif draw < 0.135 and batteries:
        batteries[0].deaf = not batteries[0].deaf
    elif draw < 0.14:
        home.silent ^= {"l0"}
    elif draw < 0.145:
        home.meter_alive = not home.meter_alive
    else:
        return False
    return True
