"""Whether `site.yaml` was changed since a service read it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dynexport.settings.problems import ConfigError
from dynexport.settings.shape import Location, is_secret
from dynexport.settings.source import read

EVERY_S = 30.0
UNREADABLE = "unreadable"

Stamp = tuple[int, int, int]


def digest(path: Path) -> str:
    """SHA-256 of the settings in the file, in hex: not of its comments, its layout or what the environment overrides.

    Secrets are left out: services publish this, and nobody shall try passwords against it. A file that cannot be
    read as YAML gives the word `unreadable`.
    """
    try:
        data = read(path).data
    except ConfigError:
        return UNREADABLE
    text = json.dumps(_open(data, ()), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _open(value: Any, place: Location) -> Any:
    if isinstance(value, dict):
        below = {key: _open(inner, (*place, key)) for key, inner in value.items()}
        return {key: inner for key, inner in below.items() if not is_secret((*place, key))}
    if isinstance(value, list):
        return [_open(inner, (*place, number)) for number, inner in enumerate(value)]
    return value


@dataclass(slots=True)
class WatchedFile:
    """The file that a service was started with: looked at every 30 s, and into only when its time or size moved."""

    path: Path
    sha256: str = field(init=False)
    seen: str = field(init=False)
    _stamp: Stamp | None = field(init=False)
    _next: float = field(init=False, default=float("-inf"))

    def __post_init__(self) -> None:
        self._stamp = self._look()
        self.sha256 = self.seen = digest(self.path)

    def changed(self, mono: float) -> bool:
        """True once for each change that leaves other settings than those at the start."""
        if mono < self._next:
            return False
        self._next = mono + EVERY_S
        stamp = self._look()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        before, self.seen = self.seen, digest(self.path)
        return self.seen not in (before, self.sha256)

    def _look(self) -> Stamp | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
