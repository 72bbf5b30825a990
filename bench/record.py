"""The simulator's record: the true powers every 20 ms and every write, on the machine's monotonic clock."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from dynexport.sharing import PHASES


@dataclass(frozen=True, slots=True)
class Sample:
    """The truth at one moment, watts; `phases_w` what each phase exports, empty with one phase.

    `battery_w` is what the batteries give, `loads_w` what the controllable loads use; neither is part of `load_w`.
    """

    mono: float
    export_w: float
    load_w: float
    phases_w: tuple[float, ...] = ()
    battery_w: float = 0.0
    loads_w: float = 0.0


@dataclass(frozen=True, slots=True)
class Write:
    """One write to an inverter's limit."""

    mono: float
    inverter: str
    pct: float
    enabled: bool


@dataclass(slots=True)
class Record:
    """Reads on in the file as it grows."""

    path: Path
    samples: list[Sample] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    _offset: int = 0

    def update(self) -> None:
        """Take in what was added since; a last line that is not complete waits. A simulator's new life begins anew."""
        if not self.path.exists():
            return
        if self.path.stat().st_size < self._offset:
            self._offset = 0
        with self.path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                self._take(json.loads(line))

    def since(self, mono: float, until: float = float("inf")) -> Iterator[Sample]:
        """The samples of a stretch."""
        first = bisect_left(self.samples, mono, key=lambda sample: sample.mono)
        return (sample for sample in islice(self.samples, first, None) if sample.mono <= until)

    def load_change(self, after: float) -> float | None:
        """The moment at which the load stepped, after `after`; None when it has not."""
        before: Sample | None = None
        for sample in self.since(after):
            if before is not None and abs(sample.load_w - before.load_w) > 1000.0:
                return sample.mono
            before = sample
        return None

    def _take(self, line: dict[str, float | str]) -> None:
        if "write" in line:
            self.writes.append(
                Write(float(line["mono"]), str(line["write"]), float(line["pct"]), bool(line["ena"]))
            )
        elif "site_w" in line:
            phases_w = tuple(-float(line[key]) for phase in PHASES if (key := f"site_{phase}_w") in line)
            self.samples.append(
                Sample(
                    float(line["mono"]),
                    -float(line["site_w"]),
                    float(line["load_w"]),
                    phases_w,
                    float(line.get("battery_w", 0.0)),
                    float(line.get("loads_w", 0.0)),
                )
            )
