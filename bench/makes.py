"""`make bench-makes`: the load step and the limit to 0 for each described make, in the simulator of that make."""

from __future__ import annotations

import argparse
import random
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.__main__ import machine
from bench.scenarios import LIMIT_W, LOAD_HIGH_W, SETTLE_S, Figure, limit_to_zero, load_down
from bench.stack import CONTROL, stack
from dynexport.modbus.registers.catalogue import description, names

MUST_S = {"load step": 6.5, "limit to 0": 6.0}
BEHIND = {"sma-core1": "sma-core1-meter", "sungrow-sh": "sungrow-sh-meter", "goodwe-et": "goodwe-et-meter",
          "huawei-sun2000": "huawei-meter", "sigenergy": "sigenergy-meter"}  # fmt: skip


PAGE = Path(__file__).resolve().parent.parent / "docs" / "makes.md"
MISSED = "not explained"
REASONS: dict[str, str] = {}
HEAD = """\
<!-- Written by `make bench-makes`: do not edit. -->

# Each driver and described make in the closed loop

Every driver, and every device of [devices.md](devices.md), in the simulator, with the whole stack: the slowest of
{repeats}, on {machine}. "Load step": house load 5000 to 500 W under 1500 W, until the export is within the
limit and 30 W for good; it must be done in 6.5 s. "Limit to 0": 5000 W to 0 on the bus, until the export is below 50 W;
in 6 s. In bold what is missed, and why. A meter is measured with a SunSpec inverter, an inverter with a SunSpec meter.

| `device` | what | load step | limit to 0 |
|---|---|---|---|
"""


OTHERS: dict[str, dict[str, Any]] = {
    "meter `powerwall`": {"web_meter": {"driver": "powerwall", "password": "solar", "poll_s": 1}},
    "meter `solar_api`": {"web_meter": {"driver": "solar_api"}},
    "inverter `mqtt`": {"behind_mqtt": {}},
    "inverter `sunspec`, 704": {"map": "der"},
    "inverter `sunspec`, 123": {},
}


def inverters() -> list[str]:
    """The makes that can be limited."""
    return [name for name in names() if description(name).limit is not None]


def meters() -> list[str]:
    """The meters that stand by themselves."""
    return [name for name in names() if description(name).kind == "meter" and name not in BEHIND.values()]


def shape(name: str) -> dict[str, Any]:
    """What is special in its site."""
    if name in OTHERS:
        return OTHERS[name]
    return {"device": name} if description(name).kind == "inverter" else {"meter_device": name}


def measure(name: str, repeats: int, rng: random.Random) -> Iterator[Figure]:
    """The figures of one make: an inverter with a SunSpec meter, or a meter with a SunSpec inverter."""
    with stack(export_limit_w=5000.0, **shape(name)) as site:
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


def row(name: str, found: Sequence[Figure]) -> str:
    """A make's row of the page."""
    cells = []
    for scenario, must_s in MUST_S.items():
        worst_s = max(
            each.value for each in found if (each.scenario, each.metric) == (scenario, "compliant_s")
        )
        cells.append(
            f"{worst_s:.1f} s" if worst_s <= must_s else f"**{worst_s:.1f} s**: {REASONS.get(name, MISSED)}"
        )
    return f"| {_what(name)} | {' | '.join(cells)} |"


def _what(name: str) -> str:
    if name in OTHERS:
        return f"{name} | {name.split()[0]}"
    limit = description(name).limit
    return f"`{name}` | " + (f"inverter, limits {limit.scope.value}" if limit else "meter")


def main() -> None:
    """Run, print a row for each, and write the page unless only some were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="makes by name")
    options = parser.parse_args()
    rng = random.Random(secrets.randbelow(2**32))
    lines = []
    with ThreadPoolExecutor(2) as pool:
        runs = {
            name: pool.submit(figures, name, options.repeats, rng)
            for name in options.only or [*OTHERS, *inverters(), *meters()]
        }
        for name, run in runs.items():
            lines.append(row(name, run.result()))
            print(lines[-1], flush=True)
    if not options.only:
        PAGE.write_text(HEAD.format(machine=machine(), repeats=options.repeats) + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
