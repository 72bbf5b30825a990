"""The faults that can be asked for, and which are in force."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

WHERE = ", in the model of the measurements or in the one numbered `value`"
STATES: dict[str, str] = {
    "hang": "accepts connections and never answers (same as silent, for a whole device)",
    "silent": "the unit does not answer",
    "refuse": "the endpoint's port is closed, the serial adapter is pulled out",
    "frozen": "repeats the same answer for ever",
    "reversed": "the meter's current transformer is turned round",
    "scaled": "the meter shows `value` times the power, as with a wrong current transformer or unit",
    "sentinel": f"every value is 'not implemented'{WHERE}",
    "absurd_scale": f"every scale factor is 32767{WHERE}",
    "zero_scale": f"every scale factor is 0{WHERE}",
    "all_ones": f"every register is 0xFFFF{WHERE}",
    "delay": "each answer takes `value` seconds",
    "short_answer": "fewer registers come back than were asked for",
    "wrong_function": "the answer carries another function code",
    "wrong_unit": "the answer carries another unit's number",
    "garbage": "bytes come that are no answer",
    "noise": "stray bytes come before each answer (RTU only)",
    "bad_crc": "the answer's checksum is wrong (RTU only)",
    "islanded": "the site is cut off from the grid, as a Powerwall gateway tells it",
    "rate_limited": "the gateway answers 429; with `value` it asks for that many seconds of rest",
    "unauthorized": "the gateway forgets its tokens and refuses new ones, with status `value` (403)",
    "login_refused": "the gateway refuses the password",
    "other_certificate": "the gateway shows another certificate at the next connection",
    "deaf": "a battery takes what it is told and does not do it",
    "night": "no sun, and the Modbus of the inverter (without an id: of all) goes dark",
}
ACTIONS: dict[str, str] = {
    "load_w": "the house uses `value` watts from now on; with an id that phase (a, b, c), or that load wants them",
    "soc_pct": "a battery is charged to `value` percent",
    "available_pct": "the sun gives `value` percent of the rating from now on",
    "gain": "the limit's scale error becomes `value` (1.05: 5 % too much)",
    "slow": "the inverter's lag becomes `value` seconds",
    "noise": "the meter's noise becomes `value` watts",
    "reset": "every connection is broken once with RST; a serial adapter is replugged",
    "power_cycle": "a device's power is cut: what is not in flash is lost; silent for `value` seconds (3)",
    "revert": "the inverter's own timer runs out now: 123 releases its limit, 704 takes its reversion value, one that "
    "regulates the export itself forgets its limit",
    "clear": "every fault ends",
}
EVERYTHING = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in force until `until` (monotonic)."""

    value: float | None
    until: float


@dataclass(slots=True)
class Faults:
    """What is in force, by device id; the empty id is every device."""

    active: dict[tuple[str, str], Fault] = field(default_factory=dict)

    def begin(
        self, name: str, device: str | None, value: float | None, for_s: float | None, mono: float
    ) -> None:
        """Put a fault in force; raises KeyError for one that is not known."""
        if name not in STATES:
            raise KeyError(name)
        until = math.inf if for_s is None else mono + for_s
        self.active[(name, device or EVERYTHING)] = Fault(value, until)

    def clear(self) -> None:
        """End them all."""
        self.active.clear()

    def get(self, name: str, device: str, mono: float) -> Fault | None:
        """The fault of a device, or None."""
        for key in ((name, device), (name, EVERYTHING)):
            fault = self.active.get(key)
            if fault is not None and mono < fault.until:
                return fault
        return None

    def has(self, name: str, device: str, mono: float) -> bool:
        """Whether a fault is in force for a device."""
        return self.get(name, device, mono) is not None
