"""When a resource is asked again: the server's rate, obeyed at the next poll; retries inside the allowance. Pure.

csip.md: start to start 0.95 x pollRate, jitter only shortens; no back-off exceeds the pollRate, Retry-After aside;
never more than 6 requests of one path in 3 poll periods, retries included: a retry leaves room for the next poll.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

SHORTEST_S = 5.0
SHARE, JITTER = 0.95, 0.05
FIRST_RETRY_S = 5.0
WINDOW_POLLS, MOST_REQUESTS, MOST_BEFORE_RETRY = 3.0, 6, 5
UNANSWERED_S = 300.0  # how often while the server has never answered, and so has named no rate


@dataclass(slots=True)
class Pace:
    """One resource's next request; `rate_s` is its pollRate, `random` draws from 0..1."""

    random: Callable[[], float]
    rate_s: float = UNANSWERED_S
    due: float = float("-inf")
    failures: int = 0
    _quiet_until: float = float("-inf")
    _asked: deque[float] = field(default_factory=lambda: deque(maxlen=16))

    def asked(self, mono: float) -> None:
        """A request starts now; until it ends it counts as answered at the rate known so far."""
        self._asked.append(mono)
        self.due = self._allowed(mono + self._period())

    def answered(self, rate_s: float) -> None:
        """The answer came, with the rate that times the very next poll."""
        self.failures = 0
        rate_s = max(SHORTEST_S, rate_s)
        if rate_s > self.rate_s and self._asked:  # what was asked at the faster rate was allowed then
            self._asked = deque([self._asked[-1]], maxlen=self._asked.maxlen)
        self.rate_s = rate_s
        self.due = self._allowed(self._asked[-1] + self._period()) if self._asked else float("-inf")

    def failed(self, mono: float, retry_after_s: float | None = None) -> None:
        """No good answer: back off, or wait as long as the server asks, and one period more (P-06 counts)."""
        self.failures += 1
        if retry_after_s is not None:
            self._quiet_until = mono + retry_after_s
            self.due = self._quiet_until + self._period()
            return
        regular = (self._asked[-1] if self._asked else mono) + self._period()
        wait_s = FIRST_RETRY_S * 2.0 ** min(self.failures - 1, 10) * (0.8 + 0.4 * self.random())
        retry = mono + max(FIRST_RETRY_S, wait_s)
        self.due = self._allowed(max(mono, regular if retry >= regular or self._spent(retry) else retry))

    def soon(self, mono: float) -> None:
        """Ask as soon as that is allowed: after an outage, or because what led here has changed."""
        self.due = max(self._allowed(mono), self._quiet_until)

    def _period(self) -> float:
        return self.rate_s * (SHARE - JITTER * self.random())

    def _spent(self, moment: float) -> bool:
        since = moment - WINDOW_POLLS * self.rate_s
        return sum(asked > since for asked in self._asked) >= MOST_BEFORE_RETRY

    def _allowed(self, moment: float) -> float:
        """This moment, or when the sixth request before it is 3 poll periods old."""
        if len(self._asked) < MOST_REQUESTS:
            return moment
        return max(moment, self._asked[-MOST_REQUESTS] + WINDOW_POLLS * self.rate_s)
