"""What `conform` asks of a writer, as if it were the engine: no valid target is above 30 % of the rating."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from dynexport.clock import rfc3339

ANSWERS_S = 3.0
LEASE_S = 15.0
SAFE, TIGHT, TIGHTER, TIGHTEST = 0.30, 0.20, 0.10, 0.05
LOOSE = 0.60
OLD_S = 10.0
RUBBISH = b'{"v": 1, "target_w": "much'


@dataclass(frozen=True, slots=True)
class Step:
    """One setpoint and how long the answer is awaited; shares are of the rated power.

    `standing` is what holds before, said anew when `reasserts`, so that the lease and its deadline are fresh;
    `until_obeyed` ends the wait early and repeats the setpoint each second.
    """

    probe: str
    share: float
    standing: float
    seconds: float = ANSWERS_S
    until_obeyed: bool = False
    other: bool = False
    age_s: float = 0.0
    replayed: bool = False
    retained: bool = False
    release: bool = False
    negative: bool = False
    rubbish: bool = False

    @property
    def reasserts(self) -> bool:
        """Whether the standing target is said once more just before."""
        return self.share == LOOSE or self.probe == "other-tighter"

    def before(self) -> Step:
        """The setpoint that says it."""
        return Step(f"{self.probe}: before", self.standing, self.standing)


def script(ttl_s: float) -> tuple[Step, ...]:
    """The questions in their order; the silence lasts as long as the last setpoint's `ttl_s`."""
    return (
        Step("obeys", SAFE, 1.0, LEASE_S + ANSWERS_S, until_obeyed=True),
        Step("tightens", TIGHT, SAFE),
        Step("retained", LOOSE, TIGHT, retained=True),
        Step("old", LOOSE, TIGHT, age_s=OLD_S),
        Step("replayed", LOOSE, TIGHT, replayed=True),
        Step("rubbish", LOOSE, TIGHT, rubbish=True),
        Step("negative", LOOSE, TIGHT, negative=True),
        Step("other-looser", LOOSE, TIGHT, other=True),
        Step("other-tighter", TIGHTER, TIGHT, other=True),
        Step("silence", TIGHTEST, TIGHTER, ttl_s + ANSWERS_S),
        Step("release", TIGHTEST, TIGHTEST, 1.0, release=True),
        Step("taken-over", TIGHT, TIGHTEST, other=True),
        Step("end", TIGHT, TIGHT, 0.2, other=True, release=True),
    )


@dataclass(slots=True)
class Voice:
    """Makes the setpoints of two engines, each numbered on its own."""

    engine_id: str
    ttl_s: float
    _seqs: dict[str, int] = field(default_factory=dict)

    def payload(self, step: Step, rated_w: float, now: datetime) -> bytes:
        """The setpoint of a step, stamped `now`."""
        if step.rubbish:
            return RUBBISH
        engine_id = f"{self.engine_id}-other" if step.other else self.engine_id
        if not step.replayed:
            self._seqs[engine_id] = self._seqs.get(engine_id, 0) + 1
        setpoint: dict[str, Any] = {
            "v": 1,
            "issued_at": rfc3339(now - timedelta(seconds=step.age_s)),
            "engine_id": engine_id,
            "seq": self._seqs[engine_id],
            "target_w": -1.0 if step.negative else round(step.share * rated_w, 1),
            "connect": True,
            "ttl_s": self.ttl_s,
            "release": step.release,
        }
        return json.dumps(setpoint).encode()
