"""Limits found in the devices: contract.md on `found_limit_w` and `adopted`. Pure.

A limit that an inverter held when it was first met may be its installer's. It caps that inverter alone, as the source
`device:<id>`, until its owner adopts it. The writer says it in the stored capability, which states hardware.
"""

from __future__ import annotations

from collections.abc import Mapping

from dynexport.messages import InverterCapability


def source(inverter: str) -> str:
    """The name of the source that a limit found in an inverter is."""
    return f"device:{inverter}"


def caps_w(capabilities: Mapping[str, InverterCapability], rated_w: Mapping[str, float]) -> dict[str, float]:
    """The limits found and not adopted, watts by inverter id; one that its rating keeps to anyway is none."""
    return {
        name: capability.found_limit_w
        for name, capability in capabilities.items()
        if capability.found_limit_w is not None
        and capability.adopted is False
        and capability.found_limit_w < rated_w[name]
    }
