"""What can be asked of the server, in words, and what it does wrong while it lasts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

ACTIONS = {
    "control": "a control that starts now: `id` export, generation, import, load, connect or energize; "
    "`value` watts (switches: 0 is off); `for_s` its duration",
    "cancel": "every control that is not over is cancelled",
    "default": "what the default control allows to export: `value` watts",
    "clear": "every fault ends",
}
STATES = {
    "status": "every request is answered with the status `value`, 429 or 500 for example",
    "retry_after": "429 with a Retry-After of `value` seconds",
    "hang": "requests are taken and not answered",
    "garbage": "answers that are no XML",
    "expired": "new connections are shown a certificate that has expired",
    "down": "connections are closed without an answer",
    "clock": "its clock is off by `value` seconds",
}
EVER = float("inf")


@dataclass(slots=True)
class Faults:
    """Each fault by its word, with its value and when it ends; `mono` is the machine's clock, seconds."""

    mono: Callable[[], float]
    _active: dict[str, tuple[float, float]] = field(default_factory=dict)

    def begin(self, name: str, value: float, for_s: float | None) -> None:
        """From now on; raises KeyError for a word that is none."""
        if name not in STATES:
            raise KeyError(name)
        self._active[name] = (value, EVER if for_s is None else self.mono() + for_s)

    def clear(self) -> None:
        """Everything is well again."""
        self._active.clear()

    def value(self, name: str) -> float | None:
        """Its value while it lasts, else None."""
        found = self._active.get(name)
        return found[0] if found is not None and self.mono() < found[1] else None

    def has(self, name: str) -> bool:
        """Whether it lasts."""
        return self.value(name) is not None

    def refusal(self) -> tuple[int, dict[str, str]] | None:
        """The status and headers with which every request is refused now."""
        wait_s, status = self.value("retry_after"), self.value("status")
        if wait_s is not None:
            return 429, {"Retry-After": f"{wait_s:.0f}"}
        return None if status is None else (int(status), {})

    @property
    def words(self) -> list[str]:
        """What is wrong now."""
        return sorted(name for name in STATES if self.has(name))
