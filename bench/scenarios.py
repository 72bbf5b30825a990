"""The scenarios of control.md's first table: each yields figures, one per repeat and metric."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.processes import memory_mib, processor_s, tree
from bench.stack import CLOCK, CONTROL, Stack, stack

LOAD_HIGH_W, LOAD_LOW_W, LIMIT_W = 5000.0, 500.0, 1500.0
SETTLE_S = 15.0
WATCH_S = 15.0
RUNTIME_SERVICES = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number: which scenario and metric it belongs to."""

    scenario: str
    metric: str
    value: float


Scenario = Callable[[int, random.Random], Iterator[Figure]]


def one_inverter(repeats: int, rng: random.Random) -> Iterator[Figure]:
    """Load down, load back, limit to 0; then memory and processor."""
    with stack(export_limit_w=5000.0) as site:
        site.start(CONTROL)
        site.limit(LIMIT_W)
        site.wait(SETTLE_S + 15.0)
        for _ in range(repeats):
            yield from load_down(site, rng, "load step", 30.0)
            yield from _load_back(site, rng)
            yield from limit_to_zero(site, rng)
        yield from _resources(site, repeats)


def slow_meter(repeats: int, rng: random.Random) -> Iterator[Figure]:
    """The load step with a meter that refreshes once a second, noise 50 W."""
    with stack(meter_refresh_s=1.0, meter_noise_w=50.0) as site:
        site.start(CONTROL)
        site.wait(SETTLE_S + 15.0)
        for _ in range(repeats):
            down = list(load_down(site, rng, "load step, meter once a second", 30.0))
            yield down[0]
            site.simulate("load_w", LOAD_HIGH_W)
            site.wait(SETTLE_S)


def many(count: int) -> Scenario:
    """The load step with several inverters: settled within 50 W."""

    def scenario(repeats: int, rng: random.Random) -> Iterator[Figure]:
        name = f"{'five' if count == 5 else 'twenty'} inverters, load step"
        with stack(count=count) as site:
            site.start(CONTROL)
            site.wait(SETTLE_S + 15.0)
            for _ in range(repeats):
                moment = _step_load(site, rng, LOAD_LOW_W)
                away = [s.mono for s in site.record.since(moment) if abs(s.export_w - LIMIT_W) > 50.0]
                yield Figure(name, "settled_s", max(away, default=moment) - moment)
                site.simulate("load_w", LOAD_HIGH_W)
                site.wait(SETTLE_S)

    return scenario


def steady(repeats: int, rng: random.Random) -> Iterator[Figure]:
    """An inverter 5 % off scale, both ways at once: the 60 s mean over the limit, and the lawful export wasted."""
    windows = max(1, repeats // 2)
    seeds = [rng.randrange(2**31), rng.randrange(2**31)]
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(_steady, gain, windows, seed) for gain, seed in zip((0.95, 1.05), seeds, strict=True)
        ]
        for run in runs:
            yield from run.result()


def cold_start(repeats: int, rng: random.Random) -> Iterator[Figure]:
    """The control services start while broker and simulator run."""
    with stack() as site:
        for _ in range(repeats):
            site.wait(rng.uniform(1.0, 2.0))
            known = len(site.record.writes)
            moment = site.start(CONTROL)
            site.wait(8.0)
            writes = site.record.writes[known:]
            if not writes:
                raise RuntimeError("nothing was written in 8 s")
            yield Figure("cold start", "first_write_s", writes[0].mono - moment)
            site.stop(CONTROL)


ALL: tuple[Scenario, ...] = (one_inverter, slow_meter, many(5), many(20), steady, cold_start)


def _step_load(site: Stack, rng: random.Random, load_w: float) -> float:
    """Step the load at a random phase and watch; the moment of the step."""
    site.wait(rng.uniform(0.0, 1.0))
    asked = CLOCK.mono() - 0.1
    site.simulate("load_w", load_w)
    site.wait(WATCH_S)
    moment = site.record.load_change(asked)
    if moment is None:
        raise RuntimeError("the load has not stepped")
    return moment


def load_down(site: Stack, rng: random.Random, name: str, within_w: float) -> Iterator[Figure]:
    moment = _step_load(site, rng, LOAD_LOW_W)
    samples = list(site.record.since(moment))
    over = [sample.mono for sample in samples if sample.export_w > LIMIT_W + within_w]
    yield Figure(name, "compliant_s", max(over, default=moment) - moment)
    yield Figure(name, "over_kws", _energy(samples, lambda export_w: export_w - LIMIT_W))


def _load_back(site: Stack, rng: random.Random) -> Iterator[Figure]:
    moment = _step_load(site, rng, LOAD_HIGH_W)
    unused = _energy(site.record.since(moment), lambda export_w: LIMIT_W - export_w)
    yield Figure("load back", "unused_kws", unused)


def limit_to_zero(site: Stack, rng: random.Random) -> Iterator[Figure]:
    site.simulate("load_w", LOAD_LOW_W)
    site.limit(5000.0)
    site.wait(SETTLE_S + rng.uniform(0.0, 1.0))
    moment = site.limit(0.0)
    site.wait(WATCH_S)
    over = [sample.mono for sample in site.record.since(moment) if sample.export_w > 50.0]
    final = [
        write.mono
        for write in site.record.writes
        if write.mono >= moment and abs(write.pct - LOAD_LOW_W / 100.0) < 0.6
    ]
    yield Figure("limit to 0", "first_write_s", (final[0] if final else moment + WATCH_S) - moment)
    yield Figure("limit to 0", "compliant_s", max(over, default=moment) - moment)
    site.simulate("load_w", LOAD_HIGH_W)
    site.limit(LIMIT_W)
    site.wait(SETTLE_S)


def _resources(site: Stack, repeats: int) -> Iterator[Figure]:
    pids = tree(site.processes[module].pid for module in CONTROL)
    for _ in range(repeats):
        before, moment = processor_s(pids), CLOCK.mono()
        site.wait(5.0)
        yield Figure(
            "resources", "processor_pct", 100.0 * (processor_s(pids) - before) / (CLOCK.mono() - moment)
        )
        yield Figure("resources", "memory_mib", memory_mib(pids) * RUNTIME_SERVICES / len(CONTROL))


def _steady(gain: float, windows: int, seed: int) -> list[Figure]:
    figures = []
    with stack(gain=gain, seed=seed) as site:
        site.start(CONTROL)
        site.wait(60.0)
        for _ in range(windows):
            start = CLOCK.mono()
            site.wait(60.0)
            mean_w = statistics.fmean(sample.export_w for sample in site.record.since(start))
            figures.append(Figure("steady, 5 % off scale", "over_w", max(0.0, mean_w - LIMIT_W)))
            figures.append(Figure("steady, 5 % off scale", "wasted_w", max(0.0, LIMIT_W - mean_w)))
    return figures


def _energy(samples: object, excess: Callable[[float], float]) -> float:
    """The integral of the positive part, kW.s."""
    total, before = 0.0, None
    for sample in samples:  # type: ignore[attr-defined]
        if before is not None:
            total += max(0.0, excess(sample.export_w)) * (sample.mono - before)
        before = sample.mono
    return total / 1000.0
