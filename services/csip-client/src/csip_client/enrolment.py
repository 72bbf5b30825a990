"""Our EndDevice at the server: found or registered, its PIN compared before anything is sent, its NMI put once."""

from __future__ import annotations

from collections.abc import Callable

from csip_client import news
from csip_client.fetch import Failure, Fetcher, Refused
from csip_client.registration import (
    Identity,
    Registered,
    Standing,
    ours,
    put_connection_point,
    register,
    server_pin,
)
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
        first, entries = self._fetch.get_list(href, "EndDeviceList")
        found = ours(entries, self._fetch, self._who.lfdi, self._warn)
        self._refused = self._refused and found is None
        return poll_rate(first), found

    def _warn(self, text: str) -> None:
        self._tell(news.Odd("csip_unreadable", text))

    def register(self, href: str, now: int) -> bool:
        """POST our EndDevice unless that was refused; whether the server took us as new.

        One that has us already, and merely does not list us now, has cancelled nothing.
        """
        if self._refused:
            return False
        outcome = register(self._fetch, href, self._who, now)
        self._refused = outcome is Registered.BY_HAND
        if self._refused:
            self.stand(Standing.WAITING)
        elif outcome is Registered.ANEW:
            self._tell(news.Stands(Standing.UNKNOWN, afresh=True))
        return outcome is Registered.ANEW

    def ask_registration(self, href: str) -> int:
        """Compare the PIN; the registration's pollRate, seconds. Another PIN halts us."""
        pin, rate_s = server_pin(self._fetch, href)
        if self._who.pin is None and pin is not None:
            text = "the server has a PIN for us, and there is no csip.pin to compare it with"
            self._tell(news.Odd("csip_pin_not_compared", text))
        elif pin not in (None, self._who.pin):
            self.stand(Standing.PIN_MISMATCH)
        return rate_s

    def put_point(self, href: str | None) -> None:
        """The NMI, once per start; a refusal is told and not repeated until the settings change.

        Whatever else goes wrong with it is told and tried again at the next poll: no limit waits for it.
        """
        nmi = self._who.nmi
        if href is None or nmi is None or self._put == nmi:
            return
        try:
            put_connection_point(self._fetch, href, nmi)
        except Failure as error:
            final = isinstance(error, Refused) and error.final
            text = f"the NMI was refused: {error}; is csip.nmi right?" if final else f"the NMI waits: {error}"
            self._tell(news.Odd("csip_connection_point", text))
            if not final:
                return
        self._put = nmi

    def stand(self, standing: Standing) -> None:
        """What we are to the server now, told when it changes."""
        if standing is not self.standing:
            self.standing = standing
            self._tell(news.Stands(standing))
