"""The newest of everything on the bus, as `watch` and `demo` show it. Pure but for its memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dynexport import messages as m
from dynexport import topics
from dynexport.ports import Bus, RawReceived, Received

SHOWN = (
    topics.METER_READING,
    topics.INVERTER_READING,
    topics.INVERTER_CONTROL,
    topics.INVERTER_CAPABILITY,
    topics.BATTERY_READING,
    topics.BATTERY_SETPOINT,
    topics.LOAD_READING,
    topics.LOAD_SETPOINT,
    topics.ACTIVE,
    topics.AVAILABILITY,
    topics.HEALTH,
    topics.INFO,
    topics.EVENT,
)
STALE_S = 5.0
LAST_EVENTS = 5


@dataclass(slots=True)
class Snapshot:
    """What was last heard, with its moment (monotonic seconds)."""

    meter: tuple[m.MeterReading, float] | None = None
    active: tuple[m.Active, float] | None = None
    readings: dict[str, tuple[m.InverterReading, float]] = field(default_factory=dict)
    controls: dict[str, m.InverterControl] = field(default_factory=dict)
    capabilities: dict[str, m.InverterCapability] = field(default_factory=dict)
    batteries: dict[str, tuple[m.BatteryReading, float]] = field(default_factory=dict)
    orders: dict[str, m.BatterySetpoint] = field(default_factory=dict)
    loads: dict[str, tuple[m.PowerReading, float]] = field(default_factory=dict)
    allowed: dict[str, m.Setpoint] = field(default_factory=dict)
    online: dict[str, bool] = field(default_factory=dict)
    health: dict[str, tuple[m.Health, float]] = field(default_factory=dict)
    infos: dict[str, m.Info] = field(default_factory=dict)
    events: list[tuple[str, m.Event]] = field(default_factory=list)

    def take(self, inbox: Sequence[Received | RawReceived]) -> None:
        """Take in what was received."""
        for received in inbox:
            if isinstance(received, Received):
                self._take(received)

    def _take(self, received: Received) -> None:
        name, mono = received.id, received.mono
        match received.message:
            case m.MeterReading() as reading:
                self.meter = (reading, mono)
            case m.InverterReading() as reading:
                self.readings[name] = (reading, mono)
            case m.InverterControl() as control:
                self.controls[name] = control
            case m.InverterCapability() as capability:
                self.capabilities[name] = capability
            case m.BatteryReading() as battery:
                self.batteries[name] = (battery, mono)
            case m.BatterySetpoint() as order:
                self.orders[name] = order
            case m.PowerReading() as used:
                self.loads[name] = (used, mono)
            case m.Setpoint() as allowed:
                self.allowed[name] = allowed
            case m.Active() as active:
                self.active = (active, mono)
            case m.Health() as health:
                self.health[name] = (health, mono)
            case m.Info() as info:
                self.infos[name] = info
            case m.Event() as event:
                self.events = [*self.events, (name, event)][-LAST_EVENTS:]
            case str() as word:
                self.online[name] = word == "online"

    @property
    def export_w(self) -> float | None:
        """What the site exports, watts, negative while it imports; None with a consumption meter."""
        if self.meter is None or self.meter[0].location is m.Location.CONSUMPTION:
            return None
        return -self.meter[0].power_w

    @property
    def generation_w(self) -> float | None:
        """What the inverters make together, watts; None while none of them was heard."""
        if not self.readings:
            return None
        return sum(reading.power_w for reading, _ in self.readings.values())


def subscribe(bus: Bus) -> None:
    """Receive what is shown."""
    for topic in SHOWN:
        bus.subscribe(topic)
