"""The frame every service runs in: a tick is drain, decide, publish; health, last will, signals and exit codes."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from dynexport import CONTRACT_VERSION, __version__, topics, wallclock
from dynexport.bus import MqttBus
from dynexport.clock import Clock, SystemClock
from dynexport.inbox import Rejected
from dynexport.logs import Repeated, set_up
from dynexport.messages import Event, Health, Info, Level
from dynexport.ports import Bus, RawReceived, Received
from dynexport.settings.changes import WatchedFile
from dynexport.settings.models import Site
from dynexport.watchdog import StallWatchdog, TickFile, when_parent_goes

OK, FAILED, BAD_CONFIGURATION = 0, 1, 2
HEALTH_EVERY_S = 10.0
LONGEST_WAIT_S = 1.0
CLOCK_STEP_S = 5.0
ALONE_S = 3.0
STOP_WITHIN_S = 9.0
ONLINE, OFFLINE = "online", "offline"
LEVELS = {Level.INFO: logging.INFO, Level.WARNING: logging.WARNING, Level.ERROR: logging.ERROR}


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on both clocks: wall time for stamps, monotonic seconds for ages."""

    wall: datetime
    mono: float


@dataclass(frozen=True, slots=True)
class HealthPart:
    """What a service adds to its health."""

    device_errors: int = 0
    learned: dict[str, Any] = field(default_factory=dict)


class Service(Protocol):
    """What the frame runs. All methods are called from one thread."""

    def start(self) -> None:
        """Subscribe, start threads; the broker may not be there yet."""
        ...

    def connected(self, now: Moment) -> None:
        """After every connect: publish the state afresh."""
        ...

    def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
        """One tick; returns the seconds until the next without news. Must not block."""
        ...

    def stop(self, now: Moment) -> None:
        """SIGTERM: leave things safe, within a few seconds."""
        ...

    def health(self) -> HealthPart:
        """What to add to the health message."""
        ...


class Context:
    """What a service is given: its site, bus, clock and voice."""

    def __init__(
        self,
        name: str,
        site: Site,
        bus: Bus,
        clock: Clock,
        *,
        muted: bool = False,
        file: WatchedFile | None = None,
    ) -> None:
        self.name = name
        self.file = file
        self.site = site
        self.bus = bus
        self.clock = clock
        self.log = logging.getLogger(name)
        self.muted = muted
        self.exit_code: int | None = None

    @property
    def clock_trusted(self) -> bool:
        """Whether the wall clock may be used for timed entries."""
        return wallclock.trusted(self.clock.now(), self.site.site.clock)

    def moment(self) -> Moment:
        """Now, on both clocks."""
        return Moment(self.clock.now(), self.clock.mono())

    def event(self, level: Level, code: str, message: str, **data: Any) -> None:
        """Say that something changed: in the log and on the bus."""
        self.log.log(LEVELS[level], message, extra={"code": code, **{f"on_{key}": data[key] for key in data}})
        event = Event(issued_at=self.clock.now(), level=level, code=code, message=message, data=data)
        self.bus.publish(topics.EVENT, event, self.name)

    def unmute(self) -> None:
        """A standby takes over: from now on it has a will, and says that it is there."""
        self._mute(False)

    def mute(self) -> None:
        """Another process speaks for this service: no will, no health, events only."""
        self._mute(True)

    def _mute(self, muted: bool) -> None:
        if muted == self.muted:
            return
        self.muted = muted
        if isinstance(self.bus, MqttBus):
            self.bus.set_will(None if muted else will(self.bus.root, self.name))

    def fail(self, code: int, message: str) -> None:
        """End the process with this exit code after this tick, without the service's own stop."""
        self.log.error(message, extra={"code": "failed"})
        self.exit_code = code
        self.bus.wake()


def will(root: str, name: str) -> tuple[str, str]:
    """The last will of a service: where and what."""
    return topics.AVAILABILITY.path(root, name), OFFLINE


