"""Sends the queued answers in order, each once: what is in doubt after a power cut is looked up at the server first."""

from __future__ import annotations

from collections.abc import Callable

from csip_client import news
from csip_client.adapters.http import Unreachable
from csip_client.adapters.store import Queued, Store
from csip_client.fetch import Failure, Fetcher, Refused
from csip_client.wire import write
from csip_client.wire.document import WireError

FIRST_RETRY_S, LONGEST_RETRY_S = 5.0, 60.0
LISTS_NONE = (401, 403, 501)
MOST_LOOKED_UP = 5


class Unsendable(WireError):
    """No body, or no address, that could ever be sent."""


class Outbox:
    """The answers' part of the report lane."""

    def __init__(self, fetch: Fetcher, store: Store, lfdi: str, tell: Callable[[news.News], None]) -> None:
        self._fetch = fetch
        self._store = store
        self._lfdi = lfdi
        self._tell = tell
        self._failures = 0
        self._looked_up = 0
        self._not_before = float("-inf")

    def due(self, mono: float) -> float:
        """Seconds until the next answer goes out; infinity while there is none."""
        return float("inf") if self._store.next_answer() is None else max(0.0, self._not_before - mono)

    def run(self, mono: float) -> None:
        """Send the oldest one; a refusal that would never change drops it with an event, anything else waits."""
        queued = self._store.next_answer()
        if queued is None:
            return
        try:
            if not (queued.in_doubt and self._arrived(queued)):
                self._send(queued)
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
            raise Unsendable(str(error)) from error

    def _arrived(self, queued: Queued) -> bool:
        """Whether the server lists this answer; a server that lists none is sent it again: better twice than never.

        Raises Unreachable, Refused, WireError while that cannot be told, which ends by itself.
        """
        try:
            _, entries = self._fetch.get_list(queued.reply_to)
        except Refused as error:
            if error.final or error.status in LISTS_NONE or self._looked_up >= MOST_LOOKED_UP:
                return False
            self._looked_up += 1
            raise
        except WireError:
            if self._looked_up >= MOST_LOOKED_UP:
                return False
            self._looked_up += 1
            raise
        return any(
            (entry.word("subject") or "").upper() == queued.subject and entry.whole("status") == queued.status
            for entry in entries
        )

    def _failed(self, queued: Queued, error: Exception, mono: float) -> None:
        if isinstance(error, Unsendable) or (isinstance(error, Refused) and error.final):
            self._store.sent(queued)
            text = f"answer {queued.status} for {queued.subject} is dropped: {error}"
            self._tell(news.Odd("csip_answer_refused", text))
            self._looked_up = 0
            return
        if not isinstance(error, Unreachable) and not queued.in_doubt:
            self._store.not_sent(queued)
        self._failures += 1
        wait_s = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(self._failures - 1, 10))
        if isinstance(error, Refused) and error.retry_after_s is not None:
            wait_s = error.retry_after_s
        self._not_before = mono + wait_s
        self._tell(news.Contact(str(error)))
