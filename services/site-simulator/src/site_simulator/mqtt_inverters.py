"""The inverters with `driver: mqtt`: they publish what they make, and obey the command that site.yaml describes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dynexport.ports import RawReceived
from dynexport.service import Context, Moment
from dynexport.settings.models import MqttInverter
from dynexport.testing.plant import PlantInverter
from site_simulator.mqtt_words import document, taken, watts
from site_simulator.world import World

EARLY_S = 0.02
Call = Callable[[Callable[[], None]], None]


@dataclass(slots=True)
class Simulated:
    """One of them. It holds what it was told last, as a bridge to an inverter without a timer does."""

    settings: MqttInverter
    plant: PlantInverter
    limit_w: float
    connected: bool = True
    said_at: float = float("-inf")

    def reading(self) -> dict[str, Any]:
        """What it publishes on `topic`."""
        power_w = round(self.plant.power_w, 1)
        if self.settings.fields is None:
            return predecessors(power_w, self.settings.rated_w, self.connected)
        sign = -1.0 if self.settings.invert else 1.0
        values: dict[str, Any] = {"power_w": sign * power_w / self.settings.scale, "state": self._state}
        paths = self.settings.fields.model_dump(exclude_none=True)
        return document({path: values[name] for name, path in paths.items() if name in values})

    def report(self) -> dict[str, Any]:
        """What it publishes on the topic of `read_back`."""
        assert self.settings.read_back is not None
        values = {
            "limit_w": round(self.limit_w, 1),
            "limit_pct": round(100.0 * self.limit_w / self.settings.rated_w, 2),
            "connect": self.connected,
        }
        paths = self.settings.read_back.fields.model_dump(exclude_none=True)
        return document({path: values[name] for name, path in paths.items()})

    @property
    def _state(self) -> str:
        return "throttled" if self.plant.aim_w < self.plant.available_w else "mppt"


def predecessors(power_w: float, rated_w: float, connected: bool) -> dict[str, Any]:
    """open-dynamic-export's payload."""
    return {
        "inverter": {
            "realPower": power_w,
            "reactivePower": 0,
            "voltagePhaseA": 230.0,
            "voltagePhaseB": None,
            "voltagePhaseC": None,
            "frequency": 50.0,
        },
        "nameplate": {"type": 4, "maxW": rated_w, "maxVA": rated_w, "maxVar": 0},
        "settings": {"maxW": rated_w, "maxVA": None, "maxVar": None},
        "status": {"operationalModeStatus": 2, "genConnectStatus": 7 if connected else 0},
    }


class MqttInverters:
    """`call` runs something in the world's thread."""

    def __init__(self, context: Context, world: World, call: Call) -> None:
        self._context = context
        self._world = world
        self._call = call
        plants = zip(world.site.inverters, world.plant.inverters, strict=True)
        self.simulated = [
            Simulated(settings, plant, settings.rated_w)
            for settings, plant in plants
            if isinstance(settings, MqttInverter)
        ]

    @property
    def period_s(self) -> float | None:
        """The shortest period of them; None where there are none."""
        return min((each.settings.period_s for each in self.simulated), default=None)

    def start(self) -> None:
        """Hear the commands."""
        for each in self.simulated:
            if each.settings.command is not None:
                self._context.bus.subscribe_raw(each.settings.command.topic)

    def hear(self, received: RawReceived) -> None:
        """Take a command in."""
        for each in self.simulated:
            command = each.settings.command
            if command is None or command.topic != received.path:
                continue
            said = taken(command.payload, received.payload.decode(errors="replace"))
            if said is None:
                self._context.log.warning("not a command", extra={"topic": received.path})
                continue
            self._obey(each, said)

    def say(self, now: Moment) -> None:
        """What each makes and holds, every `period_s`; a dark or silent one says nothing."""
        for each in self.simulated:
            if now.mono - each.said_at < each.settings.period_s - EARLY_S:
                continue
            each.said_at = now.mono
            name, world = each.settings.id, self._world
            if world.faults.has("silent", name, now.mono) or world.dark(now.mono, name):
                continue
            self._publish(each.settings.topic, each.reading())
            if each.settings.read_back is not None:
                self._publish(each.settings.read_back.topic, each.report())

    def _obey(self, each: Simulated, said: dict[str, str]) -> None:
        limit_w = watts(said, each.settings.rated_w)
        each.limit_w = each.limit_w if limit_w is None else limit_w
        each.connected = said.get("connect", "true") == "true"
        written_w, connected = each.limit_w, each.connected

        def act() -> None:
            now = self._world.advance()
            each.plant.command(now, written_w, connected)
            percent = 100.0 * written_w / each.settings.rated_w
            write = {"mono": now, "write": each.settings.id, "pct": percent, "ena": True, "conn": connected}
            self._world.record({**write, "revert_s": 0})

        self._call(act)

    def _publish(self, topic: str, said: dict[str, Any]) -> None:
        self._context.bus.publish_raw(topic, json.dumps(said).encode())
