"""What an inverter does when Dynexport dies, in a sentence that does not soften it: `enable`, `doctor`, `scan`."""

from __future__ import annotations

from dynexport.messages import HardwareFallback, InverterCapability, Scope

KEEP = "keep the installer's own static limit in force"


def when_we_die(
    inverter: str,
    fallback: HardwareFallback | None,
    *,
    fallback_w: float | None = None,
    fallback_s: float | None = None,
    scope: Scope = Scope.GENERATION,
) -> str:
    """One sentence; None: its writer has not reached it yet. Watts and seconds where they are known."""
    after = f" {fallback_s:.0f} s after our last write" if fallback_s else ""
    match fallback:
        case None:
            return f"what {inverter} does when Dynexport dies is not known yet: its writer has not reached it"
        case HardwareFallback.CHOSEN_W:
            watts = "" if fallback_w is None else f" of {fallback_w:.0f} W"
            return f"{inverter} goes to the failsafe limit{watts} by itself{after} when Dynexport dies"
        case HardwareFallback.RELEASES_LIMIT:
            return f"{inverter} DROPS its limit{after} when Dynexport dies, and then exports freely"
        case HardwareFallback.HOLDS_LAST if scope is Scope.EXPORT:
            return (
                f"{inverter} goes on holding the site's export by its own meter when Dynexport dies, "
                "at the last limit: nobody lowers that one"
            )
        case HardwareFallback.HOLDS_LAST:
            return (
                f"{inverter} holds its last limit for ever when Dynexport dies: "
                "nobody lowers it when the house uses less"
            )
        case HardwareFallback.UNKNOWN:
            return f"{inverter} does something that nobody knows when Dynexport dies"


def of_capability(inverter: str, capability: InverterCapability | None) -> str:
    """The same, from what the writer published."""
    if capability is None:
        return when_we_die(inverter, None)
    return when_we_die(
        inverter,
        capability.hardware_fallback,
        fallback_w=capability.fallback_w,
        fallback_s=capability.fallback_s,
        scope=capability.scope,
    )
