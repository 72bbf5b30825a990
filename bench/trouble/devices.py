"""Connections that break, registers full of nonsense, a second master, and inverters that sleep."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product

from bench.scenarios import Figure
from bench.stack import CLOCK
from bench.trouble.case import (
    BAND_W,
    LOAD_HIGH_W,
    LOAD_LOW_W,
    METER,
    Case,
    Run,
    Trouble,
    standard,
    tight,
)
from bench.trouble.sleep import SLEEP
from dynexport import topics
from dynexport.modbus.endpoint import Endpoint, TcpAddress
from dynexport.modbus.sunspec_inverter import SunSpecInverter

READINGS = {METER: topics.METER_READING, "i0": topics.INVERTER_READING}
UNREACHABLE_S = 20.0
MEASURED, CONTROLS = 103, 123
NONSENSE = ("sentinel", "absurd_scale", "zero_scale", "all_ones")


def reset(row: str, device: str) -> Run:
    """One RST; then the port stays closed for 20 s while the load drops, and opens again."""

    def run(case: Case) -> Iterator[Figure]:
        case.site.bus.subscribe(topics.INVERTER_READING)
        case.site.wait(2.0)
        moment = case.fault("reset", device)
        case.site.wait(6.0)
        yield Figure(row, "gap_s", _gap_s(case, device, moment - 2.0))
        case.fault("refuse", device)
        dropped = case.load(LOAD_LOW_W)
        case.site.wait(UNREACHABLE_S)
        reachable = case.fault("clear")
        back_s = _heard_after(case, device, reachable)
        yield Figure(row, "back_s", back_s)
        case.site.wait(10.0)
        since = dropped if device == METER else reachable + back_s
        yield Figure(row, "over_s", case.over_s(since))
        case.load(LOAD_HIGH_W)
        case.settle()

    return run


def meter_nonsense(case: Case) -> Iterator[Figure]:
    """Each kind of nonsense in the meter's registers, while the load drops: the worst of them."""
    worst_s = 0.0
    for kind in NONSENSE:
        case.fault(kind, METER)
        dropped = case.load(LOAD_LOW_W)
        case.site.wait(11.0)
        worst_s = max(worst_s, case.over_s(dropped))
        case.fault("clear")
        case.load(LOAD_HIGH_W)
        case.settle()
    yield Figure("registers-meter", "over_s", worst_s)


def inverter_nonsense(case: Case) -> Iterator[Figure]:
    """Each kind in one of two inverters, in what it measures and in its controls, while the load drops."""
    worst_s = 0.0
    for model, kind in product((MEASURED, CONTROLS), NONSENSE):
        case.fault(kind, "i0", model)
        case.site.wait(6.0)
        dropped = case.load(2500.0)
        case.site.wait(8.0)
        worst_s = max(worst_s, case.over_s(dropped))
        case.fault("clear")
        case.load(LOAD_HIGH_W)
        case.settle()
    yield Figure("registers-inverter", "over_s", worst_s)


def second_master(case: Case) -> Iterator[Figure]:
    """A foreign program releases the limit through the same registers, five times."""
    foreign = SunSpecInverter(Endpoint(TcpAddress("127.0.0.1", case.site.port("i0"))), 1)
    worst_s, began = 0.0, CLOCK.mono()
    for _ in range(5):
        moment = CLOCK.mono()
        foreign.release()
        case.site.wait(4.0)
        ours = [write.mono for write in case.site.record.writes if write.mono > moment and write.enabled]
        worst_s = max(worst_s, ours[0] - moment if ours else 4.0)
    yield Figure("second-master", "loose_s", worst_s)
    case.site.wait(10.0 if case.brief else 45.0)
    yield Figure("second-master", "over_s", _longest_over_s(case, began))


def _gap_s(case: Case, device: str, since: float) -> float:
    """The longest time between two readings of a device."""
    moments = [received.mono for received in case.heard(READINGS[device], since)]
    return max(after - before for before, after in pairwise(moments))


def _heard_after(case: Case, device: str, since: float) -> float:
    return case.hear(READINGS[device], lambda said: said is not None, since, 30.0)


def _longest_over_s(case: Case, since: float) -> float:
    """The longest stretch over the limit, seconds."""
    longest_s, began = 0.0, None
    for sample in case.site.record.since(since):
        if sample.export_w <= case.limit_w + BAND_W:
            began = None
            continue
        began = sample.mono if began is None else began
        longest_s = max(longest_s, sample.mono - began)
    return longest_s


DEVICES = (
    Trouble(("meter-reset",), reset("meter-reset", METER), tight()),
    Trouble(("inverter-reset",), reset("inverter-reset", "i0"), tight()),
    Trouble(("registers-meter",), meter_nonsense, tight()),
    Trouble(("registers-inverter",), inverter_nonsense, tight(count=2)),
    Trouble(("second-master",), second_master, standard()),
    *SLEEP,
)
