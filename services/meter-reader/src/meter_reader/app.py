"""Which meter this site has, and who reads it."""

from __future__ import annotations

from collections.abc import Sequence

from dynexport.messages import Level
from dynexport.ports import RawReceived, Received
from dynexport.service import Context, HealthPart, Moment, Service
from dynexport.settings.models import MqttMeter

LOOK_AGAIN_S = 1.0


class Idle:
    """The meter's endpoint is an inverter's: inverter-writer, its one owner, reads it (architecture.md, rule 3)."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def start(self) -> None:
        """Say so, once."""
        message = (
            "the meter answers behind an inverter's endpoint: inverter-writer reads it, nothing to do here"
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


def build(context: Context) -> Service:
    """The factory for `service.main`; only the driver in use is imported, which saves memory."""
    site = context.site
    if site.meter_behind_inverter:
        return Idle(context)
    if isinstance(site.meter, MqttMeter):
        from meter_reader.mqtt_meter import MqttMeterReader

        return MqttMeterReader(context, site.meter)
    from meter_reader.sunspec_meter import SunSpecMeterReader

    return SunSpecMeterReader(context, site.meter)
