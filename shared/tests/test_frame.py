"""The frame around a service: exit codes, health, last words; with real processes where signals matter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dynexport import messages as m
from dynexport import topics
from dynexport.broker import start_broker
from dynexport.bus import MqttBus
from dynexport.clock import FakeClock, SystemClock
from dynexport.ports import RawReceived, Received
from dynexport.service import Context, HealthPart, Moment, Runner
from dynexport.settings.changes import EVERY_S, WatchedFile
from dynexport.settings.models import MqttSection
from dynexport.testing.builders import SITE, meter_reading, site
from dynexport.testing.context import codes, fake_context
from dynexport.testing.fakebus import FakeBus

CLOCK = SystemClock()


class Quiet:
    """Does nothing, `ticks` times, then what it was told."""

    def __init__(self, context: Context, ticks: int = 3) -> None:
        self.context = context
        self.ticks = ticks
        self.stopped = False
        self.runner: Runner | None = None
        self.each: Callable[[], None] = lambda: None

    def start(self) -> None: ...
    def connected(self, now: Moment) -> None: ...

    def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
        self.ticks -= 1
        self.each()
        if self.ticks <= 0:
            self.end()
        return 0.01

    def end(self) -> None:
        assert self.runner is not None
        self.runner.ask_to_stop()

    def stop(self, now: Moment) -> None:
        self.stopped = True

    def health(self) -> HealthPart:
        return HealthPart(device_errors=3)


def run(service: Quiet) -> int:
    service.runner = Runner(service.context, service, stall_s=30.0)
    return service.runner.run()


def test_a_service_that_is_asked_to_stop_says_goodbye_and_returns_0() -> None:
    context, bus = fake_context("quiet", site(), FakeClock())
    service = Quiet(context)
    assert run(service) == 0
    assert service.stopped
    assert bus.all(topics.AVAILABILITY, "quiet") == ["online", "offline"]


def test_health_carries_what_the_service_adds() -> None:
    context, bus = fake_context("quiet", site(), FakeClock())
    run(Quiet(context))
    health = bus.last(topics.HEALTH, "quiet")
    assert isinstance(health, m.Health)
    assert health.device_errors == 3


def test_a_site_yaml_that_was_changed_meanwhile_is_said_once(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    YAML().dump(SITE, path)
    clock = FakeClock()
    bus, file = FakeBus(clock), WatchedFile(path)
    service = Quiet(Context("quiet", site(), bus, clock, file=file), ticks=4)
    service.each = lambda: clock.advance(EVERY_S)
    path.write_text(path.read_text().replace("5000", "400"))
    service.runner = Runner(service.context, service, stall_s=1e6)
    assert service.runner.run() == 0
    assert codes(bus, "quiet").count("settings_changed") == 1
    info = bus.last(topics.INFO, "quiet")
    assert isinstance(info, m.Info)
    assert info.settings_sha256 == file.sha256


def test_info_shows_the_settings_with_secrets_masked() -> None:
    context, bus = fake_context(
        "quiet", site(mqtt={"host": "h", "username": "u", "password": "hush"}), FakeClock()
    )
    run(Quiet(context))
    info = bus.last(topics.INFO, "quiet")
    assert isinstance(info, m.Info)
    assert "hush" not in info.model_dump_json()
    assert info.settings["agreement"]["export_limit_w"] == 5000


def test_a_muted_service_says_nothing_but_events() -> None:
    context, bus = fake_context("quiet", site(), FakeClock(), muted=True)
    context.event(m.Level.INFO, "hello", "I am here")
    run(Quiet(context))
    assert {path for path, _ in bus.published} == {"service/quiet/event"}


def test_the_loop_touches_the_tick_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNEXPORT_TICK_FILE", str(tmp_path / "ticked"))
    context, _ = fake_context("quiet", site(), FakeClock())
    run(Quiet(context))
    assert (tmp_path / "ticked").exists()


def test_an_exception_in_a_step_is_exit_code_1(caplog: pytest.LogCaptureFixture) -> None:
    context, _ = fake_context("quiet", site(), FakeClock())

    class Broken(Quiet):
        def end(self) -> None:
            raise ZeroDivisionError

    assert run(Broken(context)) == 1
    assert "ZeroDivisionError" in caplog.text


def test_fail_ends_with_its_code() -> None:
    context, _ = fake_context("quiet", site(), FakeClock())

    class Failing(Quiet):
        def end(self) -> None:
            self.context.fail(70, "stuck")

    assert run(Failing(context)) == 70


def test_a_jump_of_the_wall_clock_is_an_event() -> None:
    clock = FakeClock()
    context, bus = fake_context("quiet", site(), clock)

    class Jumping(Quiet):
        def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
            if self.ticks == 2:
                clock.step_wall(3600.0)
            return super().step(inbox, now)

    run(Jumping(context, ticks=4))
    assert codes(bus, "quiet") == ["clock_step"]


def test_a_broker_that_is_not_there_is_said_once_with_its_address(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    context, bus = fake_context("quiet", site(), clock)
    bus.online = False

    class Waiting(Quiet):
        def step(self, inbox: Sequence[Received | RawReceived], now: Moment) -> float:
            clock.advance(2.0)
            return super().step(inbox, now)

    run(Waiting(context, ticks=8))
    said = [record.message for record in caplog.records if "no broker" in record.message]
    assert said == ["no broker at 127.0.0.1:1883: is it running, are mqtt.host and mqtt.port right?"]


def test_dropped_messages_are_said_at_the_first_and_every_60th_time() -> None:
    clock = FakeClock()
    context, bus = fake_context("quiet", site(), clock)
    for _ in range(130):
        bus.deliver(topics.METER_READING, b"rubbish")
    bus.deliver(topics.METER_READING, meter_reading(1.0, clock.now()), retained=True)
    run(Quiet(context))
    assert codes(bus, "quiet") == ["invalid", "invalid", "invalid", "retained"]


PROGRAM = """
import sys, threading
from dynexport.service import HealthPart, main
class Plain:
    def __init__(self, context): self.context = context
    def start(self): pass
    def connected(self, now): print("connected", flush=True)
    def step(self, inbox, now):
        if "stall" in sys.argv: threading.Event().wait()
        return 0.1
    def stop(self, now): print("stopping", flush=True)
    def health(self): return HealthPart()
