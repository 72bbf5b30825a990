"""`make bench-faults`: every row of control.md's second table on the whole stack, each once."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bench.__main__ import DOCS, machine
from bench.report import fault_rows, line, merge
from bench.scenarios import Figure
from bench.trouble.case import Trouble, measure
from bench.trouble.table import ALL, QUICK, find

AT_ONCE = 2


def main() -> int:
    """Run, print as results come, write the files; exit code 1 when a row misses its must or fails."""
    parser = argparse.ArgumentParser(prog="python -m bench.trouble", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", metavar="ROW", help="some rows; their results replace the old ones"
    )
    parser.add_argument("--quick", action="store_true", help="a few rows with short waits; writes no file")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="scenarios that run side by side")
    options = parser.parse_args()
    wanted = QUICK if options.quick else options.only
    troubles = ALL if wanted is None else tuple(dict.fromkeys(find(row) for row in wanted))
    figures, failed = run(troubles, brief=options.quick, at_once=options.at_once)
    table = fault_rows(figures)
    missed = [row for row in table if row["must"] is not None and row["measured"] > row["must"]]
    if not options.quick:
        merge(table, DOCS, machine())
        print(f"written: {DOCS / 'benchmark.json'}, {DOCS / 'benchmark.md'}")
    print(f"{len(table)} figures; missed: {len(missed)}; failed: {', '.join(failed) or 'none'}")
    return 1 if missed or failed else 0


def run(troubles: Sequence[Trouble], *, brief: bool, at_once: int) -> tuple[list[Figure], list[str]]:
    """Run scenarios side by side; their figures, and the rows of those that broke off."""
    figures: list[Figure] = []
    failed: list[str] = []

    def one(trouble: Trouble) -> tuple[Trouble, list[Figure] | RuntimeError]:
        try:
            return trouble, measure(trouble, brief=brief)
        except RuntimeError as error:
            return trouble, error

    with ThreadPoolExecutor(at_once) as pool:
        for trouble, result in pool.map(one, troubles):
            if isinstance(result, RuntimeError):
                failed += trouble.rows
                print(f"{', '.join(trouble.rows)}: {result}", flush=True)
                continue
            figures += result
            for row in fault_rows(result):
                print(line(row), flush=True)
    return figures, failed


if __name__ == "__main__":
    raise SystemExit(main())
