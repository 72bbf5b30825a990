"""`make bench-makes`: the load step and the limit to 0 for each described make, in the simulator of that make."""

from __future__ import annotations

import argparse
import random
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from bench.scenarios import LIMIT_W, LOAD_HIGH_W, SETTLE_S, Figure, limit_to_zero, load_down
from bench.stack import CONTROL, stack
from dynexport.messages import Scope
from dynexport.modbus.registers.catalogue import description, names

MUST_S = {"load step": 6.5, "limit to 0": 6.0}
BEHIND = {"sma-core1": "sma-core1-meter", "sungrow-sh": "sungrow-sh-meter", "goodwe-et": "goodwe-et-meter",
          "huawei-sun2000": "huawei-meter", "sigenergy": "sigenergy-meter"}  # fmt: skip


def inverters() -> list[str]:
    """The makes that can be limited."""
    return [name for name in names() if description(name).limit is not None]


def meters() -> list[str]:
    """The meters that stand by themselves."""
    return [name for name in names() if description(name).kind == "meter" and name not in BEHIND.values()]


def measure(name: str, repeats: int, rng: random.Random) -> Iterator[Figure]:
    """The figures of one make: an inverter with a SunSpec meter, or a meter with a SunSpec inverter."""
    found = description(name)
    shape = {"device": name} if found.kind == "inverter" else {"meter_device": name}
    with stack(export_limit_w=5000.0, **shape) as site:
        site.start(CONTROL)
        site.limit(LIMIT_W)
        site.wait(SETTLE_S + 15.0)
        for _ in range(repeats):
            yield from load_down(site, rng, "load step", 30.0)
            site.simulate("load_w", LOAD_HIGH_W)
            site.wait(SETTLE_S)
            yield from limit_to_zero(site, rng)


def figures(name: str, repeats: int, rng: random.Random) -> list[Figure]:
    """All of them."""
    return list(measure(name, repeats, rng))


def main() -> None:
    """Run, and print a row for each make and scenario."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="makes by name")
    options = parser.parse_args()
    rng = random.Random(secrets.randbelow(2**32))
    wanted = options.only or [*inverters(), *meters()]
    with ThreadPoolExecutor(2) as pool:
        runs = {name: pool.submit(figures, name, options.repeats, rng) for name in wanted}
        for name, run in runs.items():
            limit = description(name).limit
            scope = limit.scope if limit else Scope.GENERATION
            for scenario, must_s in MUST_S.items():
                worst = max(
                    f.value for f in run.result() if (f.scenario, f.metric) == (scenario, "compliant_s")
                )
                kept = "kept" if worst <= must_s else "MISSED"
                print(
                    f"{name:<18} {scope.value:<11} {scenario:<11} {worst:5.2f} s of {must_s} s: {kept}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
