"""`make bench`: every scenario of control.md's first table on the whole stack, as ratios to the plant's floor."""

from __future__ import annotations

import argparse
import os
import platform
import random
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.report import line, rows, write
from bench.scenarios import ALL, Figure

# Scenarios that run side by side; those that measure latency and processor time to the millisecond run alone.
TOGETHER = ((0,), (1, 2), (3, 4), (5,))
DOCS = Path(__file__).resolve().parent.parent / "docs"


def machine() -> str:
    """What it ran on, without a name of a host."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def main() -> None:
    """Run, print as results come, write the files unless `--quick`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--quick", action="store_true", help="each scenario once; writes no file")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of scenarios, from 0")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    figures: list[Figure] = []
    repeats = 1 if options.quick else options.repeats

    def measure(number: int) -> list[Figure]:
        return list(ALL[number](repeats, random.Random(f"{options.seed} {number}")))

    for group in TOGETHER if options.only is None else [options.only]:
        with ThreadPoolExecutor(len(group)) as pool:
            for new in pool.map(measure, group):
                figures += new
                for row in rows(new):
                    print(line(row), flush=True)
    if not options.quick and options.only is None:
        write(figures, DOCS, machine())
        print(f"written: {DOCS / 'benchmark.json'}, {DOCS / 'benchmark.md'}")


if __name__ == "__main__":
    main()