class Runner:
    """The loop around one service."""

    def __init__(self, context: Context, service: Service, *, stall_s: float) -> None:
        self.context = context
        self.service = service
        self.stopping = threading.Event()
        self.watchdog = StallWatchdog(context.clock, stall_s, context.log.error)
        self._tick_file = TickFile(os.environ, context.log.warning)
        self._connection = 0
        self._health_at = float("-inf")
        self._tick_ms = 0.0
        self._wish_s = 0.0
        self._last: Moment | None = None
        self._alone_since: float | None = None
        self._alone_said = False
        self._repeated = Repeated()

    def ask_to_stop(self, *_: object) -> None:
        """From a signal or another thread."""
        self.stopping.set()
        self.context.bus.wake()

    def run(self) -> int:
        """Run until asked to stop; returns the exit code."""
        context = self.context
        self.watchdog.start()
        try:
            self.service.start()
            while not self.stopping.is_set() and context.exit_code is None:
                context.bus.wait(min(self._wish_s, LONGEST_WAIT_S))
                self._tick()
        except Exception:
            context.log.exception("the loop failed")
            return FAILED
        finally:
            self.watchdog.stop()
        if context.exit_code is not None:
            return context.exit_code
        return self._leave()

    def _tick(self) -> None:
        now = self.context.moment()
        self._look_at_clock(now)
        self._look_at_broker(now.mono)
        if self.context.bus.connection != self._connection:
            self._connection = self.context.bus.connection
            self._arrive(now)
        inbox = self.context.bus.drain()
        self._say_problems()
        self._wish_s = self.service.step(inbox, now)
        self.watchdog.tick()
        self._tick_file.tick(now.mono)
        self._tick_ms = max(self._tick_ms * 0.99, (self.context.clock.mono() - now.mono) * 1000.0)
        self._say_health(now)
        self._look_at_file(now.mono)

    def _arrive(self, now: Moment) -> None:
        if not self.context.muted:
            self.context.bus.publish(topics.AVAILABILITY, ONLINE, self.context.name)
            self.context.bus.publish(topics.INFO, self._info(now), self.context.name)
            self._health_at = float("-inf")
        self.service.connected(now)

    def _info(self, now: Moment) -> Info:
        from dynexport.settings.load import masked

        settings = masked(self.context.site)
        return Info(
            issued_at=now.wall,
            version=__version__,
            contract_version=CONTRACT_VERSION,
            settings=settings,
            settings_sha256=self.context.file.sha256 if self.context.file else None,
        )

    def _look_at_clock(self, now: Moment) -> None:
        last, self._last = self._last, now
        if last is None:
            return
        step_s = (now.wall - last.wall).total_seconds() - (now.mono - last.mono)
        if abs(step_s) > CLOCK_STEP_S:
            self.context.event(
                Level.WARNING,
                "clock_step",
                f"the wall clock jumped by {step_s:.1f} s",
                step_s=round(step_s, 1),
            )

    def _look_at_file(self, mono: float) -> None:
        """Settings are read at the start only: a change is said, and counts after a restart."""
        file = self.context.file
        if file is not None and file.changed(mono):
            message = f"{file.path.name} was changed after {self.context.name} started: restart it"
            self.context.event(Level.WARNING, "settings_changed", message)

    def _look_at_broker(self, mono: float) -> None:
        """A broker that is not there is said once, and its return; what depends on it has fallbacks of its own."""
        if self.context.bus.connected:
            if self._alone_said:
                self.context.log.info("the broker is there again", extra={"code": "broker_back"})
            self._alone_since, self._alone_said = None, False
            return
        self._alone_since = mono if self._alone_since is None else self._alone_since
        if not self._alone_said and mono - self._alone_since >= ALONE_S:
            self._alone_said = True
            mqtt = self.context.site.mqtt
            self.context.log.warning(
                f"no broker at {mqtt.host}:{mqtt.port}: is it running, are mqtt.host and mqtt.port right?",
                extra={"code": "no_broker"},
            )

    def _say_problems(self) -> None:
        problems = getattr(self.context.bus, "problems", None)
        while problems:
            self._say_problem(problems.popleft())
        if getattr(self.context.bus, "taken_over", False):
            self.context.fail(
                FAILED,
                "the broker dropped us 5 times in a minute: either another process runs with this service's "
                "client id (stop one of the two), or the broker keeps restarting (look at its log)",
            )

    def _say_problem(self, problem: Rejected) -> None:
        number = self._repeated.happened(f"{problem.kind} {problem.path}")
        if number is not None:
            self.context.event(
                Level.WARNING,
                problem.kind,
                problem.sentence,
                topic=problem.path,
                times=number,
                offset_s=problem.offset_s,
            )

    def _say_health(self, now: Moment) -> None:
        if self.context.muted or now.mono - self._health_at < HEALTH_EVERY_S:
            return
        counters, part = self.context.bus.counters, self.service.health()
        health = Health(
            issued_at=now.wall,
            loop_age_s=max(0.0, self.context.clock.mono() - now.mono),
            tick_ms=round(self._tick_ms, 2),
            rejected=counters.rejected,
            reconnects=counters.reconnects,
            device_errors=part.device_errors,
            clock_offset_s=counters.clock_offset_s,
            learned=part.learned,
        )
        self.context.bus.publish(topics.HEALTH, health, self.context.name)
        self._health_at = now.mono

    def _leave(self) -> int:
        ended = threading.Timer(STOP_WITHIN_S, os._exit, [FAILED])
        ended.daemon = True
        ended.start()
        self.service.stop(self.context.moment())
        if not self.context.muted:
            self.context.bus.publish(topics.AVAILABILITY, OFFLINE, self.context.name)
        ended.cancel()
        return OK


def main(
    name: str,
    build: Callable[[Context], Service],
    argv: Sequence[str] | None = None,
    *,
    stall_s: float = 30.0,
    muted: bool = False,
    client_suffix: str = "",
) -> int:
    """Run a service from its command line; returns the exit code: 0, 1 failed, 2 configuration, 70 stalled."""
    from dynexport.settings.load import ConfigError, find, load_with_warnings

    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument(
        "--config", type=Path, default=None, help="site.yaml; default DYNEXPORT_CONFIG or ./site.yaml"
    )
    options = parser.parse_args(argv)
    log = set_up(name)
    file = WatchedFile(find(options.config, os.environ))
    try:
        site, doubts = load_with_warnings(options.config)
    except ConfigError as error:
        log.error("site.yaml cannot be used", extra={"code": "configuration"})
        print(error, flush=True)
        return BAD_CONFIGURATION
    for doubt in doubts:
        log.warning(str(doubt), extra={"code": "doubt"})
    clock = SystemClock()
    client_id = "-".join(part for part in (site.mqtt.root, name, client_suffix) if part)
    bus = MqttBus(site.mqtt, client_id, clock=clock, will=None if muted else will(site.mqtt.root, name))
    context = Context(name, site, bus, clock, muted=muted, file=file)
    runner = Runner(context, build(context), stall_s=stall_s)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, runner.ask_to_stop)
    when_parent_goes(runner.ask_to_stop)
    bus.start()
    code = runner.run()
    bus.stop()
    return code
