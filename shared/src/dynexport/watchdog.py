"""What shows and ends a process that no longer works: a stalled loop, or a parent that is gone."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from dynexport.clock import Clock

STALLED = 70
PARENT_PIPE = "DYNEXPORT_PARENT_PIPE_FD"
TICK_FILE = "DYNEXPORT_TICK_FILE"
TOUCHED_EVERY_S = 1.0


class StallWatchdog:
    """Ends the process with exit code 70 when `tick` was not called for `stall_s` seconds."""

    def __init__(self, clock: Clock, stall_s: float, say: Callable[[str], None]) -> None:
        self._clock = clock
        self._stall_s = stall_s
        self._say = say
        self._ticked = clock.mono()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stall-watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """The loop ends as it should."""
        self._done.set()

    def tick(self) -> None:
        """The loop is alive."""
        self._ticked = self._clock.mono()

    def _watch(self) -> None:
        seen = self._clock.mono()
        while not self._done.wait(min(1.0, self._stall_s / 4)):
            now = self._clock.mono()
            if now - seen > self._stall_s / 2:  # we were frozen ourselves: give the loop its chance
                self._ticked = now
            seen = now
            if now - self._ticked > self._stall_s:
                self._say(
                    f"the loop has not ticked for {self._stall_s:.0f} s: ending with exit code {STALLED}"
                )
                os._exit(STALLED)


class TickFile:
    """Touches the file that DYNEXPORT_TICK_FILE names, at most once a second: a container's health check looks at
    its age. Without the variable it does nothing; a file that cannot be touched is said once."""

    def __init__(self, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        name = environment.get(TICK_FILE)
        self._path = Path(name) if name else None
        self._say = say
        self._touched = float("-inf")

    def tick(self, mono: float) -> None:
        """The loop is alive."""
        if self._path is None or mono - self._touched < TOUCHED_EVERY_S:
            return
        self._touched = mono
        try:
            self._path.touch()
        except OSError as error:
            self._say(f"{TICK_FILE} is {self._path}, which cannot be touched: {error.strerror}")
            self._path = None


def when_parent_goes(act: Callable[[], None]) -> None:
    """Call `act` from a thread when the pipe named by DYNEXPORT_PARENT_PIPE_FD closes; without one, never."""
    number = os.environ.get(PARENT_PIPE, "")
    if not number.isdigit():
        return

    def watch() -> None:
        try:
            while os.read(int(number), 1):
                pass
        except OSError:
            return  # the descriptor was not passed on to this process: there is no parent to watch
        act()

    threading.Thread(target=watch, name="parent-pipe", daemon=True).start()
