"""Sites whose meter answers by HTTP: real processes, a simulated Powerwall gateway by TLS, a simulated Solar API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from bench.stack import CLOCK, CONTROL, Stack, stack

from dynexport.messages import Active, Mode

pytestmark = pytest.mark.integration

EXPORT_LIMIT_W, LOAD_W = 5000.0, 3000.0
PASSWORD = "pa55-of-the-gateway"
POWERWALL = {"driver": "powerwall", "password": PASSWORD, "poll_s": 1}
SOLAR_API = {"driver": "solar_api", "poll_s": 1}
OPEN_LOOP_WITHIN_S = 4.5  # the contract's 4 s, and the way to us
BACK_WITHIN_S = 20.0
OVER_FOR_S = 10.0


def site(web_meter: dict[str, Any], **more: Any) -> Iterator[Stack]:
    with stack(export_limit_w=EXPORT_LIMIT_W, load_w=LOAD_W, web_meter=web_meter, **more) as running:
        running.start(CONTROL)
        running.wait(18.0)
        yield running


@pytest.fixture
def powerwall() -> Iterator[Stack]:
    """A site of one 10 kW SunSpec inverter and a Powerwall, settled at its export limit of 5 kW."""
    battery = {"id": "powerwall", "rated_w": 5000, "source": "meter", "exports": "never"}
    yield from site(POWERWALL, batteries=[battery])


@pytest.fixture
def solar_api() -> Iterator[Stack]:
    """The same with a Fronius Smart Meter."""
    yield from site(SOLAR_API)


def exports(running: Stack, seconds: float) -> list[float]:
    """The true export of the next seconds, watts."""
    start = CLOCK.mono()
    running.wait(seconds)
    return [sample.export_w for sample in running.record.since(start)]


def log(running: Stack) -> str:
    return (running.directory / "meter_reader.log").read_text()


def actives(running: Stack, since: float) -> list[tuple[float, Active]]:
    return [
        (said.mono - since, said.message)
        for said in running.heard
        if isinstance(said.message, Active) and said.mono >= since
    ]


def opens_the_loop(running: Stack, fault: str, value: float | None = None, *, reset: bool = False) -> None:
    """From this fault on the meter is not heard: open loop in time, and a load that drops is not over for long."""
    began = CLOCK.mono()
    running.simulate(fault, value, "meter")
    if reset:
        running.simulate("reset", None, "meter")
    running.wait(2.0)
    running.simulate("load_w", 500.0)
    running.wait(5.0)
    modes = [(after_s, active.mode) for after_s, active in actives(running, began)]
    first = min(after_s for after_s, mode in modes if mode is Mode.OPEN_LOOP)
    assert first <= OPEN_LOOP_WITHIN_S, modes
    running.wait(OVER_FOR_S - 7.0)
    assert max(exports(running, 3.0)) <= EXPORT_LIMIT_W + 60.0


def comes_back(running: Stack) -> None:
    """The fault ends: closed loop again by itself, and the whole limit is used."""
    running.simulate("clear")
    running.simulate("load_w", LOAD_W)
    running.wait(BACK_WITHIN_S)
    assert min(exports(running, 3.0)) > EXPORT_LIMIT_W - 200.0


def obeys(running: Stack) -> None:
    """The limit is held, a lower one is obeyed within seconds, and a load that drops is not over for long."""
    settled = exports(running, 3.0)
    assert EXPORT_LIMIT_W - 150.0 < sum(settled) / len(settled) < EXPORT_LIMIT_W + 50.0
    running.limit(1500.0, for_s=25.0)
    running.wait(8.0)
    assert max(exports(running, 3.0)) < 1560.0
    running.simulate("load_w", 500.0)
    running.wait(9.0)
    assert max(exports(running, 3.0)) < 1560.0


def test_a_site_with_a_powerwall_obeys_and_its_gateway_gone_or_tired_is_open_loop_in_4_s(
    powerwall: Stack,
) -> None:
    obeys(powerwall)
    powerwall.simulate("load_w", LOAD_W)
    powerwall.wait(12.0)
    opens_the_loop(powerwall, "refuse")
    comes_back(powerwall)
    opens_the_loop(powerwall, "rate_limited", 12.0)
    comes_back(powerwall)
    said = log(powerwall)
    assert "meter_rate_limited" in said
    assert "meter_back" in said
    assert PASSWORD not in powerwall.logs()


def test_another_certificate_is_refused_by_the_running_reader_and_accepted_when_the_owner_says_so(
    powerwall: Stack,
) -> None:
    opens_the_loop(powerwall, "other_certificate", reset=True)
    assert "meter_certificate" in log(powerwall)
    pins = powerwall.directory / "state" / "meter-reader" / "pins.json"
    (pinned,) = json.loads(pins.read_text()).values()
    pins.unlink()
    powerwall.simulate("load_w", LOAD_W)
    powerwall.wait(BACK_WITHIN_S)
    assert min(exports(powerwall, 3.0)) > EXPORT_LIMIT_W - 200.0
    assert [pinned] != list(json.loads(pins.read_text()).values())


def test_an_outage_is_said_as_islanded_without_an_alarm_and_the_limit_is_kept_after_it(
    powerwall: Stack,
) -> None:
    began = CLOCK.mono()
    powerwall.simulate("islanded", None, "meter")
    powerwall.simulate("load_w", 1500.0)
    powerwall.wait(15.0)
    assert actives(powerwall, began)[-1][1].islanded is True
    powerwall.simulate("clear")
    powerwall.wait(12.0)
    assert actives(powerwall, began)[-1][1].islanded is False
    assert max(exports(powerwall, 3.0)) < EXPORT_LIMIT_W + 60.0
    assert "meter_implausible" not in (powerwall.directory / "limit_engine.log").read_text()


def test_a_site_with_a_solar_api_obeys_and_an_inverter_that_does_not_hear_its_meter_is_open_loop(
    solar_api: Stack,
) -> None:
    obeys(solar_api)
    solar_api.simulate("load_w", LOAD_W)
    solar_api.wait(12.0)
    opens_the_loop(solar_api, "sentinel")
    comes_back(solar_api)
    opens_the_loop(solar_api, "silent")
    assert "P_Grid is null" in log(solar_api)
