"""Which procedures are claimed, and why the others are not applicable."""

from __future__ import annotations

from typing import Any

from utility_simulator.document import V1_2, V1_3, Version

CLAIMED = frozenset({"A", "G", "L", "C", "M", "DER-A", "DER-G", "DER-L", "STO", "DER-STO"})
VERSIONS: dict[str, Version] = {"v1.2": V1_2, "v1.3": V1_3}
WHY_NOT = {
    "S-G": "subscriptions are not built: the client polls",
    "S-L": "subscriptions are not built: the client polls",
    "DR-A": "demand response (AS/NZS 4755) is not claimed",
    "DR-D": "demand response (AS/NZS 4755) is not claimed",
    "DR-G": "demand response (AS/NZS 4755) is not claimed",
    "DR-L": "demand response (AS/NZS 4755) is not claimed",
    "PRC": "pricing over CSIP-AUS is not claimed",
    "P-A": "provisional class, not claimed",
    "DER-A-ALT": "for charging stations",
    "DER-L-ALT": "for charging stations",
}


def excused(definition: Any) -> str | None:
    """Why this procedure is not run; None when it is."""
    if set(definition.classes) & CLAIMED:
        return None
    return "; ".join(dict.fromkeys(WHY_NOT[each] for each in definition.classes))


def versions(definition: Any) -> list[Version]:
    """The versions on which it is run: 1.3's beta is spoken by no server that we could meet."""
    return [VERSIONS[str(each)] for each in definition.target_versions if str(each) in VERSIONS]
