"""A Powerwall gateway as a meter: its login, its token, and what is asked at each read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from dynexport.clock import Clock
from dynexport.mapping import Odd, Sample, decode
from dynexport.settings.models import PowerwallMeter
from meter_reader.device_clock import DeviceClock, http_date
from meter_reader.powerwall import answers, pauses
from meter_reader.powerwall.grid import GridStatus
from meter_reader.web import Http, NoAnswer, Reply, Trouble, WebReading

LOGIN = "/api/login/Basic"
METERS, AGGREGATES = "/api/meters/site", "/api/meters/aggregates"
CHARGE, GRID = "/api/system_status/soe", "/api/system_status/grid_status"
CHARGE_EVERY_S, CHARGE_LASTS_S = 30.0, 120.0
MISSING_FOR_S = 600.0
T = TypeVar("T")


class Gateway:
    """One gateway. `connect` opens a connection whose certificate is checked before anything is sent on it."""

    def __init__(
        self, settings: PowerwallMeter, *, has_battery: bool, clock: Clock, connect: Callable[[], Http]
    ) -> None:
        self._settings = settings
        self._has_battery = has_battery
        self._clock = clock
        self._connect = connect
        self._device_clock = DeviceClock()
        self._http: Http | None = None
        self._token: str | None = None
        self._login_at = float("-inf")
        self._missing: dict[str, float] = {}
        self._charge: tuple[float, float] | None = None
        self._grid = GridStatus()

    def read(self) -> WebReading:
        """One reading; raises Trouble. The site is asked first: what else is wrong costs no meter reading."""
        try:
            site = self._site()
            islanded, left_out = self._beside("islanded", lambda: self._ask(GRID, answers.islanded))
            islanded = self._grid.said(islanded, known=not left_out, mono=self._clock.mono())
            battery, also = self._beside("battery", self._battery) if self._has_battery else (None, ())
        except Trouble:
            self.close()  # for minutes, or because of its certificate: the pin is read anew at the next one
            raise
        except NoAnswer as error:
            self.close()
            raise Trouble("error", f"the gateway: {error}") from error
        except Odd as odd:
            raise Trouble("refused", f"the gateway's answer was dropped: {odd}") from odd
        site = Sample(site.values, site.measured_at, (*site.left_out, *left_out, *also))
        return WebReading(site, islanded, battery, self._device_clock.offset_s)

    def cut(self) -> None:
        """End the exchange under way, from another thread."""
        http = self._http
        if http is not None:
            http.cut()

    def close(self) -> None:
        """Let the connection go; the token stays."""
        http, self._http = self._http, None
        if http is not None:
            http.close()

    def _site(self) -> Sample:
        found = self._ask(METERS, answers.site_of_meters)
        return found if found is not None else self._ask_for(AGGREGATES, answers.site_of_aggregates)

    def _battery(self) -> Sample:
        return self._ask_for(AGGREGATES, lambda document: answers.battery(document, self._charge_pct()))

    def _charge_pct(self) -> float | None:
        """Asked for now and then only: it moves slowly."""
        now = self._clock.mono()
        if self._charge is None or now - self._charge[1] >= CHARGE_EVERY_S:
            found, _ = self._beside("soc_pct", lambda: self._ask(CHARGE, answers.charge_pct))
            if found is not None:
                self._charge = (found, now)
        if self._charge is None or now - self._charge[1] > CHARGE_LASTS_S:
            return None
        return self._charge[0]

    def _beside(self, name: str, ask: Callable[[], T | None]) -> tuple[T | None, tuple[str, ...]]:
        """What is good to know beside the meter: without it the reading counts, and names what is left out."""
        try:
            return ask(), ()
        except NoAnswer:
            self.close()
            return None, (name,)
        except Odd:
            return None, (name,)

    def _ask_for(self, path: str, parse: Callable[[Any], T]) -> T:
        found = self._ask(path, parse)
        if found is None:
            raise Odd(f"it knows no {path} (404): its software may be newer than this driver")
        return found

    def _ask(self, path: str, parse: Callable[[Any], T]) -> T | None:
        """A document, parsed; None for one that this gateway's software does not have, asked again in 10 min."""
        if self._clock.mono() < self._missing.get(path, 0.0):
            return None
        reply = self._get(path)
        if reply.status == 404:
            self._missing[path] = self._clock.mono() + MISSING_FOR_S
            return None
        if reply.status != 200:
            raise NoAnswer(f"{path} answers with status {reply.status}")
        return parse(decode(reply.body))

    def _get(self, path: str) -> Reply:
        """Exactly one login anew for a token that is refused."""
        if self._token is None:
            self._log_in()
        reply = self._exchange("GET", path)
        if reply.status in (401, 403):
            self._log_in()
            reply = self._exchange("GET", path)
            if reply.status in (401, 403):
                self._token = None
                message = (
                    f"the gateway refuses {path} right after a login: asked again in {pauses.TOKEN_S:.0f} s"
                )
                raise Trouble("login", message, pauses.TOKEN_S)
        return reply

    def _log_in(self) -> None:
        self._token = None
        now = self._clock.mono()
        if now - self._login_at < pauses.LOGIN_EVERY_S:
            message = f"the gateway has ended the session within {pauses.LOGIN_EVERY_S:.0f} s of the login"
            raise Trouble("login", f"{message}: next one in {pauses.TOKEN_S:.0f} s", pauses.TOKEN_S)
        asked = {
            "username": "customer",
            "email": self._settings.email,
            "password": self._settings.secret,
            "force_sm_off": False,
        }
        reply = self._exchange("POST", LOGIN, json.dumps(asked).encode())
        if reply.status in (401, 403):
            self._login_at = now
            message = (
                "the gateway refuses the password: check `meter.password` (often the last five characters of the one "
                "on the gateway's label), then restart meter-reader; it is not tried again for "
                f"{pauses.PASSWORD_S / 60:.0f} min, so that no account is locked"
            )
            raise Trouble("login", message, pauses.PASSWORD_S)
        if reply.status != 200:
            raise NoAnswer(f"the login answers with status {reply.status}")
        self._login_at = now
        self._token = answers.token(decode(reply.body))

    def _exchange(self, method: str, path: str, body: bytes | None = None) -> Reply:
        if self._http is None:
            self._http = self._connect()
        headers = {} if body is None else {"Content-Type": "application/json"}
        if self._token is not None:
            headers |= {"Authorization": f"Bearer {self._token}", "Cookie": f"AuthCookie={self._token}"}
        asked = self._clock.now()
        reply = self._http.request(method, path, body=body, headers=headers)
        said = http_date(reply.headers.get("date", ""))
        if said is not None:
            self._device_clock.heard(asked, said)
        if reply.status == 429:
            pause_s = pauses.after_429(reply.headers.get("retry-after"), self._clock.now())
            message = (
                f"the gateway says that it is asked too often (429): it is left alone for {pause_s:.0f} s. "
                "Does another program read it too? Else raise `meter.poll_s`"
            )
            raise Trouble("rate_limited", message, pause_s)
        return reply
