"""Who owns which Modbus endpoint now: architecture.md, rule 3. The command line is no second master."""

from __future__ import annotations

from dataclasses import dataclass

from dynexport import topics
from dynexport.cli.hearing import stored
from dynexport.cli.targets import resolved
from dynexport.clock import Clock
from dynexport.modbus.address import Address, TcpAddress, address_of
from dynexport.settings.models import Site, SunSpecMeter

WRITER, READER = "inverter-writer", "meter-reader"


@dataclass(frozen=True, slots=True)
class Owners:
    """The endpoints and buses that `site.yaml` lists, and which services are online."""

    endpoints: dict[Address, str]
    online: frozenset[str]
    verb: str = "is online and owns"

    def owner(self, address: Address) -> str | None:
        """The running service that owns this endpoint or bus; None when it is free."""
        name = self.endpoints.get(_comparable(address))
        return name if name in self.online else None


def endpoints_of(site: Site) -> dict[Address, str]:
    """Each endpoint's owner by `site.yaml`: a meter behind an inverter's or a battery's is inverter-writer's."""
    owned: dict[Address, str] = {}
    if isinstance(site.meter, SunSpecMeter):
        owned[_comparable(address_of(site.meter))] = READER
    for device in (*site.modbus_inverters, *site.modbus_batteries):
        owned[_comparable(address_of(device))] = WRITER
    return owned


def _comparable(address: Address) -> Address:
    """One socket is one endpoint, whatever name it is given and however its bytes are framed."""
    return TcpAddress(resolved(address.host), address.port) if isinstance(address, TcpAddress) else address


def owners(site: Site, clock: Clock) -> Owners:
    """Ask the broker who is online; raises NoBroker."""
    said = stored(site.mqtt, clock, topics.AVAILABILITY)
    return Owners(endpoints_of(site), frozenset(word.id for word in said if word.message == "online"))
