"""What is worth saying of strangers: counted, and said once an hour for each of them, so that none can flood us."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

AGAIN_S = 3600.0
MOST_HOSTS = 32
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened, `times` so far; `host` is whose doing it was, empty for our own."""

    code: str
    host: str = ""
    times: int = 1
    detail: str = ""


class Notices:
    """Filled by the proxy's thread, emptied by the service's."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._waiting: deque[Notice] = deque(maxlen=100)
        self._times: Counter[tuple[str, str]] = Counter()
        self._said: dict[tuple[str, str], float] = {}

    def own(self, code: str, detail: str = "") -> None:
        """Something of ours: always said."""
        self._waiting.append(Notice(code, detail=detail))

    def happened(self, code: str, host: str, mono: float) -> None:
        """Something of a stranger's."""
        self.counts[code] += 1
        key = (code, host if (code, host) in self._said or len(self._said) < MOST_HOSTS else OTHERS)
        self._times[key] += 1
        if mono - self._said.get(key, -AGAIN_S) >= AGAIN_S:
            self._said[key] = mono
            self._waiting.append(Notice(code, key[1], self._times[key]))

    def take(self) -> list[Notice]:
        """What is to be said now."""
        return [self._waiting.popleft() for _ in range(len(self._waiting))]
