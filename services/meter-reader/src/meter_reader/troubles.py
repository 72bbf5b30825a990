"""What goes wrong with a meter or a publisher: counted, said at the first, every 60th time, and when it is over."""

from __future__ import annotations

from dynexport.logs import Repeated
from dynexport.messages import Level
from dynexport.service import Context

WELL_FOR_S = 5.0


class Troubles:
    """Over only after some seconds without a new one, so that a flickering meter does not flood the events."""

    def __init__(self, context: Context, kind: str = "meter", name: str = "the meter") -> None:
        self.count = 0
        self._kind = kind
        self._name = name
        self._context = context
        self._repeated = Repeated()
        self._since: float | None = None
        self._last = 0.0

    def happened(self, code: str, message: str, mono: float) -> None:
        """Count one, and say it when it is its turn; its event is `<kind>_<code>`."""
        self.count += 1
        self._since = mono if self._since is None else self._since
        self._last = mono
        times = self._repeated.happened(code)
        if times is not None:
            self._context.event(Level.WARNING, f"{self._kind}_{code}", message, times=times)

    def good(self, mono: float) -> None:
        """A good reading came: when nothing has gone wrong for a while, the trouble is over."""
        if self._since is None or mono - self._last < WELL_FOR_S:
            return
        times = sum(self._repeated.over(code) for code in list(self._repeated.counts))
        message = f"{self._name} is read again, after {times} errors within {self._last - self._since:.0f} s"
        self._context.event(Level.INFO, f"{self._kind}_back", message, times=times)
        self._since = None
