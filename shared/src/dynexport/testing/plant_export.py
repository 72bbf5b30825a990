"""An inverter that holds the site's export by a meter and a loop of its own (scope `export`), for the plant. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from dynexport.testing.plant import Plant


@dataclass(slots=True)
class OwnLoop:
    """The loop of one inverter of the plant: every `period_s` it moves its limit by what the site is off its own.

    `export_limit_w` is what it was told; `dead`: it no longer moves anything.
    """

    inverter: int
    export_limit_w: float = 0.0
    period_s: float = 0.5
    gain: float = 0.5
    connected: bool = True
    dead: bool = False
    _next: float = 0.0

    def follow(self, plant: Plant) -> None:
        """Let it act, if it is time to; call it at least every `period_s`."""
        if self.dead or plant.now < self._next:
            return
        self._next = plant.now + self.period_s
        one = plant.inverters[self.inverter]
        room_w = self.export_limit_w + plant.site_w
        most_w = one.model.rated_w
        one.command(plant.now, max(0.0, min(most_w, one.power_w + self.gain * room_w)), self.connected)
