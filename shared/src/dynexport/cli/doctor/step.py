"""`doctor --step`: asks limit-engine to hold an inverter lower for some seconds, and looks at who moves."""

from __future__ import annotations

from dataclasses import dataclass, field

import typer

from dynexport import messages as m
from dynexport import topics
from dynexport.bus import MqttBus
from dynexport.cli.connect import CLOCK, connected
from dynexport.cli.doctor.finding import Finding, doubt, wrong
from dynexport.cli.doctor.step_judge import judge, settled
from dynexport.cli.doctor.step_seen import AFTER_S, BEFORE_S, STEP_S, Samples, Shift, calm, seen
from dynexport.ports import Received
from dynexport.settings.models import Inverter, Site

ENGINE = "limit-engine"
STEP = 0.05
MOST_STEPS = 3
ANSWERS_WITHIN_S = 3.0
CALM_WITHIN_S, ENOUGH_WITHIN_S = 20.0, 30.0
ENOUGH = 0.15
POLL_S = 0.1
HEARD = (topics.METER_READING, topics.INVERTER_READING, topics.ACTIVE, topics.EVENT)
NOTICED = ("meter_implausible", "mode_open_loop", "mode_failsafe")


@dataclass(slots=True)
class Watched:
    """What was heard of one inverter, the meter and limit-engine."""

    name: str
    made: list[tuple[float, float]] = field(default_factory=list)
    meter: list[tuple[float, float]] = field(default_factory=list)
    phases: tuple[list[tuple[float, float]], ...] = ([], [], [])
    events: list[tuple[float, m.Event]] = field(default_factory=list)
    reason: str = ""

    def take(self, received: Received) -> None:
        """Take in one message."""
        match received.message:
            case m.InverterReading() as reading if received.id == self.name:
                self.made.append((received.mono, reading.power_w))
            case m.MeterReading() as reading:
                self.meter.append((received.mono, reading.power_w))
                powers = (reading.power_a_w, reading.power_b_w, reading.power_c_w)
                for phase, power_w in zip(self.phases, powers, strict=True):
                    if power_w is not None:
                        phase.append((received.mono, power_w))
            case m.Active() as active:
                self.reason = active.reason
            case m.Event() as event if received.id == ENGINE:
                self.events.append((received.mono, event))

    @property
    def samples(self) -> Samples:
        """What a step is judged by."""
        return Samples(self.made, self.meter, self.phases)


class NoStep(Exception):
    """Why no step was taken, as a finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.sentence)
        self.finding = finding


def step_inverter(site: Site, name: str) -> list[Finding]:
    """Up to three steps of an inverter and what they show; ends with exit code 2 for an unknown id."""
    inverter = next((one for one in site.inverters if one.id == name), None)
    if inverter is None:
        known = ", ".join(one.id for one in site.inverters)
        typer.echo(f"no inverter {name!r} in site.yaml; there are: {known}", err=True)
        raise typer.Exit(2)
    if not site.control.enabled:
        sentence = "control.enabled is false: nothing is written to an inverter, so none can be stepped"
        return [wrong(name, sentence, "`dynexport enable`, restart the services, then again")]
    step_w = STEP * inverter.rated_w
    typer.echo(
        f"{name} will make {step_w:.0f} W less for {STEP_S:.0f} s, up to {MOST_STEPS} times; limits hold all the while",
        err=True,
    )
    with connected(site.mqtt, HEARD) as bus:
        return _steps(bus, site, inverter, step_w)


def _steps(bus: MqttBus, site: Site, inverter: Inverter, step_w: float) -> list[Finding]:
    watched, shifts, ended = Watched(inverter.id), [], []
    for number in range(1, MOST_STEPS + 1):
        typer.echo(f"step {number}", err=True)
        try:
            shift = _step(bus, watched, inverter.rated_w)
        except NoStep as error:
            ended.append(error.finding)
            break
        if shift is not None:
            shifts.append(shift)
        if settled(site, inverter, shifts, step_w):
            break
    if not shifts:
        return ended or [_too_few(watched)]
    meter_most_w = max(abs(power_w) for _, power_w in watched.meter)
    return [*judge(site, inverter, shifts, step_w, meter_most_w), *_noticed(watched), *ended]


def _step(bus: MqttBus, watched: Watched, rated_w: float) -> Shift | None:
    """One step from the first look to the last; raises NoStep."""
    _await_calm(bus, watched, rated_w)
    asked = CLOCK.mono()
    bus.publish(
        topics.REQUEST, m.Request(issued_at=CLOCK.now(), id=watched.name, for_s=STEP_S), ENGINE, "step"
    )
    while (answer := _answer(watched, asked)) is None:
        if CLOCK.mono() - asked > ANSWERS_WITHIN_S:
            advice = "is it running, and may you write requests (the user `owner`)? `dynexport doctor`"
            raise NoStep(wrong("step", f"{ENGINE} does not answer", advice))
        _listen(bus, watched, POLL_S)
    began, event = answer
    if event.code != "step_begun":
        why = f" ({watched.reason})" if watched.reason else ""
        raise NoStep(doubt("step", f"{event.message}{why}", "ask again when that is over"))
    over, end = began + STEP_S, began + STEP_S + AFTER_S
    while (mono := CLOCK.mono()) < end:
        if left := _left_normal(watched, began):  # what the engine does then hides the rest of the step
            return seen(watched.samples, began, min(over, left), None)
        _listen(bus, watched, min(POLL_S, end - mono))
    return seen(watched.samples, began, over, end)


def _await_calm(bus: MqttBus, watched: Watched, rated_w: float) -> None:
    """Look until the inverter stands still and makes enough; not for ever: a loop that hunts is stepped on its way."""
    began = CLOCK.mono()
    _listen(bus, watched, BEFORE_S)
    while (waited_s := CLOCK.mono() - began) < ENOUGH_WITHIN_S:
        still = waited_s >= CALM_WITHIN_S or calm(watched.samples, CLOCK.mono(), rated_w)
        if still and watched.made and watched.made[-1][1] > ENOUGH * rated_w:
            return
        _listen(bus, watched, POLL_S)


def _left_normal(watched: Watched, began: float) -> float | None:
    """When control left its normal mode since."""
    gone = [mono for mono, event in watched.events if mono > began and event.code in NOTICED]
    return min(gone, default=None)


def _answer(watched: Watched, asked: float) -> tuple[float, m.Event] | None:
    for mono, event in watched.events:
        ours = event.data.get("inverter") == watched.name
        if mono >= asked and ours and event.code in ("step_begun", "step_refused"):
            return mono, event
    return None


def _listen(bus: MqttBus, watched: Watched, seconds: float) -> None:
    end = CLOCK.mono() + seconds
    while (left := end - CLOCK.mono()) > 0:
        bus.wait(min(POLL_S, left))
        for received in bus.drain():
            if isinstance(received, Received):
                watched.take(received)


def _noticed(watched: Watched) -> list[Finding]:
    """What limit-engine thought of it meanwhile."""
    said = dict.fromkeys(event.message for _, event in watched.events if event.code in NOTICED)
    return [doubt("step", f"{ENGINE} said meanwhile: {message}", "see above") for message in said]


def _too_few(watched: Watched) -> Finding:
    silent = [
        name for name, points in (("the meter", watched.meter), (watched.name, watched.made)) if not points
    ]
    sentence = (
        f"no reading came of {' and '.join(silent)}" if silent else "too few readings came to see a step"
    )
    return wrong("step", sentence, "`dynexport doctor` looks at meter and inverters first")
