"""Sends the queued answers in order, each once: what is in doubt after a power cut is looked up at the server first."""

from __future__ import annotations

from collections.abc import Callable

from csip_client import news
from csip_client.adapters.http import Unreachable, Unusable
from csip_client.adapters.store import Queued, Store
from csip_client.fetch import Failure, Fetcher, Refused
from csip_client.holding import latest_end
from csip_client.wire import write
from csip_client.wire.document import Node, WireError

FIRST_RETRY_S, LONGEST_RETRY_S = 5.0, 60.0
LISTS_NONE = (401, 403, 501)
MOST_LOOKED_UP = 5
RETRIED_AFTER_S = 24 * 3600  # beyond the end of its event


class _Invalid(Exception):
    """An answer whose document cannot be valid, so that it is never sent."""


class Outbox:
    """The answers' part of the report lane; `server_now` is the server's seconds, None while they are not known."""

    def __init__(
        self,
        fetch: Fetcher,
        store: Store,
        lfdi: str,
        tell: Callable[[news.News], None],
        server_now: Callable[[], float | None],
    ) -> None:
        self._fetch = fetch
        self._store = store
        self._lfdi = lfdi
        self._tell = tell
        self._now = server_now
        self._failures = 0
        self._looked_up = 0  # failed look-ups of the answer in doubt
        self._not_before = float("-inf")

    def due(self, mono: float) -> float:
        """Seconds until the next answer goes out; infinity while there is none."""
        return float("inf") if self._store.next_answer() is None else max(0.0, self._not_before - mono)

    def run(self, mono: float) -> None:
        """Send the oldest one; what would never change drops it with an event, anything else waits.

        It waits until its event is over for a day: then it is dropped, too, and holds up the others no more.
        """
        queued = self._store.next_answer()
        if queued is None:
            return
        try:
            if not (queued.in_doubt and self._arrived(queued)):
                self._send(queued)
        except (Unusable, _Invalid) as error:
            self._drop(queued, error)
            return
        except Failure as error:
            self._failed(queued, error, mono)
            return
        self._store.sent(queued)
        self._failures, self._looked_up, self._not_before = 0, 0, float("-inf")
        self._tell(news.Contact())

    def _send(self, queued: Queued) -> None:
        body = write.response(self._lfdi, queued.status, queued.subject, queued.created, self._fetch.version)
        self._store.sending(queued)
        try:
            self._fetch.post(queued.reply_to, body)
        except WireError as error:
            raise _Invalid(str(error)) from error

    def _arrived(self, queued: Queued) -> bool:
        """Whether the server lists this answer; a server that lists none is sent it again: better twice than never.

        Raises Unreachable, Refused, WireError while that cannot be told, which ends by itself.
        """
        try:
            _, entries = self._fetch.get_list(queued.reply_to)
            found = any(_is(entry, queued) for entry in entries)
        except (Refused, WireError) as error:
            lists_none = isinstance(error, Refused) and (error.final or error.status in LISTS_NONE)
            if not lists_none and self._looked_up < MOST_LOOKED_UP:
                self._looked_up += 1
                raise
            found = False
        self._looked_up = 0
        return found

    def _failed(self, queued: Queued, error: Exception, mono: float) -> None:
        if isinstance(error, Refused) and error.final:
            self._drop(queued, error)
            return
        if self._is_over(queued):
            self._drop(queued, error)
        elif not isinstance(error, Unreachable) and not queued.in_doubt:
            self._store.not_sent(queued)
        self._failures += 1
        wait_s = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(self._failures - 1, 10))
        if isinstance(error, Refused) and error.retry_after_s is not None:
            wait_s = error.retry_after_s
        self._not_before = mono + wait_s
        self._tell(news.Contact(str(error)))

    def _drop(self, queued: Queued, error: Exception) -> None:
        self._store.sent(queued)
        self._looked_up = 0
        text = f"answer {queued.status} for {queued.subject} is dropped: {error}"
        self._tell(news.Odd("csip_answer_refused", text))

    def _is_over(self, queued: Queued) -> bool:
        """Whether its event is over for a day; one that we hold no more was over when it was answered at the latest."""
        now, held = self._now(), self._store.holds(self._lfdi, queued.subject)
        over = queued.created if held is None else max(queued.created, latest_end(held))
        return now is not None and now >= over + RETRIED_AFTER_S


def _is(entry: Node, queued: Queued) -> bool:
    """Whether a listed response is this one; raises WireError."""
    subject = (entry.word("subject") or "").upper()
    return subject == queued.subject and entry.whole("status") == queued.status
