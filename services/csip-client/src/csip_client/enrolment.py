"""Our EndDevice at the server: found or registered, its PIN compared before anything is sent, its NMI put once."""

from __future__ import annotations

from collections.abc import Callable

from csip_client import news
from csip_client.fetch import Fetcher, Refused
from csip_client.registration import Identity, Standing, ours, pin_fits, put_connection_point, register
from csip_client.wire import resources as r
from csip_client.wire.read import poll_rate


class Enrolment:
    """`device` is our entry as it was read last; None while we have none that is enabled."""

    def __init__(self, fetch: Fetcher, who: Identity, tell: Callable[[news.News], None]) -> None:
        self.standing = Standing.UNKNOWN
        self.device: r.EndDevice | None = None
        self._fetch = fetch
        self._who = who
        self._tell = tell
        self._refused = False
        self._put: str | None = None

    def ask(self, href: str) -> tuple[int, r.EndDevice | None]:
        """Read the list of end devices: its pollRate in seconds, and our entry, None where we have none."""
        first, entries = self._fetch.get_list(href)
        found = ours(entries, self._fetch, self._who.lfdi)
        self._refused = self._refused and found is None
        return poll_rate(first), found

    def register(self, href: str, now: int) -> bool:
        """POST our EndDevice unless that was refused; whether the server has us now."""
        if self._refused:
            return False
        standing = register(self._fetch, href, self._who, now)
        self._refused = standing is Standing.WAITING
        if standing is not Standing.REGISTERED:
            self.stand(standing)
            return False
        self._tell(news.Stands(Standing.UNKNOWN, afresh=True))
        return True

    def ask_registration(self, href: str) -> int:
        """Compare the PIN; the registration's pollRate, seconds. Another PIN halts us."""
        fits, rate_s = pin_fits(self._fetch, href, self._who)
        if not fits:
            self.stand(Standing.PIN_MISMATCH)
        return rate_s

    def put_point(self, href: str | None) -> None:
        """The NMI, once per start and value; a refusal is told and not repeated until the settings change."""
        nmi = self._who.nmi
        if href is None or nmi is None or self._put == nmi:
            return
        try:
            put_connection_point(self._fetch, href, nmi)
        except Refused as error:
            if not error.final:
                raise
            text = f"the server refused the NMI: {error}; is csip.nmi right?"
            self._tell(news.Odd("csip_connection_point", text))
        self._put = nmi

    def stand(self, standing: Standing) -> None:
        """What we are to the server now, told when it changes."""
        if standing is not self.standing:
            self.standing = standing
            self._tell(news.Stands(standing))
