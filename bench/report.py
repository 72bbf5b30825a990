"""The benchmark's results: `docs/benchmark.json`, and `docs/benchmark.md` made from it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.scenarios import Figure
from bench.targets import TARGETS, Target

HEAD = """# Benchmark

Made by `make bench` ({repeats} repeats) on {machine}. Every figure is measured on the whole stack: separate
processes, a real broker, real Modbus sockets, against the plant of the simulator. Less is better everywhere. The
floor is what a controller would reach that writes the right value at once, and "ratio" the median over it; where
there is no floor it is the median over the must. A ratio below 1 is no mistake: after a drop of the load the law
tightens on the least load that its readings allow, so it goes a little below the limit first.

| scenario | metric | floor | measured (median) | worst | ratio | must | goal | predecessor |
|---|---|---|---|---|---|---|---|---|
"""


def rows(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """One row per figure of the table that was measured."""
    return [row for target in TARGETS if (row := _row(target, figures)) is not None]


def _row(target: Target, figures: Sequence[Figure]) -> dict[str, Any] | None:
    wanted = (target.scenario, target.metric)
    values = [figure.value for figure in figures if (figure.scenario, figure.metric) == wanted]
    if not values:
        return None
    measured = statistics.median(values)
    return {
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


def verdict(row: dict[str, Any]) -> str:
    """`goal`, `must` or `missed`, by the median."""
    if row["measured"] <= row["goal"]:
        return "goal"
    return "must" if row["measured"] <= row["must"] else "missed"


def line(row: dict[str, Any]) -> str:
    """One row for a terminal."""
    if row["ratio"] is not None:
        compared = f"{row['ratio']:.2f} of the floor {row['floor']:g}"
    else:
        compared = (
            f"{row['measured'] / row['must']:.2f} of the must" if row["must"] else f"must {row['must']:g}"
        )
    return (
        f"{row['scenario']:32} {row['metric']:14} {row['measured']:8.3f} (worst {row['worst']:8.3f}) "
        f"{row['unit']:12} {compared:24} [{verdict(row)}]"
    )


def write(figures: Sequence[Figure], folder: Path, machine: str) -> None:
    """Write both files."""
    table = rows(figures)
    (folder / "benchmark.json").write_text(json.dumps(table, indent=2) + "\n")
    repeats = max((row["repeats"] for row in table), default=0)
    (folder / "benchmark.md").write_text(
        HEAD.format(repeats=repeats, machine=machine) + "".join(_markdown(row) for row in table)
    )


def _markdown(row: dict[str, Any]) -> str:
    ratio = f"{row['ratio']:.2f}" if row["ratio"] is not None else "none"
    if row["ratio"] is None and row["must"]:
        ratio = f"{row['measured'] / row['must']:.2f} of the must"
    floor = "none" if row["floor"] is None else f"{row['floor']:g}"
    predecessor = "none" if row["predecessor"] is None else f"{row['predecessor']:g}"
    return (
        f"| {row['scenario']} | {row['metric']}, {row['unit']} | {floor} | {row['measured']:.3f} | {row['worst']:.3f} "
        f"| {ratio} | {row['must']:g} | {row['goal']:g} | {predecessor} |\n"
    )
