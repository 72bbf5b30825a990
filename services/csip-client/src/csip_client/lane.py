"""A thread of its own for each lane, so that neither telemetry nor a slow answer holds up the controls."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dynexport.clock import Clock

LONGEST_WAIT_S, SHORTEST_WAIT_S = 1.0, 0.01


class LaneThread(threading.Thread):
    """Runs one lane when it is due. What it cannot expect is kept in `crashed` and told by `on_end`."""

    def __init__(
        self,
        name: str,
        due: Callable[[float], float],
        run: Callable[[float], None],
        clock: Clock,
        on_end: Callable[[], None],
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.crashed: BaseException | None = None
        self._due, self._run, self._clock, self._on_end = due, run, clock, on_end
        self._news = threading.Event()
        self._stopping = False
        self._since: float | None = None

    def wake(self) -> None:
        """Look again at what is due."""
        self._news.set()

    def stop(self) -> None:
        """End after the present exchange."""
        self._stopping = True
        self.wake()

    def busy_for(self, mono: float) -> float:
        """How long the present exchange has lasted, seconds; 0 when idle."""
        since = self._since
        return 0.0 if since is None else mono - since

    def run(self) -> None:
        """The thread."""
        try:
            while not self._stopping:
                self._news.clear()
                self._turn(self._clock.mono())
        except BaseException as error:  # noqa: BLE001 - told to the service, which ends
            self.crashed = error
            self._on_end()

    def _turn(self, mono: float) -> None:
        wait_s = self._due(mono)
        if wait_s > 0.0:
            self._news.wait(max(SHORTEST_WAIT_S, min(LONGEST_WAIT_S, wait_s)))
            return
        self._since = mono
        self._run(mono)
        self._since = None
