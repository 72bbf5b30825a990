"""Every scenario, and which rows it measures."""

from __future__ import annotations

from bench.trouble.brokers import BROKERS
from bench.trouble.case import Trouble
from bench.trouble.devices import DEVICES
from bench.trouble.messages import MESSAGES
from bench.trouble.meters import METERS
from bench.trouble.services import SERVICES
from bench.trouble.sources import SOURCES

ALL: tuple[Trouble, ...] = (*METERS, *SERVICES, *BROKERS, *SOURCES, *DEVICES, *MESSAGES)
ROWS: tuple[str, ...] = tuple(row for trouble in ALL for row in trouble.rows)
QUICK = ("meter-dies", "limit-engine-killed", "second-master")


def find(row: str) -> Trouble:
    """The scenario that measures a row; raises KeyError."""
    for trouble in ALL:
        if row in trouble.rows:
            return trouble
    raise KeyError(f"no row {row}; there are {', '.join(sorted(ROWS))}")
