"""What is worth an event: changes of mode, sources that fall silent, inverters and meters that stop making sense."""

from __future__ import annotations

from collections.abc import Mapping

from dynexport.messages import Level, Location, Mode
from dynexport.service import Context
from limit_engine.control import Bounds, ControlLaw, Decision
from limit_engine.found import source
from limit_engine.reasons import found_in_words
from limit_engine.side import Orders
from limit_engine.sources import Heard, SourceState


class Watch:
    """Says each transition once, by comparing with what it saw before."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._mode: Mode | None = None
        self._wrong: str | None = None
        self._alive: dict[str, bool] = {}
        self._inverters: dict[str, str] = {}
        self._unlisted: set[str] = set()
        self._refused: dict[str, str] = {}
        self._running = False
        self._elsewhere = False
        self._phases_unknown = False
        self._islanded = False
        self._caps_w: dict[str, float] = {}
        self._shed: set[str] = set()

    def waiting_for(self, law: ControlLaw, sources: Mapping[str, SourceState], mono: float) -> str | None:
        """What failsafe still waits for, in words; None once it was left: later losses have their own answers."""
        if self._running:
            return None
        unsettled = [name for name, state in sources.items() if not state.settled(mono)]
        if unsettled:
            return f"{' and '.join(sorted(unsettled))} has spoken"
        if not law.meter_fresh(mono):
            return "the meter is heard"
        self._running = True
        return None

    def look(
        self,
        law: ControlLaw,
        decision: Decision,
        bounds: Bounds,
        sources: Mapping[str, SourceState],
        mono: float,
    ) -> None:
        """Compare this cycle with the last, and say what changed."""
        self._look_at_mode(decision.mode)
        self._look_at_meter(law.meter_wrong)
        self._look_at_grid(law.islanded)
        self._look_at_phases(law.phases.unknown)
        self._look_at_caps(bounds.caps_w)
        for name, state in sources.items():
            self._look_at_source(name, state, mono)
        for name, track in law.tracks.items():
            state_word = "answers" if track.answers(mono) else "asleep" if track.asleep else "silent"
            self._look_at_inverter(name, state_word, heard=track.heard > float("-inf"))

    def look_beside(self, orders: Orders) -> None:
        """Loads and batteries: what is shed, and who does not follow."""
        for name in sorted(set(orders.shed) - self._shed):
            message = f"{name} may use less: an import or load limit is in force"
            self.context.event(Level.INFO, "load_shed", message, load=name)
        for name in sorted(self._shed - set(orders.shed)):
            self.context.event(Level.INFO, "load_free", f"{name} may use all that it can again", load=name)
        self._shed = set(orders.shed)
        for name in orders.given_up:
            message = f"{name} does not do what it is told (full, empty?): it is left alone for 5 minutes"
            self.context.event(Level.WARNING, "battery_astray", message, battery=name)

    def heard(self, name: str, heard: Heard) -> None:
        """A source's message was taken or refused."""
        if heard.refused is None:
            self._refused.pop(name, None)
            return
        kind = "clock_skew" if heard.skew_s is not None else "limit_refused"
        if self._refused.get(name) != kind:
            self._refused[name] = kind
            self.context.event(
                Level.WARNING,
                kind,
                f"limit/{name} is not counted: {heard.refused}",
                source=name,
                offset_s=heard.skew_s,
            )

    def unlisted(self, name: str) -> None:
        """Somebody publishes a limit that `site.yaml` does not list."""
        if name not in self._unlisted and len(self._unlisted) < 100:
            self._unlisted.add(name)
            self.context.event(
                Level.WARNING,
                "source_unlisted",
                f"limit/{name} has no effect: list `{name}` under `sources` in site.yaml",
                source=name,
            )

    def elsewhere(self, said: Location, listed: Location) -> None:
        """A reading comes from another place in the wiring than site.yaml says."""
        if not self._elsewhere:
            self._elsewhere = True
            self.context.event(
                Level.ERROR,
                "meter_location",
                f"the meter's readings say location {said.value}, site.yaml says {listed.value}: they are dropped",
            )

    def second_engine(self, engine_id: str) -> None:
        """Another engine sends setpoints."""
        self.context.event(
            Level.WARNING,
            "second_engine",
            f"another limit-engine ({engine_id}) sends setpoints",
            engine_id=engine_id,
        )

    def _look_at_mode(self, mode: Mode) -> None:
        if mode is self._mode:
            return
        level = Level.INFO if mode is Mode.NORMAL else Level.WARNING
        self.context.event(level, f"mode_{mode.value}", f"control is now in {mode.value.replace('_', ' ')}")
        self._mode = mode

    def _look_at_meter(self, wrong: str | None) -> None:
        if wrong == self._wrong:
            return
        if wrong is None:
            self.context.event(Level.INFO, "meter_plausible", "the meter makes sense again")
        else:
            self.context.event(
                Level.ERROR, "meter_implausible", f"{wrong}: check its wiring and its `invert` setting"
            )
        self._wrong = wrong

    def _look_at_grid(self, islanded: bool | None) -> None:
        if bool(islanded) == self._islanded:
            return
        self._islanded = bool(islanded)
        if islanded:
            message = "the site is cut off from the grid: the load counts as it was, and no limit is raised"
            self.context.event(Level.INFO, "islanded", message)
        else:
            self.context.event(Level.INFO, "grid_back", "the site is on the grid again")

    def _look_at_phases(self, unknown: bool) -> None:
        if unknown == self._phases_unknown:
            return
        self._phases_unknown = unknown
        if unknown:
            message = "the meter does not say the power of each phase: each is held as if it used nothing"
            self.context.event(Level.WARNING, "phases_unknown", message)
        else:
            self.context.event(Level.INFO, "phases_known", "the meter says the power of each phase")

    def _look_at_caps(self, caps_w: Mapping[str, float]) -> None:
        for name in sorted(caps_w.keys() | self._caps_w.keys()):
            before, now = self._caps_w.get(name), caps_w.get(name)
            if now is not None and now != before:
                self.context.event(
                    Level.WARNING, "limit_found", found_in_words(name, now), source=source(name), limit_w=now
                )
            elif now is None:
                message = f"the limit found in {name} is adopted or gone: it no longer caps it"
                self.context.event(Level.INFO, "limit_found_over", message, source=source(name))
        self._caps_w = dict(caps_w)

    def _look_at_source(self, name: str, state: SourceState, mono: float) -> None:
        if state.statement is None and not state.settled(mono):
            return
        before, alive = self._alive.get(name), state.alive(mono)
        self._alive[name] = alive
        never_was = before is None and not alive and not state.is_obligation
        if alive != before and not never_was:
            self._say_source(name, state, alive)

    def _say_source(self, name: str, state: SourceState, alive: bool) -> None:
        if alive:
            self.context.event(Level.INFO, "source_heard", f"limit/{name} is heard", source=name)
            return
        what = (
            "is silent: its fallback counts"
            if state.is_obligation
            else "has ended or fallen silent: it is ignored"
        )
        self.context.event(Level.WARNING, "source_silent", f"limit/{name} {what}", source=name)

    def _look_at_inverter(self, name: str, word: str, *, heard: bool) -> None:
        before = self._inverters.get(name)
        self._inverters[name] = word
        if word == before or (before is None and not heard):
            return
        if word == "silent":
            self.context.event(
                Level.WARNING,
                "inverter_silent",
                f"{name} does not answer: it counts as part of the load",
                inverter=name,
            )
        elif word == "asleep":
            self.context.event(Level.INFO, "inverter_asleep", f"{name} is asleep", inverter=name)
        else:
            self.context.event(Level.INFO, "inverter_heard", f"{name} answers", inverter=name)
