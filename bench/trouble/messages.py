"""A flood of bad messages on every topic."""

from __future__ import annotations

import random
from collections.abc import Iterator

from bench.scenarios import Figure
from bench.stack import CLOCK, CONTROL
from bench.trouble.case import Case, Trouble, standard
from bench.trouble.rubbish import rubbish, stored
from dynexport import topics
from dynexport.messages import Health

ROW = "messages"
ROUNDS, ROUNDS_BRIEFLY = 4, 1
BETWEEN_S = 0.05
LISTENERS = ("limit-engine", "inverter-writer")
HEALTH_S = 12.0


def flood(case: Case) -> Iterator[Figure]:
    """Stored ones are there before the services; then all kinds come while the site is at its limit."""
    root, rng = case.site.bus.root, random.Random(5)
    for bad in stored(root, CLOCK.now()):
        case.site.bus.publish_raw(bad.path, bad.payload, retain=True)
    case.site.start(CONTROL)
    case.settle()
    case.site.wait(HEALTH_S)
    before, moment = _rejected(case), CLOCK.mono()
    for _ in range(ROUNDS_BRIEFLY if case.brief else ROUNDS):
        for bad in rubbish(root, CLOCK.now(), rng):
            case.site.bus.publish_raw(bad.path, bad.payload)
            case.site.wait(BETWEEN_S)
    yield Figure(ROW, "over_w", case.over_w(moment))
    yield Figure(ROW, "over_s", case.over_s(moment))
    case.site.wait(HEALTH_S)
    after = _rejected(case)
    deaf = [name for name in LISTENERS if after.get(name, 0) <= before.get(name, 0)]
    yield Figure(ROW, "uncounted", float(len(deaf)))
    case.settle()


def _rejected(case: Case) -> dict[str, int]:
    """What each service has counted so far."""
    counts: dict[str, int] = {}
    for received in case.heard(topics.HEALTH, 0.0):
        if isinstance(received.message, Health):
            counts[received.id] = received.message.rejected
    return counts


MESSAGES = (Trouble((ROW,), flood, standard(), services=False),)
