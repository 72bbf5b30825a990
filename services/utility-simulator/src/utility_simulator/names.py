"""Addresses that say nothing, drawn at random: a client may follow links only."""

from __future__ import annotations

import random


class Names:
    """Our name of a resource -> an address that says nothing, some of them whole."""

    def __init__(self, rng: random.Random, whole: float = 0.3) -> None:
        self._rng = rng
        self._whole = whole
        self._paths: dict[str, str] = {"dcap": "/dcap"}
        self._drawn_whole: dict[str, bool] = {}
        self._aliases: dict[str, str] = {}
        self.origin = ""

    def path(self, name: str) -> str:
        """Where it stands on this server."""
        if name not in self._paths:
            self._paths[name] = f"/{self._rng.choice('abcdef')}/{self._rng.getrandbits(40):x}"
        return self._paths[name]

    def __getitem__(self, name: str) -> str:
        path = self.path(name)
        if name not in self._drawn_whole:
            self._drawn_whole[name] = self._rng.random() < self._whole
        return self.origin + path if self._drawn_whole[name] else path

    def of(self, path: str) -> str | None:
        """Our name of what stands at `path`."""
        found = next((name for name, known in self._paths.items() if known == path), None)
        return self._aliases.get(path, found)

    def alias(self, path: str, name: str) -> None:
        """Serve a resource at another path, too."""
        self._aliases[path] = name

    def move(self, name: str) -> None:
        """From now on it stands elsewhere."""
        self._paths.pop(name, None)
