"""What every unit of the simulated site has: a name, the faults in force, its place in the world."""

from __future__ import annotations

from site_simulator.adapters.server import IllegalFunction, Line, Manners
from site_simulator.world import World

ANSWER_FAULTS = ("short_answer", "wrong_function", "wrong_unit", "garbage", "noise", "bad_crc")
DYNAMIC_FAULTS = ("sentinel", "all_ones", "absurd_scale", "zero_scale")


class Served:
    """A unit behind an endpoint; `line` is how the endpoint treats its clients."""

    line = Line()

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.world = world

    def part(self, function: int, address: int) -> Served:
        """The device that answers for a register, where two share a unit id."""
        return self

    def manners(self) -> Manners:
        """How it answers now, by the faults in force."""
        now = self.world.clock.mono()
        faults = self.world.faults
        delay = faults.get("delay", self.name, now)
        return Manners(
            silent=faults.has("silent", self.name, now)
            or faults.has("hang", self.name, now)
            or self.asleep(now),
            delay_s=delay.value or 0.0 if delay else 0.0,
            **{name: faults.has(name, self.name, now) for name in ANSWER_FAULTS},
        )

    def asleep(self, now: float) -> bool:
        """Whether its Modbus is dark."""
        return False

    def read(self, address: int, count: int) -> list[int]:
        """Holding registers as they are now, or as a fault shows them."""
        raise IllegalFunction

    def read_input(self, address: int, count: int) -> list[int]:
        """Input registers, for a device that has them."""
        raise IllegalFunction

    def write(self, address: int, values: list[int]) -> None:
        """Take a write."""
        raise IllegalFunction

    def tick(self, now: float) -> None:
        """Time has passed: 20 ms, or what a busy machine makes of it."""

    def revert(self, now: float) -> None:
        """It forgets what it was told, for no reason that can be seen."""

    def restart(self, now: float) -> None:
        """Its power was cut: what it does not keep in flash is as it was delivered."""
