"""What a Shelly Pro 3EM and a Shelly 3EM publish by themselves. Pure.

Sources: shelly-api-docs.shelly.cloud, gen2 component EM (`<prefix>/status/em:0`, one document for all phases) and gen1
Shelly 3EM (`shellies/<id>/emeter/<0|1|2>/power`, a number each); both are + for import.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dynexport.mapping import Odd, Sample, decode, number
from dynexport.settings.models import MeterFields

PHASES = ("power_a_w", "power_b_w", "power_c_w")
PRO_3EM = MeterFields(
    power_w="total_act_power",
    power_a_w="a_act_power",
    power_b_w="b_act_power",
    power_c_w="c_act_power",
    voltage_a_v="a_voltage",
    voltage_b_v="b_voltage",
    voltage_c_v="c_voltage",
    frequency_hz="a_freq",
)


@dataclass(slots=True)
class PhasePowers:
    """Puts together three phases that come one by one; `factor` turns and scales them.

    A reading is complete when all three came since the one before, or when a phase comes again: then the others have
    not changed, and count while they are younger than `oldest_s`.
    """

    topics: tuple[str, ...]
    factor: float
    oldest_s: float
    _powers: dict[str, tuple[float, float]] = field(default_factory=dict)
    _new: set[str] = field(default_factory=set)

    def take(self, topic: str, payload: bytes, mono: float) -> tuple[Sample, float] | None:
        """One phase, arrived at `mono`. A whole reading with the arrival of its oldest part, or None; raises Odd."""
        power_w = number(decode(payload), topic)
        if power_w is None:
            raise Odd(f"`{topic}` is null")
        again = topic in self._new
        self._powers[topic] = (power_w * self.factor, mono)
        self._new.add(topic)
        if not again and len(self._new) < len(self.topics):
            return None
        if not all(
            mono - self._powers.get(each, (0.0, float("-inf")))[1] <= self.oldest_s for each in self.topics
        ):
            return None
        self._new.clear()
        powers_w = [self._powers[each][0] for each in self.topics]
        values = {"power_w": sum(powers_w), **dict(zip(PHASES, powers_w, strict=True))}
        return Sample(values), min(self._powers[each][1] for each in self.topics)
