"""Who owns which Modbus endpoint now: architecture.md, rule 3. The command line is no second master."""

from __future__ import annotations

from dataclasses import dataclass

from dynexport import topics
from dynexport.cli.hearing import stored
from dynexport.cli.targets import resolved
from dynexport.clock import Clock
from dynexport.modbus.endpoint import TcpAddress
from dynexport.settings.models import Site, SunSpecMeter

WRITER, READER = "inverter-writer", "meter-reader"


@dataclass(frozen=True, slots=True)
class Owners:
    """The endpoints that `site.yaml` lists, by resolved address and port, and which services are online."""

    endpoints: dict[tuple[str, int], str]
    online: frozenset[str]
    verb: str = "is online and owns"

    def owner(self, address: TcpAddress) -> str | None:
        """The running service that owns this endpoint; None when it is free."""
        name = self.endpoints.get((resolved(address.host), address.port))
        return name if name in self.online else None


def endpoints_of(site: Site) -> dict[tuple[str, int], str]:
    """Each endpoint's owner by `site.yaml`: a meter behind an inverter's endpoint is inverter-writer's."""
    owned: dict[tuple[str, int], str] = {}
    if isinstance(site.meter, SunSpecMeter):
        owned[(resolved(site.meter.tcp.host), site.meter.tcp.port)] = READER
    for inverter in site.inverters:
        owned[(resolved(inverter.tcp.host), inverter.tcp.port)] = WRITER
    return owned


def owners(site: Site, clock: Clock) -> Owners:
    """Ask the broker who is online; raises NoBroker."""
    said = stored(site.mqtt, clock, topics.AVAILABILITY)
    return Owners(endpoints_of(site), frozenset(word.id for word in said if word.message == "online"))
