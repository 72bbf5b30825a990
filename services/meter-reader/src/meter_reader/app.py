"""Which meter this site has and who reads it, and what else is published for us to read."""

from __future__ import annotations

from collections.abc import Sequence

from dynexport.messages import Level
from dynexport.ports import RawReceived, Received
from dynexport.service import Context, HealthPart, Moment, Service
from dynexport.settings.models import ModbusMeter, WebMeter

LOOK_AGAIN_S = 1.0


class Idle:
    """The meter's endpoint is an inverter's: inverter-writer, its one owner, reads it (architecture.md, rule 3)."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def start(self) -> None:
        """Say so, once."""
        message = (
            "the meter answers behind an inverter's endpoint: inverter-writer reads it, it is not read here"
        )
        self._context.event(Level.INFO, "idle", message)

    def connected(self, now: Moment) -> None:
        """Nothing to publish."""

    def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
        """Nothing to do."""
        return LOOK_AGAIN_S

    def stop(self, now: Moment) -> None:
        """Nothing to leave."""

    def health(self) -> HealthPart:
        """Nothing to add."""
        return HealthPart()


class Together:
    """Two parts as one service: a Modbus meter, or none, and what others publish."""

    def __init__(self, *parts: Service) -> None:
        self._parts = parts

    def start(self) -> None:
        """Start each."""
        for part in self._parts:
            part.start()

    def connected(self, now: Moment) -> None:
        """Tell each."""
        for part in self._parts:
            part.connected(now)

    def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
        """Let each take what is its own."""
        return min(part.step(inbox, now) for part in self._parts)

    def stop(self, now: Moment) -> None:
        """Stop each."""
        for part in self._parts:
            part.stop(now)

    def health(self) -> HealthPart:
        """What went wrong in all of them, and what each has to add."""
        parts = [part.health() for part in self._parts]
        learned = {name: value for part in parts for name, value in part.learned.items()}
        return HealthPart(sum(part.device_errors for part in parts), learned)


def build(context: Context) -> Service:
    """The factory for `service.main`; only what is in use is imported, which saves memory."""
    site = context.site
    parts: list[Service] = []
    if site.meter_behind_inverter:
        parts.append(Idle(context))
    elif isinstance(site.meter, ModbusMeter):
        from meter_reader.modbus_meter import ModbusMeterReader

        parts.append(ModbusMeterReader(context, site.meter))
    elif isinstance(site.meter, WebMeter):
        from meter_reader.web_meter import web_meter

        parts.append(web_meter(context, site.meter))
    if site.foreign_topics:
        from meter_reader.mqtt_feed import MqttReader, feeds

        parts.append(MqttReader(context, feeds(site)))
    return parts[0] if len(parts) == 1 else Together(*parts)
