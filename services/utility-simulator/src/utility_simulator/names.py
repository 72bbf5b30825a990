"""Addresses that say nothing, drawn at random: a client may follow links only."""

from __future__ import annotations

import random


class Names:
    """Our name of a resource -> an address that says nothing, some of them whole."""

    def __init__(self, rng: random.Random, whole: float = 0.3) -> None:
        self._rng = rng
        self._whole = whole
        self._paths: dict[str, str] = {"dcap": "/dcap"}
        self.origin = ""

    def __getitem__(self, name: str) -> str:
        if name not in self._paths:
            self._paths[name] = f"/{self._rng.choice('abcdef')}/{self._rng.getrandbits(40):x}"
        path = self._paths[name]
        return self.origin + path if self._rng.random() < self._whole else path

    def of(self, path: str) -> str | None:
        """Our name of what stands at `path`."""
        return next((name for name, known in self._paths.items() if known == path), None)

    def move(self, name: str) -> None:
        """From now on it stands elsewhere."""
        self._paths.pop(name, None)
