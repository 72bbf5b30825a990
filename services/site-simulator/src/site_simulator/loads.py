"""The controllable loads over MQTT: they obey `load/<id>/setpoint` and say what they use."""

from __future__ import annotations

from collections.abc import Callable

from dynexport import topics
from dynexport.messages import PowerReading, Setpoint, stamp
from dynexport.ports import Received
from dynexport.service import Context, Moment
from site_simulator.world import World

READING_EVERY_S = 1.0
Call = Callable[[Callable[[], None]], None]


class Loads:
    """Those of `loads:` without a topic of another publisher; `call` runs something in the world's thread.

    A load holds what it was told last: it knows no deadline, as a relay knows none.
    """

    def __init__(self, context: Context, world: World, call: Call) -> None:
        self._context = context
        self._world = world
        self._call = call
        self._said_at = float("-inf")

    def start(self) -> None:
        """Hear the setpoints."""
        if self._world.loads:
            self._context.bus.subscribe(topics.LOAD_SETPOINT)

    def hear(self, received: Received) -> None:
        """Take a setpoint in."""
        setpoint, load = received.message, self._world.loads.get(received.id)
        if received.topic is not topics.LOAD_SETPOINT or not isinstance(setpoint, Setpoint) or load is None:
            return
        limit_w = setpoint.target_w if setpoint.connect else 0.0

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
