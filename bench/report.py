"""The benchmark's results: `docs/benchmark.json`, and `docs/benchmark.md` made from it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.scenarios import Figure
from bench.targets import TARGETS, Target
from bench.trouble.targets import FAULT_TARGETS, FAULTS_OF, FaultTarget

Row = dict[str, Any]
LOOP, FAULTS = "closed loop", "faults"

HEAD = """# Benchmark

Made by `make bench` ({repeats} repeats) on {machine}. Every figure is measured on the whole stack: separate
processes, a real broker, real Modbus sockets, against the plant of the simulator. Less is better everywhere. The
floor is what a controller would reach that writes the right value at once, and "ratio" the median over it; where
there is no floor it is the median over the must. A ratio below 1 is no mistake: after a drop of the load the law
tightens on the least load that its readings allow, so it goes a little below the limit first.

| scenario | metric | floor | measured (median) | worst | ratio | must | goal | predecessor |
|---|---|---|---|---|---|---|---|---|
"""
FAULTS_HEAD = """
## Through faults

Made by `make bench-faults` on {machine}: each fault once, on the whole stack. Less is better everywhere. Seconds
count from the fault or the change of the load; `over_s` is until export is within 50 W of the limit for good, `over_w`
how far the worst 60 s mean is above it, `failsafe_s` until generation is at the failsafe for good, `back_s` until the
site is at its limit again, counted from the moment at which nothing is broken any more.

| fault | metric | measured | must | goal | reached | predecessor |
|---|---|---|---|---|---|---|
"""


ORDER = [
    *((LOOP, target.scenario, target.metric) for target in TARGETS),
    *((FAULTS, target.row, target.metric) for target in FAULT_TARGETS),
]


def rows(figures: Sequence[Figure]) -> list[Row]:
    """One row per figure of the first table that was measured."""
    return [row for target in TARGETS if (row := _row(target, figures)) is not None]


def fault_rows(figures: Sequence[Figure]) -> list[Row]:
    """One row per figure of the second table that was measured."""
    return [row for target in FAULT_TARGETS if (row := _fault_row(target, figures)) is not None]


def _fault_row(target: FaultTarget, figures: Sequence[Figure]) -> Row | None:
    wanted = (target.row, target.metric)
    values = [figure.value for figure in figures if (figure.scenario, figure.metric) == wanted]
    if not values:
        return None
    fault, predecessor = FAULTS_OF[target.row]
    return {
        "section": FAULTS,
        "scenario": target.row,
        "metric": target.metric,
        "unit": target.unit,
        "repeats": len(values),
        "measured": round(statistics.median(values), 3),
        "worst": round(max(values), 3),
        "floor": None,
        "ratio": None,
        "must": target.must,
        "goal": target.goal,
        "predecessor": None,
        "fault": fault,
        "predecessor_does": predecessor,
    }


def _row(target: Target, figures: Sequence[Figure]) -> Row | None:
    wanted = (target.scenario, target.metric)
    values = [figure.value for figure in figures if (figure.scenario, figure.metric) == wanted]
    if not values:
        return None
    measured = statistics.median(values)
    return {
        "section": LOOP,
        "scenario": target.scenario,
        "metric": target.metric,
        "unit": target.unit,
        "repeats": len(values),
        "measured": round(measured, 3),
        "worst": round(max(values), 3),
        "floor": target.floor,
        "ratio": round(measured / target.floor, 3) if target.floor else None,
        "must": target.must,
        "goal": target.goal,
        "predecessor": target.predecessor,
    }


def verdict(row: Row) -> str:
    """`goal`, `must` or `missed`, by the median; `no promise` where nothing must be reached."""
    if row["must"] is None:
        return "no promise"
    if row["measured"] <= row["goal"]:
        return "goal"
    return "must" if row["measured"] <= row["must"] else "missed"


def line(row: Row) -> str:
    """One row for a terminal."""
    if row["ratio"] is not None:
        compared = f"{row['ratio']:.2f} of the floor {row['floor']:g}"
    elif row["must"]:
        compared = f"{row['measured'] / row['must']:.2f} of the must"
    else:
        compared = f"must {_promise(row['must'])}"
    return (
        f"{row['scenario']:32} {row['metric']:14} {row['measured']:8.3f} (worst {row['worst']:8.3f}) "
        f"{row['unit']:12} {compared:24} [{verdict(row)}]"
    )


def write(figures: Sequence[Figure], folder: Path, machine: str) -> None:
    """Write both files with these figures of the first table; what `make bench-faults` measured stays."""
    merge(rows(figures), folder, machine)


def merge(new: Sequence[Row], folder: Path, machine: str) -> None:
    """Put rows in the place of older ones of the same scenario and metric, and write both files."""
    stored = folder / "benchmark.json"
    old: list[Row] = json.loads(stored.read_text()) if stored.exists() else []
    known = {_key(row): row for row in [*old, *({**row, "machine": machine} for row in new)]}
    table = [known[key] for key in ORDER if key in known]
    stored.write_text(json.dumps(table, indent=2) + "\n")
    loop, faults = ([row for row in table if row["section"] == section] for section in (LOOP, FAULTS))
    repeats = max((row["repeats"] for row in loop), default=0)
    text = HEAD.format(repeats=repeats, machine=_machines(loop)) + "".join(map(_markdown, loop))
    if faults:
        text += FAULTS_HEAD.format(machine=_machines(faults)) + "".join(map(_fault_markdown, faults))
    (folder / "benchmark.md").write_text(text)


def _key(row: Row) -> tuple[str, str, str]:
    return row["section"], row["scenario"], row["metric"]


def _machines(table: Sequence[Row]) -> str:
    return "; ".join(sorted({row["machine"] for row in table}))


def _markdown(row: Row) -> str:
    ratio = f"{row['ratio']:.2f}" if row["ratio"] is not None else "none"
    if row["ratio"] is None and row["must"]:
        ratio = f"{row['measured'] / row['must']:.2f} of the must"
    floor = "none" if row["floor"] is None else f"{row['floor']:g}"
    predecessor = "none" if row["predecessor"] is None else f"{row['predecessor']:g}"
    return (
        f"| {row['scenario']} | {row['metric']}, {row['unit']} | {floor} | {row['measured']:.3f} | {row['worst']:.3f} "
        f"| {ratio} | {row['must']:g} | {row['goal']:g} | {predecessor} |\n"
    )


def _fault_markdown(row: Row) -> str:
    must, goal = (_promise(row[name]) for name in ("must", "goal"))
    return (
        f"| `{row['scenario']}`: {row['fault']} | {row['metric']}, {row['unit']} | {row['measured']:.3f} "
        f"| {must} | {goal} | {verdict(row)} | {row['predecessor_does']} |\n"
    )


def _promise(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
