"""The loads that inverter-writer commands: setpoints in, commands out on each one's own topic."""

from __future__ import annotations

from dataclasses import dataclass, field

from dynexport import messages as m
from dynexport import topics
from dynexport.logs import Repeated
from dynexport.ports import Received
from dynexport.service import Context, Moment
from dynexport.settings.models import Load, LoadCommand
from dynexport.template import filled, short, switch, whole
from inverter_writer.acceptance import Acceptance
from inverter_writer.load_decision import ToldLoad, WantedLoad, due_s, for_load, wanted_load

CONTROL_EVERY_S = 10.0
EVENTS = {
    m.ControlState.FAILSAFE: (
        m.Level.WARNING,
        "load_engine_lost",
        "no valid setpoint for 15 s: it is not let up",
    ),
    m.ControlState.FOLLOWING: (m.Level.INFO, "load_following", "it follows the engine"),
}


@dataclass(slots=True)
class Commanded:
    """One load with a `command`, and what was asked and told."""

    load: Load
    command: LoadCommand
    acceptance: Acceptance = field(default_factory=Acceptance)
    told: ToldLoad | None = None
    state: m.ControlState | None = None
    said: tuple[object, ...] | None = None
    said_at: float = float("-inf")

    def wanted(self, since: float, mono: float) -> WantedLoad:
        """What it may use now; `since` is when we started."""
        off = self.command.when_silent == "off"
        accepted = self.acceptance.accepted
        return wanted_load(accepted, self.told, off_when_silent=off, silent_s=mono - since, mono=mono)

    def payload(self, limit_w: float) -> bytes:
        """What is published; rounded down."""
        if self.command.payload is None:
            return (self.command.on if limit_w > 0.0 else self.command.off).encode()
        values = {
            "limit_w": whole(limit_w),
            "limit_kw": short(limit_w / 1000.0, 3),
            "limit_pct": short(100.0 * limit_w / self.load.rated_w, 2),
            "on": switch(limit_w > 0.0),
        }
        return filled(self.command.payload, values).encode()


class Loads:
    """Those with a `command`; the others' own programs listen to `load/<id>/setpoint` themselves."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._enabled = context.site.control.enabled
        self._started = context.clock.mono()
        self._repeated = Repeated()
        self.commanded = {
            load.id: Commanded(load, load.command) for load in context.site.loads if load.command is not None
        }

    def start(self) -> None:
        """Subscribe."""
        if self.commanded:
            self._context.bus.subscribe(topics.LOAD_SETPOINT)

    def afresh(self) -> None:
        """After a reconnect: what each may do, and the stored topics, again."""
        for each in self.commanded.values():
            each.said = None
            if each.told is not None and self._enabled:
                self._tell(each, each.told.limit_w, each.told.mono)

    def hear(self, received: Received) -> None:
        """Take a setpoint in."""
        setpoint, each = received.message, self.commanded.get(received.id)
        if received.topic is not topics.LOAD_SETPOINT or not isinstance(setpoint, m.Setpoint) or each is None:
            return
        refused = each.acceptance.offer(setpoint, received.mono)
        if refused is None:
            self._repeated.over(received.id)
            return
        self._context.bus.counters.rejected += 1
        if (times := self._repeated.happened(received.id)) is not None:
            message = f"a setpoint for the load {received.id} was refused: {refused}"
            self._context.event(m.Level.WARNING, "setpoint_refused", message, times=times)

    def run(self, now: Moment) -> None:
        """Tell each what is due, and say what it was told."""
        for each in self.commanded.values():
            wanted = each.wanted(self._started, now.mono)
            if self._enabled and wanted.limit_w is not None:
                limit_w = for_load(wanted.limit_w, each.load)
                if due_s(limit_w, each.told, each.load, now.mono) <= 0.0:
                    self._tell(each, limit_w, now.mono)
            self._say(each, wanted, now)

    def finish(self, now: Moment) -> None:
        """At a stop: `when_silent: off` holds for our own silence too; otherwise it keeps what it was told."""
        for each in self.commanded.values():
            if self._enabled and each.command.when_silent == "off":
                self._tell(each, 0.0, now.mono)
                self._say(each, each.wanted(self._started, now.mono), now)

    def _tell(self, each: Commanded, limit_w: float, mono: float) -> None:
        """Without a broker it is told as soon as there is one."""
        command = each.command
        if self._context.bus.publish_raw(
            command.topic, each.payload(limit_w), qos=command.qos, retain=command.retain
        ):
            each.told = ToldLoad(limit_w, mono)

    def _say(self, each: Commanded, wanted: WantedLoad, now: Moment) -> None:
        state = wanted.state if self._enabled else m.ControlState.DISABLED
        self._transition(each, state)
        told_w = None if each.told is None else each.told.limit_w
        key = (state, wanted.limit_w, told_w)
        if key == each.said and now.mono - each.said_at < CONTROL_EVERY_S:
            return
        accepted = each.acceptance.accepted
        control = m.LoadControl(
            issued_at=now.wall,
            state=state,
            requested_w=wanted.limit_w,
            applied_w=told_w,
            setpoint_seq=accepted.seq if accepted else None,
            engine_id=accepted.engine_id if accepted else None,
        )
        if self._context.bus.publish(topics.LOAD_CONTROL, control, each.load.id):
            each.said, each.said_at = key, now.mono

    def _transition(self, each: Commanded, state: m.ControlState) -> None:
        before, each.state = each.state, state
        if state is before or (before is None and state is m.ControlState.FAILSAFE):
            return
        if state in EVENTS:
            level, code, words = EVENTS[state]
            self._context.event(level, code, f"{each.load.id}: {words}", load=each.load.id)
