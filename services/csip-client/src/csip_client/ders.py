"""The DER part of the report lane: capability, settings and status, put on change and at the server's rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from csip_client import news
from csip_client.facts import Facts
from csip_client.fetch import MOVED_OR_GONE, Failure, Fetcher, Refused
from csip_client.pace import Pace
from csip_client.put import Put
from csip_client.wire import resources as r
from csip_client.wire import write
from csip_client.wire.read import der, poll_rate

DEBOUNCE_S = 2.0
NAMES = ("capability", "settings", "status")
Job = tuple[Callable[[float], None], float]


class DerReports:
    """What is put below one DERList; made anew with new links."""

    def __init__(
        self,
        fetch: Fetcher,
        der_list: str,
        pace: Pace,
        *,
        tell: Callable[[news.News], None],
        server_now: Callable[[], float],
    ) -> None:
        self._fetch = fetch
        self._der_list = der_list
        self._tell = tell
        self._now = server_now
        self._pace = pace
        self._der: r.DER | None = None
        self._facts: Facts | None = None
        self._puts = {name: Put() for name in NAMES}

    def want(self, facts: Facts, mono: float) -> None:
        """The facts from now on."""
        self._facts = facts
        self._puts["capability"].want((facts.ratings, facts.modes, facts.der_type), mono)
        self._puts["settings"].want((facts.settings, facts.modes, facts.grad), mono)
        charge_known = facts.stored_pct is not None  # it changes all the time: told at the server's rate
        self._puts["status"].want((facts.status, facts.stor_connect, charge_known), mono)

    def jobs(self) -> Iterator[Job]:
        """What may be done, with the monotonic moment at which it is due."""
        yield self._ask, self._pace.due
        if self._der is None or self._facts is None:
            return
        for name, put in self._puts.items():
            yield (lambda at, n=name: self._put(n, at)), put.due(DEBOUNCE_S if name == "status" else 0.0)  # type: ignore[misc]

    def _ask(self, mono: float) -> None:
        """The list of DER; a status goes out at its rate, whatever changed. An empty list is asked again."""
        self._pace.asked(mono)
        try:
            first, nodes = self._fetch.get_list(self._der_list)
        except Failure as error:
            self._pace.failed(mono, error.retry_after_s if isinstance(error, Refused) else None)
            raise
        self._pace.answered(poll_rate(first))
        found = der(nodes[0]) if nodes else None
        if found != self._der:
            self._der = found
            self._puts = {name: Put() for name in NAMES}
        elif self._puts["status"].sent is not None:
            self._puts["status"] = Put()

    def _put(self, name: str, mono: float) -> None:
        assert self._der is not None
        assert self._facts is not None
        put, now = self._puts[name], int(self._now())
        href, body = self._document(name, self._facts, self._der, now)
        if href is None:
            put.done()
            return
        try:
            self._fetch.put(href, body)
        except Refused as error:
            put.failed(mono, error.retry_after_s)
            if error.status in MOVED_OR_GONE:
                self._pace.soon(mono)
            elif error.final:
                self._tell(news.Odd("csip_report_refused", f"the server refused our DER {name}: {error}"))
            raise
        except Failure:
            put.failed(mono, None)
            raise
        put.done()

    def _document(self, name: str, facts: Facts, found: r.DER, now: int) -> tuple[str | None, bytes]:
        version = self._fetch.version
        match name:
            case "capability":
                body = write.der_capability(facts.ratings, facts.modes, facts.der_type, version)
                return found.DERCapabilityLink, body
            case "settings":
                return found.DERSettingsLink, write.der_settings(
                    facts.settings, facts.modes, facts.grad, now, version
                )
            case _:
                body = write.der_status(
                    facts.status.connect, facts.status.mode, now, version,
                    stored_pct=facts.stored_pct, stor_connect=facts.stor_connect,
                )  # fmt: skip
                return found.DERStatusLink, body
