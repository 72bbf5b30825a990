"""The test itself: one level after the other by `limit/manual`, which lapses by itself within seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from dynexport import topics
from dynexport.bus import MqttBus
from dynexport.cli.commission.judge import WITHIN_S, Judgement, Run, judge
from dynexport.cli.commission.switching import Switching
from dynexport.cli.commission.watch import ABORTED, MANUAL, TESTING, Watch
from dynexport.clock import Clock
from dynexport.messages import Limit
from dynexport.settings.models import Site

TTL_S, REPEAT_S = 15.0, 4.0
SAFE_FOR_S = 300.0
TAKES_EFFECT_S = 5.0
POLL_S = 0.1
INTERRUPTED = "interrupted"


@dataclass(slots=True)
class Trial:
    """What is done level by level; `tell` is for the person who watches."""

    site: Site
    bus: MqttBus
    clock: Clock
    stop: threading.Event
    tell: Callable[[str], None]
    hold_s: float
    switching: bool
    watch: Watch = field(init=False)
    runs: list[Run] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    safe_w: float | None = None
    _stated: tuple[float, bool, float] | None = None

    def __post_init__(self) -> None:
        self.watch = Watch(self.site)

    def look(self, seconds: float) -> None:
        """Listen for so long."""
        end = self.clock.mono() + seconds
        while (left := end - self.clock.mono()) > 0 and not self.stop.is_set():
            self.bus.wait(min(POLL_S, left))
            self.watch.take(self.bus.drain())

    def levels(self, levels_w: list[float]) -> None:
        """Every level; a trouble ends them all and holds the failsafe. Without one, our limit is taken back."""
        level_w = float("inf")
        self.watch.manual = None
        try:
            for level_w in levels_w:
                run = self._level(level_w)
                self.runs.append(run)
                self.judgements.append(judge(run, self.watch.rated_w))
                self.tell(f"  {self.judgements[-1].outcome.value}: {self.judgements[-1].sentence}")
                if run.trouble:
                    self._hold_safe(level_w, run.trouble)
                    return
        except BaseException:
            self._hold_safe(level_w, "the test itself failed")
            raise
        self.bus.publish(topics.LIMIT, None, MANUAL)

    def _level(self, level_w: float) -> Run:
        self.tell(f"{level_w:.0f} W")
        began, taken = self.clock.mono(), len(self.watch.samples)
        switching = Switching(not self.site.loads, began + WITHIN_S + self.hold_s / 4, self.hold_s / 4)
        tighter = trouble = ""
        while not (tighter or trouble) and not self._over(began, switching):
            self._state(level_w, load_off=self.switching and switching.load_off)
            self.look(POLL_S * 2)
            mono = self.clock.mono()
            if mono - began > TAKES_EFFECT_S:
                tighter = self.watch.tighter(level_w)
            trouble = self._trouble(level_w, mono - began)
            if self.switching and (switching.begun or self.watch.holds(level_w)):
                self._tell_of(switching, mono)
        samples = tuple(self.watch.samples[taken:])
        return Run(level_w, began, self.hold_s, samples, tuple(switching.moments), tighter, trouble)

    def _tell_of(self, switching: Switching, mono: float) -> None:
        """A load is switched only where the level is held: else it would show nothing."""
        if words := switching.look(self.watch.samples, mono):
            self.tell(f"  {words}")

    def _over(self, began: float, switching: Switching) -> bool:
        mono = self.clock.mono()
        held = mono - began >= WITHIN_S + self.hold_s
        return held and (not self.switching or switching.settled(mono) or not switching.begun)

    def _trouble(self, level_w: float, since_s: float) -> str:
        if self.stop.is_set():
            return INTERRUPTED
        if self.watch.others:
            return f"somebody has set `{MANUAL}` meanwhile"
        if not self.bus.connected:
            return "the broker is gone"
        if since_s > TAKES_EFFECT_S and not self.watch.obeyed(level_w):
            return f"limit-engine does not hold {level_w:.0f} W: is `{MANUAL}` listed, may you write it?"
        return self.watch.trouble(self.clock.mono()) or self.watch.stays_over(level_w)

    def _state(self, level_w: float, *, load_off: bool) -> None:
        """Say the level when it is new, and again before half its life is over."""
        mono = self.clock.mono()
        if self._stated is not None:
            said_w, said_off, at = self._stated
            if (said_w, said_off) == (level_w, load_off) and mono - at < REPEAT_S:
                return
        self._publish(level_w, TTL_S, TESTING, load_off=load_off)
        self._stated = (level_w, load_off, mono)

    def _publish(self, export_w: float, ttl_s: float, reason: str, *, load_off: bool = False) -> bool:
        now = self.clock.now()
        fields: dict[str, Any] = {"load_limit_w": 0.0} if load_off else {}
        until = now + timedelta(seconds=ttl_s)
        limit = Limit(
            issued_at=now, export_limit_w=export_w, ttl_s=ttl_s, until=until, reason=reason, **fields
        )
        return self.bus.publish(topics.LIMIT, limit, MANUAL)

    def _hold_safe(self, level_w: float, why: str) -> None:
        """The failsafe export, or the level where that is less: nothing is raised by what went wrong.

        A limit that the owner has set meanwhile is left as it is.
        """
        if self.watch.others:
            self.tell(f"ABORTED: {why}. That limit is left as it is")
            return
        safe_w = min(level_w, self.site.agreement.failsafe_export_limit_w)
        self.tell(f"ABORTED: {why}")
        if self._publish(safe_w, SAFE_FOR_S, ABORTED):
            self.safe_w = safe_w
            minutes = SAFE_FOR_S / 60
            self.tell(
                f"export is held at {safe_w:.0f} W for {minutes:.0f} min; `dynexport limit clear` ends that sooner"
            )
        else:
            self.tell(
                f"the broker cannot be told: the limit of the test lapses by itself within {TTL_S:.0f} s"
            )
