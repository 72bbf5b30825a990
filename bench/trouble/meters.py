"""The meter dies, hangs, freezes, or is wired the wrong way round."""

from __future__ import annotations

from collections.abc import Iterator

from bench.scenarios import Figure
from bench.stack import CLOCK
from bench.trouble.case import LOAD_HIGH_W, LOAD_LOW_W, METER, Case, Run, Trouble, standard, tight
from dynexport import topics
from dynexport.messages import Event, Mode

NOTICED_WITHIN_S = 45.0
DEAD_S, DEAD_BRIEFLY_S = 150.0, 20.0
BETWEEN_STEPS_S = 8.0


def dies(row: str, fault: str) -> Run:
    """It stops answering, and the load drops by 4.5 kW at once."""

    def run(case: Case) -> Iterator[Figure]:
        moment = case.fault(fault, METER)
        dropped = case.load(LOAD_LOW_W)
        yield Figure(row, "open_loop_s", case.mode(Mode.OPEN_LOOP, moment, 10.0))
        case.site.wait(12.0)
        yield Figure(row, "over_s", case.over_s(dropped))
        if row == "meter-dies":
            case.site.wait(DEAD_BRIEFLY_S if case.brief else DEAD_S)
            yield Figure("meter-dead-150", "over_w", case.over_w(dropped + 10.0))
        case.fault("clear")
        case.load(LOAD_HIGH_W)
        case.settle()

    return run


def frozen(case: Case) -> Iterator[Figure]:
    """It repeats one answer for ever; a lower limit then makes generation move."""
    case.fault("frozen", METER)
    case.site.wait(3.0)
    moment = case.site.limit(case.limit_w - 3000.0)
    yield Figure("meter-frozen", "open_loop_s", _implausible(case, moment))
    case.site.wait(8.0)
    yield Figure("meter-frozen", "over_w", case.over_w(CLOCK.mono() - 2.0))


def reversed_(case: Case) -> Iterator[Figure]:
    """Its current transformer is turned round; the sun then moves generation twice."""
    case.fault("reversed", METER)
    moment = CLOCK.mono()
    for percent in (70.0, 100.0):
        case.site.wait(BETWEEN_STEPS_S)
        moment = case.fault("available_pct", value=percent)
    yield Figure("meter-reversed", "open_loop_s", max(0.0, _implausible(case, moment)))
    case.site.wait(10.0)
    yield Figure("meter-reversed", "over_w", case.over_w(CLOCK.mono() - 2.0))


def _implausible(case: Case, since: float) -> float:
    """Seconds from `since` until the engine says that the meter is wrong; it may have known before."""

    def said(message: object) -> bool:
        return isinstance(message, Event) and message.code == "meter_implausible"

    earlier = [received.mono for received in case.heard(topics.EVENT, 0.0) if said(received.message)]
    return 0.0 if earlier else case.hear(topics.EVENT, said, since, NOTICED_WITHIN_S)


METERS = (
    Trouble(("meter-dies", "meter-dead-150"), dies("meter-dies", "silent"), tight()),
    Trouble(("meter-hangs",), dies("meter-hangs", "hang"), tight()),
    Trouble(("meter-frozen",), frozen, standard()),
    Trouble(("meter-reversed",), reversed_, standard()),
)
