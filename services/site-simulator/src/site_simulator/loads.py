"""The controllable loads over MQTT: they obey `load/<id>/setpoint` and say what they use."""

from __future__ import annotations

from collections.abc import Callable

from dynexport import topics
from dynexport.messages import PowerReading, Setpoint, stamp
from dynexport.ports import RawReceived, Received
from dynexport.service import Context, Moment
from dynexport.testing.plant_battery import PlantLoad
from site_simulator.mqtt_words import taken, watts
from site_simulator.world import World, own_loads

READING_EVERY_S = 1.0
Call = Callable[[Callable[[], None]], None]


class Loads:
    """Those of `loads:` without a topic of another publisher; `call` runs something in the world's thread.

    One with a `command` obeys that, the others `load/<id>/setpoint`. A load holds what it was told last: it knows no
    deadline, as a relay knows none.
    """

    def __init__(self, context: Context, world: World, call: Call) -> None:
        self._context = context
        self._world = world
        self._call = call
        self._said_at = float("-inf")
        self._commanded = [each for each in own_loads(world.site) if each.command is not None]

    def start(self) -> None:
        """Hear the setpoints."""
        if self._world.loads:
            self._context.bus.subscribe(topics.LOAD_SETPOINT)
        for each in self._commanded:
            if each.command is not None:
                self._context.bus.subscribe_raw(each.command.topic)

    def hear(self, received: Received) -> None:
        """Take a setpoint in."""
        setpoint, load = received.message, self._world.loads.get(received.id)
        if received.topic is not topics.LOAD_SETPOINT or not isinstance(setpoint, Setpoint) or load is None:
            return
        if received.id not in {each.id for each in self._commanded}:
            self._limit(load, setpoint.target_w if setpoint.connect else 0.0)

    def obey(self, received: RawReceived) -> None:
        """Take a command in."""
        for each in self._commanded:
            command, payload = each.command, received.payload.decode(errors="replace")
            if command is None or command.topic != received.path:
                continue
            if command.payload is None:
                limit_w = each.rated_w if payload == command.on else 0.0
            else:
                limit_w = watts(taken(command.payload, payload) or {}, each.rated_w) or 0.0
            self._limit(self._world.loads[each.id], limit_w)

    def _limit(self, load: PlantLoad, limit_w: float) -> None:
        def act() -> None:
            self._world.advance()
            load.limit_w = limit_w

        self._call(act)

    def say(self, now: Moment) -> None:
        """What each uses, every second."""
        if now.mono - self._said_at < READING_EVERY_S:
            return
        self._said_at = now.mono
        for name, load in self._world.loads.items():
            at = stamp(now.wall)
            reading = PowerReading(issued_at=at, measured_at=at, power_w=load.power_w)
            self._context.bus.publish(topics.LOAD_READING, reading, name)