raise SystemExit(main("plain", Plain, [], stall_s=1.5))
"""


def start(
    config: Path, *words: str, env: dict[str, str] | None = None, pass_fds: tuple[int, ...] = ()
) -> subprocess.Popen[str]:
    environment = {**os.environ, "DYNEXPORT_CONFIG": str(config), **(env or {})}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=pass_fds,
    )


def write(path: Path, port: int) -> Path:
    config = path / "site.yaml"
    with config.open("w") as file:
        YAML().dump({**SITE, "mqtt": {"host": "127.0.0.1", "port": port, "root": "test"}}, file)
    return config


@pytest.mark.integration
def test_sigterm_is_a_goodbye_on_the_broker_and_exit_code_0(tmp_path: Path) -> None:
    with start_broker(tmp_path) as broker:
        process = start(write(tmp_path, broker.port))
        assert process.stdout is not None
        assert "connected" in process.stdout.readline()
        began = CLOCK.mono()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert CLOCK.mono() - began < 5
        watcher = MqttBus(
            MqttSection(host=broker.host, port=broker.port, root="test"), "watcher", clock=CLOCK
        )
        watcher.subscribe(topics.AVAILABILITY)
        watcher.start()
        found: list[object] = []
        for _ in range(50):
            watcher.wait(0.1)
            found += [one.message for one in watcher.drain() if isinstance(one, Received)]
            if found:
                break
        watcher.stop()
        assert found == ["offline"]


@pytest.mark.integration
def test_a_stalled_loop_ends_with_exit_code_70(tmp_path: Path) -> None:
    process = start(write(tmp_path, 1), "stall")
    assert process.wait(20) == 70


@pytest.mark.integration
def test_a_frozen_process_that_thaws_is_not_taken_for_a_stalled_one(tmp_path: Path) -> None:
    process = start(write(tmp_path, 1))
    CLOCK.sleep(2.0)
    process.send_signal(signal.SIGSTOP)
    CLOCK.sleep(4.0)
    process.send_signal(signal.SIGCONT)
    CLOCK.sleep(1.0)
    assert process.poll() is None
    process.terminate()
    assert process.wait(10) == 0


@pytest.mark.integration
def test_when_the_parents_pipe_closes_the_service_stops_as_on_sigterm(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    process = start(write(tmp_path, 1), pass_fds=(reader,), env={"DYNEXPORT_PARENT_PIPE_FD": str(reader)})
    os.close(reader)
    CLOCK.sleep(2.0)
    assert process.poll() is None
    os.close(writer)
    assert process.wait(10) == 0


@pytest.mark.integration
def test_a_bad_site_yaml_is_exit_code_2_with_every_mistake(tmp_path: Path) -> None:
    config = tmp_path / "site.yaml"
    config.write_text("site: {name: x}\nagreemnt: {}\n")
    process = start(config)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "did you mean agreement?" in said
    assert "site.time_zone: is missing" in said
