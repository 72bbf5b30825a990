"""A simulated Tesla Powerwall gateway: login, tokens, and the documents of its meters."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dynexport.settings.models import PowerwallMeter
from site_simulator.gateways.server import Answer
from site_simulator.world import METER, World

LOGIN = "/api/login/Basic"
VOLTAGE_V = 230.0
CHARGE_PCT = 80.0
NEVER = "0001-01-01T00:00:00Z"
JSON = {"Content-Type": "application/json"}


class SimulatedPowerwall:
    """What the gateway of a site answers; `logins` counts the tries."""

    def __init__(self, settings: PowerwallMeter, world: World) -> None:
        self.world = world
        self.logins = 0
        self._settings = settings
        self._tokens: set[str] = set()
        self._frozen: dict[str, Answer] = {}

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One request, as the faults in force let it go."""
        now = self.world.advance()
        limited = self.world.faults.get("rate_limited", METER, now)
        if limited is not None:
            retry = {} if limited.value is None else {"Retry-After": f"{limited.value:.0f}"}
            return _error(429, "too many requests", retry)
        if (method, path) == ("POST", LOGIN):
            return self._login(body, refused=self.world.faults.has("login_refused", METER, now))
        refused = self.world.faults.get("unauthorized", METER, now)
        if refused is not None or not self._knows(headers):
            if refused is not None:
                self._tokens.clear()
            return _error(
                int(refused.value) if refused is not None and refused.value else 403, "no such token"
            )
        made = self._document(path)
        if made is None:
            return _error(404, "no such resource")
        if not self.world.faults.has("frozen", METER, now):
            self._frozen[path] = Answer(200, json.dumps(made).encode(), JSON)
        return self._frozen.setdefault(path, Answer(200, json.dumps(made).encode(), JSON))

    def _login(self, body: bytes, *, refused: bool) -> Answer:
        self.logins += 1
        try:
            asked = json.loads(body)
            user, password = asked["username"], str(asked["password"])
        except (ValueError, KeyError, TypeError):
            return _error(400, "no login")
        known = self._settings.secret
        if refused or user != "customer" or not hmac.compare_digest(password.encode(), known.encode()):
            return _error(401, "bad credentials")
        token = secrets.token_urlsafe(32)
        self._tokens.add(token)
        said = {
            "email": asked.get("email"),
            "firstname": "Tesla",
            "lastname": "Energy",
            "roles": ["Home_Owner"],
            "token": token,
            "provider": "Basic",
            "loginTime": self._now().isoformat(),
        }
        return Answer(200, json.dumps(said).encode(), {**JSON, "Set-Cookie": f"AuthCookie={token}; Path=/"})

    def _knows(self, headers: Mapping[str, str]) -> bool:
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        cookie = headers.get("cookie", "").partition("AuthCookie=")[2].partition(";")[0]
        return bearer in self._tokens or cookie in self._tokens

    def _document(self, path: str) -> Any:
        match path:
            case "/api/meters/site":
                return [
                    {"id": 0, "location": "site", "type": "synchrometerX", "Cached_readings": self._site()}
                ]
            case "/api/meters/aggregates":
                return self._aggregates()
            case "/api/system_status/soe":
                return {"percentage": CHARGE_PCT}
            case "/api/system_status/grid_status":
                word = "SystemIslandedActive" if self._islanded else "SystemGridConnected"
                return {"grid_status": word, "grid_services_active": False}
        return None

    def _aggregates(self) -> dict[str, Any]:
        plant, now = self.world.plant, self._now()
        powers_w = {"battery": self._battery_w(), "load": plant.load_w, "solar": plant.generation_w}
        return {"site": self._site(), **{name: _power(power_w, now) for name, power_w in powers_w.items()}}

    @property
    def _islanded(self) -> bool:
        return self.world.faults.has("islanded", METER, self.world.plant.now)

    def _now(self) -> datetime:
        return self.world.clock.now()

    def _battery_w(self) -> float:
        """Off the grid it makes up for what the house uses and the roof does not make; else it rests."""
        plant = self.world.plant
        return plant.load_w - plant.generation_w if self._islanded else 0.0

    def _site(self) -> dict[str, Any]:
        shown = self.world.plant.read_meter()
        sign = -1.0 if self.world.faults.has("reversed", METER, self.world.plant.now) else 1.0
        factor = 0.0 if self._islanded else sign
        phases = shown.phases_w or (shown.power_w, 0.0, 0.0)
        known = 3 if shown.phases_w else 1
        said = _power(factor * shown.power_w, self._now())
        said["last_phase_power_communication_time"] = said["last_communication_time"]
        for index, (name, power_w) in enumerate(zip("abc", phases, strict=True)):
            said[f"real_power_{name}"] = factor * power_w
            said[f"v_l{index + 1}n"] = VOLTAGE_V if index < known else 0
        said["energy_imported"], said["energy_exported"] = self.world.import_wh, self.world.export_wh
        return said


def _power(power_w: float, moment: datetime) -> dict[str, Any]:
    return {
        "last_communication_time": moment.isoformat(),
        "instant_power": power_w,
        "instant_reactive_power": 0,
        "frequency": 0,
        "energy_exported": 0,
        "energy_imported": 0,
        "instant_average_voltage": VOLTAGE_V,
        "instant_total_current": power_w / VOLTAGE_V,
        "last_phase_power_communication_time": NEVER,
    }


def _error(status: int, words: str, headers: Mapping[str, str] | None = None) -> Answer:
    said = {"code": status, "error": words, "message": words}
    return Answer(status, json.dumps(said).encode(), {**JSON, **(headers or {})})
