"""Each of our own processes killed and frozen; both engines at once; the power cut of everything."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator

from bench.processes import tree
from bench.scenarios import Figure
from bench.stack import CLOCK, CONTROL
from bench.trouble.case import (
    FAILSAFE_W,
    LOAD_HIGH_W,
    LOAD_LOW_W,
    Case,
    Run,
    Trouble,
    standard,
    tight,
)
from dynexport import topics
from dynexport.messages import Setpoint

HOW = {"killed": signal.SIGKILL, "frozen": signal.SIGSTOP}
GONE_S = 34.0
WRITER, READER, ENGINE = "inverter_writer", "meter_reader", "limit_engine"
BACK_WITHIN_S = 60.0


def hit(case: Case, module: str, how: str) -> float:
    """Kill or freeze one process of the site; a killed one is no longer expected to run. Returns the moment."""
    killed = HOW[how] is signal.SIGKILL
    process = case.site.processes.pop(module) if killed else case.site.processes[module]
    moment = CLOCK.mono()
    process.send_signal(HOW[how])
    if killed:
        process.wait()
    return moment


def back(case: Case, module: str, how: str) -> None:
    """Start it again, or let it go on."""
    if how == "killed":
        case.site.start([module])
    else:
        case.site.processes[module].send_signal(signal.SIGCONT)


def reader(how: str) -> Run:
    """meter-reader is gone, and the load drops."""

    def run(case: Case) -> Iterator[Figure]:
        hit(case, READER, how)
        dropped = case.load(LOAD_LOW_W)
        case.site.wait(20.0)
        yield Figure(f"meter-reader-{how}", "over_s", case.over_s(dropped))
        back(case, READER, how)
        case.load(LOAD_HIGH_W)
        case.settle()

    return run


def engine(how: str) -> Run:
    """limit-engine is gone: each inverter goes to its failsafe share."""

    def run(case: Case) -> Iterator[Figure]:
        moment = hit(case, ENGINE, how)
        case.site.wait(GONE_S)
        yield Figure(f"limit-engine-{how}", "failsafe_s", case.above_s(moment, FAILSAFE_W))
        back(case, ENGINE, how)
        yield Figure(f"limit-engine-{how}", "back_s", case.settle())

    return run


def worker(how: str) -> Run:
    """inverter-writer's working process is gone, and the load drops: its parent starts another one."""

    def run(case: Case) -> Iterator[Figure]:
        parent = case.site.processes[WRITER].pid
        (child,) = tree([parent]) - {parent}
        os.kill(child, HOW[how])
        dropped = case.load(LOAD_LOW_W)
        case.site.wait(GONE_S)
        yield Figure(f"writer-{how}", "over_s", case.over_s(dropped))
        if child in tree([parent]):
            raise RuntimeError("the parent has not ended the frozen working process")
        case.settle()

    return run


def family_frozen(case: Case) -> Iterator[Figure]:
    """inverter-writer and its parent freeze, and the load drops: model 123 holds what it was last told."""
    family = tree([case.site.processes[WRITER].pid])
    _signal(family, signal.SIGSTOP)
    dropped = case.load(LOAD_LOW_W)
    case.site.wait(25.0 if case.brief else 60.0)
    yield Figure("writer-gone-123", "over_w", case.over_w(dropped))
    _signal(family, signal.SIGCONT)
    case.load(LOAD_HIGH_W)
    yield Figure("writer-gone-123", "back_s", case.settle())


def family_killed(case: Case) -> Iterator[Figure]:
    """inverter-writer and its parent are killed: model 704 reverts to the value that we chose."""
    family = tree([case.site.processes.pop(WRITER).pid])
    moment = CLOCK.mono()
    _signal(family, signal.SIGKILL)
    case.site.wait(40.0)
    yield Figure("writer-gone-704", "failsafe_s", case.above_s(moment, FAILSAFE_W))
    case.site.start([WRITER])
    yield Figure("writer-gone-704", "back_s", case.settle())


def second_engine(case: Case) -> Iterator[Figure]:
    """A second engine starts and stays mute; then the first one is killed and the second takes over."""
    case.site.spawn("standby", [ENGINE])
    case.site.wait(5.0)
    started = CLOCK.mono()
    case.site.wait(10.0 if case.brief else 60.0)
    if len(engines := _speakers(case, started)) != 1:
        raise RuntimeError(f"engines that send setpoints: {sorted(engines)}")
    moment = hit(case, ENGINE, "killed")
    case.site.wait(12.0)
    yield Figure("second-engine", "over_w", case.over_w(started))
    taken_s = case.hear(topics.SETPOINT, lambda said: isinstance(said, Setpoint), moment + 2.0, BACK_WITHIN_S)
    yield Figure("second-engine", "takeover_s", taken_s + 2.0)
    case.settle()


def _speakers(case: Case, since: float) -> set[str]:
    """The ids of the engines that sent setpoints."""
    said = [received.message for received in case.heard(topics.SETPOINT, since)]
    return {message.engine_id for message in said if isinstance(message, Setpoint)}


def power_cut(case: Case) -> Iterator[Figure]:
    """Everything but the devices dies at once, the load drops meanwhile, and all starts again."""
    running = [case.site.processes.pop(module) for module in CONTROL]
    _signal(tree(process.pid for process in running), signal.SIGKILL)
    for process in running:
        process.wait()
    case.load(LOAD_LOW_W)  # the simulator hears it from the broker, so that goes last
    case.site.broker.send_signal(signal.SIGKILL)
    case.site.wait(10.0)
    case.site.broker.revive()
    moment = case.site.start(CONTROL)
    case.site.wait(25.0)
    yield Figure("power-cut", "over_s", case.over_s(moment))
    case.load(LOAD_HIGH_W)
    yield Figure("power-cut", "back_s", case.settle())


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


SERVICES = (
    *(Trouble((f"meter-reader-{how}",), reader(how), tight()) for how in HOW),
    *(Trouble((f"limit-engine-{how}",), engine(how), standard()) for how in HOW),
    *(Trouble((f"writer-{how}",), worker(how), tight()) for how in HOW),
    Trouble(("writer-gone-123",), family_frozen, tight()),
    Trouble(("writer-gone-704",), family_killed, standard(map="der")),
    Trouble(("second-engine",), second_engine, standard()),
    Trouble(("power-cut",), power_cut, tight()),
)
