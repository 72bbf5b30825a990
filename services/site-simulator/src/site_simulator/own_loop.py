"""The export regulation that some inverters run by themselves, on a meter of their own at the grid connection."""

from __future__ import annotations

from dynexport.testing.plant import PlantInverter
from site_simulator.world import World


class OwnLoop:
    """Every `period_s` it measures the site and tells its inverter what may be made: with `export_w` so much that
    the site exports that at most (None: it does not regulate), and never above `cap_w`. Lag and dead time are the
    plant's. Set `running` to False to hold the inverter at nothing.
    """

    def __init__(self, plant: PlantInverter, world: World, period_s: float) -> None:
        self.export_w: float | None = None
        self.cap_w: float | None = None
        self.running = True
        self._plant = plant
        self._world = world
        self._period_s = period_s
        self._next_at = float("-inf")

    def changed(self) -> None:
        """What it is to keep is another now: it does not wait for its next round."""
        self._next_at = float("-inf")

    def tick(self, now: float) -> None:
        """Regulate, when it is time to."""
        if now < self._next_at:
            return
        self._next_at = now + self._period_s
        self._plant.command(now, self._wanted_w(), self.running)

    def _wanted_w(self) -> float | None:
        """What its inverter may make, as a limit that its scale error makes come true."""
        limits_w = [] if self.cap_w is None else [self.cap_w]
        if self.export_w is not None:
            limits_w.append(self._plant.power_w + self.export_w + self._world.plant.site_w)
        return max(0.0, min(limits_w)) / self._plant.model.gain if limits_w else None
