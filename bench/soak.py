"""`make soak`: millions of merges, and thousands of seconds of the law and of homes with loads and batteries under
random faults, against the invariants.

Every draw comes from one printed seed, so that a failure can be repeated: `python -m bench.soak --seed N`.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
from collections.abc import Callable

from bench.faults import control_run
from bench.home_run import home_run
from bench.invariants import broken_merge_invariant, random_candidate

MERGES = 2_500_000
CONTROL_SECONDS = 10_000
HOME_SECONDS = 10_000


def soak_merges(rng: random.Random, count: int) -> str | None:
    """`count` random merges; the first broken invariant in words, or None."""
    for done in range(count):
        candidates = [random_candidate(rng) for _ in range(rng.randrange(5))]
        broken = broken_merge_invariant(candidates, random_candidate(rng), rng)
        if broken:
            return f"merge {done}: {broken}: {candidates}"
        if done % 250_000 == 0:
            print(f"merges {done:,} of {count:,}", flush=True)
    return None


def soak_control(
    rng: random.Random, seconds: float, run: Callable[[int], tuple[float, str | None]], what: str
) -> str | None:
    """Simulated seconds under random faults; the first broken invariant in words, or None."""
    done = 0.0
    while done < seconds:
        seed = rng.randrange(2**32)
        length, broken = run(seed)
        done += length
        if broken:
            return f"{what} run with seed {seed}: {broken}"
        print(f"{what} seconds {done:,.0f} of {seconds:,.0f}", flush=True)
    return None


def main() -> int:
    """Run both; exit code 1 and the invariant's name when one breaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--merges", type=int, default=MERGES)
    parser.add_argument("--seconds", type=float, default=CONTROL_SECONDS)
    parser.add_argument("--home-seconds", type=float, default=HOME_SECONDS)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    rng = random.Random(options.seed)
    broken = (
        soak_merges(rng, options.merges)
        or soak_control(rng, options.seconds, control_run, "control")
        or soak_control(rng, options.home_seconds, home_run, "home")
    )
    done = f"{options.merges:,} merges, {options.seconds:,.0f} control and {options.home_seconds:,.0f} home seconds"
    print(broken or f"{done}: no invariant broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
