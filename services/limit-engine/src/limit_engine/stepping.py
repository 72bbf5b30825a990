"""`request/limit-engine/step`: answered by an event, `step_begun` or `step_refused`."""

from __future__ import annotations

from collections.abc import Mapping

from dynexport.messages import InverterCapability, Level, Request
from dynexport.service import Context
from limit_engine.inverters import Track
from limit_engine.step import Refused, Stepper


def answer(
    context: Context,
    stepper: Stepper,
    request: Request,
    tracks: Mapping[str, Track],
    capabilities: Mapping[str, InverterCapability],
    mono: float,
) -> None:
    """Begin the step that is asked for, or say why not."""
    name = request.id or ""
    try:
        target_w = stepper.ask(tracks.get(name), capabilities.get(name), request.for_s, mono)
    except Refused as error:
        context.event(Level.WARNING, "step_refused", f"no step is taken: {error}", inverter=name)
        return
    seconds = stepper.until - mono
    context.event(
        Level.INFO,
        "step_begun",
        f"{name} is held at {target_w:.0f} W for {seconds:.0f} s, as the owner asked",
        inverter=name,
        target_w=round(target_w, 1),
        for_s=seconds,
    )
