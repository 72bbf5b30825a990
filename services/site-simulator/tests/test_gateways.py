"""The simulated gateways as a client sees them, over real sockets."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from dynexport import topics
from dynexport.broker import free_port
from dynexport.clock import SystemClock
from dynexport.messages import Request
from dynexport.testing.builders import site
from dynexport.testing.context import codes, fake_context
from site_simulator.app import Simulator

CLOCK = SystemClock()
PASSWORD = "pa55-w0rd"


class Home:
    """A running simulator with a meter by HTTP, and a client of it."""

    def __init__(self, folder: Path, meter: dict[str, Any], **grid: Any) -> None:
        self.port = free_port()
        self.tls = meter["driver"] == "powerwall"
        shape = site(
            site={"name": "T", "time_zone": "Australia/Adelaide", "state_dir": str(folder / "state"), **grid},
            meter={**meter, "host": "127.0.0.1", "port": self.port},
            inverters=[
                {
                    "id": "roof",
                    "driver": "sunspec",
                    "tcp": {"host": "127.0.0.1", "port": free_port()},
                    "unit": 1,
                    "rated_w": 5000,
                }
            ],
            simulator={"sun": "script", "load_w": 2000, "meter_noise_w": 0, "tau_s": 0.05},
        )
        context, self.bus = fake_context("site-simulator", shape, CLOCK)
        self.simulator = Simulator(context)
        self.simulator.start()
        assert codes(self.bus, "site-simulator") == []
        self.connection = self.connect()

    def connect(self) -> HTTPConnection:
        if not self.tls:
            return HTTPConnection("127.0.0.1", self.port, timeout=1.0)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return HTTPSConnection("127.0.0.1", self.port, timeout=1.0, context=context)

    def ask(self, path: str, token: str = "", body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Status and document; raises OSError and HTTPException."""
        method = "GET" if body is None else "POST"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            self.connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = self.connection.getresponse()
            self.headers = {name.lower(): text for name, text in answer.getheaders()}
            said = answer.read()
        except (OSError, HTTPException):
            self.connection.close()
            raise
        return answer.status, json.loads(said) if said else None

    def log_in(self, password: str = PASSWORD) -> tuple[int, Any]:
        return self.ask("/api/login/Basic", body={"username": "customer", "email": "", "password": password})

    def fault(self, name: str, value: float | None = None) -> None:
        self.bus.deliver(
            topics.REQUEST, Request(issued_at=CLOCK.now(), fault=name, value=value), "site-simulator", "fault"
        )
        self.simulator.step(self.bus.drain(), self.simulator.context.moment())
        CLOCK.sleep(0.1)

    def certificate(self) -> bytes:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", self.port), 1.0) as raw,
            context.wrap_socket(raw) as tls,
        ):
            return tls.getpeercert(binary_form=True) or b""

    def end(self) -> None:
        self.connection.close()
        self.simulator.stop(self.simulator.context.moment())


Start = Callable[..., Home]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    homes = []

    def begin(meter: dict[str, Any], **grid: Any) -> Home:
        homes.append(Home(tmp_path, meter, **grid))
        return homes[-1]

    yield begin
    for home in homes:
        home.end()


POWERWALL = {"driver": "powerwall", "password": PASSWORD}
SOLAR_API = {"driver": "solar_api"}


def token_of(home: Home) -> str:
    status, said = home.log_in()
    assert status == 200
    return str(said["token"])


def test_without_a_token_nothing_is_told_and_a_wrong_password_gets_none(start: Start) -> None:
    home = start(POWERWALL)
    assert home.ask("/api/meters/site")[0] == 403
    assert home.log_in("guess")[0] == 401
    assert home.ask("/api/meters/site", "guess")[0] == 403


def test_the_meter_shows_the_plant_and_the_battery_rests(start: Start) -> None:
    home = start(POWERWALL)
    token = token_of(home)
    (meter,) = home.ask("/api/meters/site", token)[1]
    readings = meter["Cached_readings"]
    assert readings["instant_power"] == pytest.approx(home.simulator.network.world.plant.site_w, abs=50.0)
    assert (readings["real_power_a"], readings["frequency"], readings["v_l2n"]) == (
        readings["instant_power"],
        0,
        0,
    )
    assert home.ask("/api/meters/aggregates", token)[1]["battery"]["instant_power"] == 0
    assert home.ask("/api/system_status/soe", token)[1] == {"percentage": 80.0}
    assert home.ask("/api/system_status/grid_status", token)[1]["grid_status"] == "SystemGridConnected"
    assert home.ask("/api/system_status", token)[0] == 404


