"""Logging: standard library, key=value; a repeating error is said at the first, then every 60th time."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass, field

EVERY = 60


def set_up(name: str) -> logging.Logger:
    """Log to standard error as key=value; the level comes from DYNEXPORT_LOG_LEVEL (default INFO)."""
    from logfmter import Logfmter

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Logfmter(keys=["at", "level"], mapping={"at": "asctime", "level": "levelname"}))
    level = os.environ.get("DYNEXPORT_LOG_LEVEL", "INFO").upper()
    logging.basicConfig(
        level=level if level in logging.getLevelNamesMapping() else "INFO", handlers=[handler]
    )
    return logging.getLogger(name)


@dataclass(slots=True)
class Repeated:
    """Counts troubles by key, and says when one is worth saying."""

    counts: dict[str, int] = field(default_factory=dict)

    def happened(self, key: str) -> int | None:
        """Count one; the number so far when it is to be said (1st, 61st, ...), else None."""
        number = self.counts.get(key, 0) + 1
        self.counts[key] = number
        return number if number % EVERY == 1 else None

    def over(self, key: str) -> int:
        """It works again: how often it had happened, 0 when it had not."""
        return self.counts.pop(key, 0)
