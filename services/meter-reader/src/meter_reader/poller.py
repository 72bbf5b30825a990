"""The thread that reads a meter behind HTTP, every so often, and leaves it alone when it asks for that."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from dynexport.clock import Clock
from meter_reader.web import Device, Trouble, WebReading

LONGEST_PAUSE_S = 8.0
MOST_WAITING = 100


class Poller(threading.Thread):
    """Puts what it found, a reading or a trouble, into `found` and calls `on_news`.

    After a failure it asks again at the next poll, then after pauses that double up to 8 s, so that a device that
    is back is read within 10 s; a trouble may name a longer pause.
    """

    def __init__(self, device: Device, poll_s: float, clock: Clock, on_news: Callable[[], None]) -> None:
        super().__init__(name="http-meter", daemon=True)
        self.device = device
        self.found: deque[WebReading | Trouble] = deque(maxlen=MOST_WAITING)
        self.crashed: BaseException | None = None
        self._poll_s = poll_s
        self._clock = clock
        self._on_news = on_news
        self._stopping = threading.Event()
        self._failures = 0
        self._busy_since: float | None = None

    def busy_for(self, mono: float) -> float:
        """How long the present read has lasted, seconds; 0 between reads."""
        since = self._busy_since
        return 0.0 if since is None else mono - since

    def stop(self, timeout_s: float) -> bool:
        """Ask it to end, and cut the exchange under way; False when it is still busy after `timeout_s`."""
        self._stopping.set()
        self.device.cut()
        self.join(timeout_s)
        return not self.is_alive()

    def run(self) -> None:
        """The thread: what is no Trouble is kept in `crashed`."""
        try:
            while not self._stopping.is_set():
                began = self._clock.mono()
                pause_s = self._turn(began)
                self._on_news()
                self._stopping.wait(max(0.0, began + pause_s - self._clock.mono()))
        except BaseException as error:  # noqa: BLE001 - told to the service, which ends
            self.crashed = error
        finally:
            with suppress(OSError):
                self.device.close()
            self._on_news()

    def _turn(self, began: float) -> float:
        """One read; returns the seconds from its begin to the next."""
        self._busy_since = began
        try:
            self.found.append(self.device.read())
        except Trouble as trouble:
            self.found.append(trouble)
            self._failures += 1
            doubled_s = min(LONGEST_PAUSE_S, self._poll_s * 2.0 ** min(self._failures - 1, 10))
            return max(doubled_s, trouble.pause_s or 0.0)
        finally:
            self._busy_since = None
        self._failures = 0
        return self._poll_s
