"""Which gateways a site needs."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dynexport.settings.models import PowerwallMeter, SolarApiMeter
from site_simulator.gateways.certificate import server_tls
from site_simulator.gateways.powerwall import SimulatedPowerwall
from site_simulator.gateways.server import Gateway
from site_simulator.gateways.solar_api import SimulatedSolarApi
from site_simulator.world import METER, World


def gateways(world: World, ask: Callable[[Callable[[], Any]], Any]) -> list[Gateway]:
    """The site meter's, where it answers by HTTP; its port listens, and is served from `start` on.

    `ask` runs something in the world's thread and gives back what it returns. Raises OSError for an address that
    cannot be had.
    """
    meter = world.site.meter
    if isinstance(meter, PowerwallMeter):
        site = SimulatedPowerwall(meter, world)
        return [Gateway((meter.host, meter.port), site, ask, _certificates(world))]
    if isinstance(meter, SolarApiMeter):
        return [Gateway((meter.host, meter.port), SimulatedSolarApi(world), ask)]
    return []


def _certificates(world: World) -> Callable[[], ssl.SSLContext]:
    """The gateway's own certificate, or another one while that fault lasts."""
    folder = Path(world.site.site.state_dir) / "site-simulator"

    def chosen() -> ssl.SSLContext:
        other = world.faults.has("other_certificate", METER, world.clock.mono())
        return server_tls(folder / ("other.pem" if other else "gateway.pem"), world.clock.now())

    return chosen
