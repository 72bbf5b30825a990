"""The other side of a publisher's mapping and of a command's template: what a simulated device says and takes. Pure."""

from __future__ import annotations

import re
from typing import Any

from dynexport.template import placeholders

VALUE = r"[-+.\w]+"


def document(paths: dict[str, Any]) -> dict[str, Any]:
    """Values at their dotted paths."""
    found: dict[str, Any] = {}
    for path, value in paths.items():
        *above, last = path.split(".")
        inner = found
        for step in above:
            inner = inner.setdefault(step, {})
        inner[last] = value
    return found


def taken(template: str, payload: str) -> dict[str, str] | None:
    """What stands in the places of the placeholders; None for a text that is not of this template."""
    pattern, rest = "", template
    for number, name in enumerate(placeholders(template)):
        before, _, rest = rest.partition(f"${{{name}}}")
        pattern += re.escape(before.replace("$$", "$")) + f"(?P<{name}_{number}>{VALUE})"
    found = re.fullmatch(pattern + re.escape(rest.replace("$$", "$")), payload)
    if found is None:
        return None
    return {name.rpartition("_")[0]: value for name, value in found.groupdict().items()}


def watts(said: dict[str, str], rated_w: float) -> float | None:
    """The limit that a command says, watts, or by `on` the whole rating; None where it says none."""
    if "limit_w" in said:
        return float(said["limit_w"])
    if "limit_kw" in said:
        return 1000.0 * float(said["limit_kw"])
    if "limit_pct" in said:
        return rated_w * float(said["limit_pct"]) / 100.0
    return None if "on" not in said else rated_w if said["on"] == "true" else 0.0