def test_three_phases_are_told_apart(start: Start) -> None:
    home = start(POWERWALL, phases=3)
    readings = home.ask("/api/meters/site", token_of(home))[1][0]["Cached_readings"]
    phases = [readings[f"real_power_{phase}"] for phase in "abc"]
    assert sum(phases) == pytest.approx(readings["instant_power"], abs=1.0)
    assert all(phases)


def test_islanded_shows_no_power_at_the_grid_and_the_battery_making_up(start: Start) -> None:
    home = start(POWERWALL)
    token = token_of(home)
    home.fault("available_pct", 0.0)
    home.fault("islanded")
    CLOCK.sleep(0.4)  # eight times the inverter's lag
    said = home.ask("/api/meters/aggregates", token)[1]
    assert said["site"]["instant_power"] == 0
    assert said["battery"]["instant_power"] == pytest.approx(2000, abs=50.0)
    assert home.ask("/api/system_status/grid_status", token)[1]["grid_status"] == "SystemIslandedActive"


def test_too_often_is_429_with_the_rest_that_was_asked_for(start: Start) -> None:
    home = start(POWERWALL)
    home.fault("rate_limited", 45.0)
    assert home.log_in()[0] == 429
    assert home.headers["retry-after"] == "45"


@pytest.mark.parametrize("status", [401, 403])
def test_tokens_are_forgotten_on_command(start: Start, status: int) -> None:
    home = start(POWERWALL)
    token = token_of(home)
    home.fault("unauthorized", float(status))
    assert home.ask("/api/meters/site", token)[0] == status
    home.fault("clear")
    assert home.ask("/api/meters/site", token)[0] == 403
    assert home.ask("/api/meters/site", token_of(home))[0] == 200


def test_the_password_is_refused_on_command(start: Start) -> None:
    home = start(POWERWALL)
    home.fault("login_refused")
    assert home.log_in()[0] == 401


def test_the_certificate_stays_the_same_over_a_restart_and_changes_on_command(start: Start) -> None:
    home = start(POWERWALL)
    first = home.certificate()
    assert home.certificate() == first
    home.fault("other_certificate")
    assert home.certificate() != first
    assert start(POWERWALL).certificate() == first


@pytest.mark.parametrize("meter", [POWERWALL, SOLAR_API], ids=["powerwall", "solar_api"])
def test_a_dead_a_silent_and_a_mad_device_show_as_such(start: Start, meter: dict[str, Any]) -> None:
    home = start(meter)
    path = "/api/meters/site" if home.tls else "/solar_api/v1/GetPowerFlowRealtimeData.fcgi"
    token = token_of(home) if home.tls else ""
    home.fault("silent")
    with pytest.raises((OSError, HTTPException)):
        home.ask(path, token)
    home.fault("clear")
    home.fault("refuse")
    with pytest.raises(OSError, match="refused"):
        home.ask(path, token)
    home.fault("clear")
    assert home.ask(path, token)[0] == 200
    home.fault("garbage")
    with pytest.raises(ValueError, match="Expecting value"):
        home.ask(path, token)


@pytest.mark.parametrize("meter", [POWERWALL, SOLAR_API], ids=["powerwall", "solar_api"])
def test_a_frozen_device_repeats_one_answer_with_its_time(start: Start, meter: dict[str, Any]) -> None:
    home = start(meter)
    path = "/api/meters/site" if home.tls else "/solar_api/v1/GetMeterRealtimeData.cgi?Scope=System"
    token = token_of(home) if home.tls else ""
    first = home.ask(path, token)
    home.fault("frozen")
    CLOCK.sleep(1.1)
    assert home.ask(path, token) == first
    home.fault("clear")
    assert home.ask(path, token) != first


def test_the_solar_api_shows_the_plant_its_phases_and_null_when_it_does_not_hear_the_meter(
    start: Start,
) -> None:
    home = start(SOLAR_API, phases=3)
    flow = home.ask("/solar_api/v1/GetPowerFlowRealtimeData.fcgi")[1]
    meter = home.ask("/solar_api/v1/GetMeterRealtimeData.cgi?Scope=System")[1]["Body"]["Data"]["0"]
    site_w = home.simulator.network.world.plant.site_w
    assert flow["Body"]["Data"]["Site"]["P_Grid"] == pytest.approx(site_w, abs=50.0)
    assert sum(meter[f"PowerReal_P_Phase_{phase}"] for phase in (1, 2, 3)) == pytest.approx(site_w, abs=50.0)
    assert home.ask("/")[0] == 404
    home.fault("sentinel")
    assert (
        home.ask("/solar_api/v1/GetPowerFlowRealtimeData.fcgi")[1]["Body"]["Data"]["Site"]["P_Grid"] is None
    )
