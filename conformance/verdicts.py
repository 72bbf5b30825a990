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
    "P-A": "provisional, and for aggregators",
    "DER-A-ALT": "for charging stations",
    "DER-L-ALT": "for charging stations",
}
LOAD = "needs a load that follows the import limit (issue 7)"
STORAGE = "needs a battery that follows opModStorageTargetW (issue 7)"
ENERGY = "the stored energy of a battery is not mirrored yet"
NOT_YET = {
    "LOA-01": LOAD,
    "LOA-13": LOAD,
    "STO-01": ENERGY,
    "STO-04": ENERGY,
    "STO-02": STORAGE,
    "STO-03": STORAGE,
    "STO-05": STORAGE,
    "STO-06": STORAGE,
}


def excused(name: str, definition: Any) -> str | None:
    """Why this procedure is not run; None when it is."""
    if name in NOT_YET:
        return NOT_YET[name]
    if set(definition.classes) & CLAIMED:
        return None
    return "; ".join(dict.fromkeys(WHY_NOT[each] for each in definition.classes))


def versions(definition: Any) -> list[Version]:
    """The versions on which it is run: 1.3's beta is spoken by no server that we could meet."""
    return [VERSIONS[str(each)] for each in definition.target_versions if str(each) in VERSIONS]
