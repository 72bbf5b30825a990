"""`conform` acting as the engine towards a writer: the script of `dynexport.conform.probes` over a real broker."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import typer

from dynexport import topics
from dynexport.bus import MqttBus
from dynexport.cli.connect import CLOCK
from dynexport.cli.ear import Ear
from dynexport.conform.probes import LOOSE, SAFE, Step, Voice, script
from dynexport.conform.transcript import Asked, Subject, decoded
from dynexport.messages import ControlState, InverterCapability, InverterControl

REPEAT_S = 1.0
LOOK_S = 0.1
REASSERT_S = 0.4
LISTENS_S = 2.0


def engine_heard(ear: Ear, inverter: str) -> str | None:
    """Why we must not speak: an engine is there."""
    CLOCK.sleep(LISTENS_S)
    for heard in ear.heard:
        if heard.topic == "service/limit-engine/availability" and heard.payload == b"online":
            return "limit-engine is online"
        if heard.topic == f"setpoint/{inverter}" and not heard.stored:
            return f"somebody sends setpoints to {inverter}"
    return None


def rated_w(ear: Ear, subject: Subject, given: float | None) -> float:
    """What the inverter's own capability says; ends with exit code 2 when nothing tells."""
    path = subject.path(topics.INVERTER_CAPABILITY)
    found = [decoded(InverterCapability, heard.payload) for heard in ear.heard if heard.topic == path]
    known = [capability.max_w for capability in found if capability is not None]
    if given is not None or known:
        return given if given is not None else known[-1]
    typer.echo(
        f"{path} says nothing: is the writer running? Else say its rated power: --rated 5000", err=True
    )
    raise typer.Exit(2)


def warn(inverter: str, rated: float, yes: bool) -> None:
    """Say what will be done to a real inverter, and ask."""
    typer.echo(
        f"conform now acts as the engine: for about a minute {inverter} is held between 5 and "
        f"{100 * SAFE:.0f} % of {rated:.0f} W. A writer that breaks rules may let it make {100 * LOOSE:.0f} %."
    )
    if not yes and not typer.confirm("Go on?", default=False):
        typer.echo("nothing was sent. Next: `dynexport conform writer --passive` only listens")
        raise typer.Exit(2)


def act(bus: MqttBus, ear: Ear, subject: Subject, rated: float, ttl_s: float) -> tuple[Asked, ...]:
    """Ask everything, one after the other."""
    voice = Voice(f"conform-{secrets.token_hex(4)}", ttl_s)
    path = topics.SETPOINT.path(bus.root, subject.name)

    def send(step: Step) -> None:
        bus.publish_raw(path, voice.payload(step, rated, CLOCK.now()), retain=step.retained)

    asked = []
    for step in script(ttl_s):
        typer.echo(f"  asking: {step.probe}")
        began = CLOCK.mono()
        if step.reasserts:
            send(step.before())
            CLOCK.sleep(REASSERT_S)
        send(step)
        _await(step, ear, subject, step.share * rated, lambda step=step: send(step))  # type: ignore[misc]
        if step.retained:
            bus.publish_raw(path, b"", retain=True)
        asked.append(Asked(step.probe, began, CLOCK.mono(), step.share * rated, step.standing * rated))
    return tuple(asked)


def _await(step: Step, ear: Ear, subject: Subject, target_w: float, again: Callable[[], None]) -> None:
    end = CLOCK.mono() + step.seconds
    spoke = CLOCK.mono()
    while CLOCK.mono() < end:
        CLOCK.sleep(LOOK_S)
        if not step.until_obeyed:
            continue
        if _follows(ear, subject, target_w, end - step.seconds):
            CLOCK.sleep(REPEAT_S)
            return
        if CLOCK.mono() - spoke >= REPEAT_S:
            again()
            spoke = CLOCK.mono()


def _follows(ear: Ear, subject: Subject, target_w: float, since: float) -> bool:
    """Whether its last control of that time says that it follows the target."""
    path = subject.path(topics.INVERTER_CONTROL)
    said = [heard for heard in ear.heard if heard.topic == path and not heard.stored and heard.mono > since]
    control = decoded(InverterControl, said[-1].payload) if said else None
    if control is None or control.state is ControlState.FAILSAFE:
        return False
    return control.requested_w == target_w
