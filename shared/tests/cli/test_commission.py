"""`commission`: what ends it, how loads are switched, the page, and whole runs on a simulated site."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from dynexport import messages as m
from dynexport import topics
from dynexport.cli.commission.judge import Run, Sample, judge
from dynexport.cli.commission.page import Report, page, summary
from dynexport.cli.commission.run import Trial
from dynexport.cli.commission.switching import Switching
from dynexport.cli.commission.watch import Watch
from dynexport.cli.main import application
from dynexport.clock import FakeClock, SystemClock
from dynexport.ports import Received
from dynexport.testing.builders import SITE, inverter_reading, meter_reading, site

CLOCK = FakeClock()
NOW = CLOCK.now()
RATED_W = 10_000.0


def received(topic: topics.Topic, message: m.Message, *ids: str, mono: float = 0.0) -> Received:
    return Received(topic, ids, message, False, mono)


def active(**fields: Any) -> m.Active:
    return m.Active(
        **{"issued_at": NOW, "mode": m.Mode.NORMAL, "reason": "because", "export_limit_w": 5000.0, **fields}
    )


def control(state: m.ControlState = m.ControlState.FOLLOWING) -> m.InverterControl:
    return m.InverterControl(issued_at=NOW, state=state, applied_w=6000.0)


def watching(
    said: m.Active | None = None, state: m.ControlState = m.ControlState.FOLLOWING, **sections: Any
) -> Watch:
    watch = Watch(site(**sections))
    watch.take(
        [
            received(topics.INVERTER_READING, inverter_reading(6000.0, NOW), "roof"),
            received(topics.INVERTER_CONTROL, control(state), "roof"),
            received(topics.ACTIVE, said or active()),
            received(topics.METER_READING, meter_reading(-5000.0, NOW)),
        ]
    )
    return watch


def test_a_sample_is_the_sites_export_by_either_kind_of_meter() -> None:
    assert watching().samples == [Sample(0.0, 5000.0, 6000.0, 6000.0)]
    watch = watching()
    reading = meter_reading(700.0, NOW, location=m.Location.CONSUMPTION)
    watch.take([received(topics.METER_READING, reading)])
    assert watch.samples[-1].export_w == 5300.0


@pytest.mark.parametrize(
    ("said", "state", "mono", "trouble"),
    [
        (None, m.ControlState.FOLLOWING, 4.9, ""),
        (None, m.ControlState.FOLLOWING, 5.1, "the meter is silent"),
        (
            active(mode=m.Mode.OPEN_LOOP),
            m.ControlState.FOLLOWING,
            1.0,
            "control is no longer normal: because",
        ),
        (active(mode=m.Mode.FAILSAFE), m.ControlState.FOLLOWING, 1.0, "control is no longer normal"),
        (active(connect=False, connect_source="csip"), m.ControlState.FOLLOWING, 1.0, "disconnected by csip"),
        (None, m.ControlState.FAULT, 1.0, "roof no longer follows: fault"),
        (None, m.ControlState.FAILSAFE, 1.0, "roof no longer follows: failsafe"),
    ],
)
def test_what_ends_the_test(said: m.Active | None, state: m.ControlState, mono: float, trouble: str) -> None:
    found = watching(said, state).trouble(mono)
    assert trouble in found
    assert bool(found) == bool(trouble)


def test_a_silent_engine_ends_it_though_the_meter_speaks() -> None:
    watch = watching()
    watch.take([received(topics.METER_READING, meter_reading(-5000.0, NOW), mono=13.0)])
    assert watch.trouble(13.0) == "limit-engine is silent"


def test_export_over_the_level_ends_it_after_20_s_and_not_before() -> None:
    watch = watching()
    for second in range(22):
        watch.take([received(topics.METER_READING, meter_reading(-2000.0, NOW), mono=float(second))])
        found = watch.stays_over(1500.0)
        assert bool(found) == (second > 20)
    watch.take([received(topics.METER_READING, meter_reading(-1500.0, NOW), mono=22.0)])
    assert watch.stays_over(1500.0) == ""


def test_another_source_that_is_tighter_is_named_and_the_own_level_is_not() -> None:
    watch = watching(active(export_limit_w=1500.0, export_limit_source="csip"))
    assert watch.tighter(5000.0) == "csip limits export to 1500 W, which is tighter"
    assert watch.tighter(1500.0) == ""
    assert watch.obeyed(5000.0)
    assert not watch.obeyed(1000.0)


class OwnersBus:
    """A site that obeys, on a bus where the owner sets a limit of 0 W at the fifth second."""

    connected = True

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.began = clock.mono()
        self.said: list[m.Limit | None] = []
        self.owners: m.Limit | None = None
        self.inbox: list[Received] = []

    def publish(self, topic: topics.Topic, message: Any, *ids: str) -> bool:
        self.said.append(message)
        if message is not None:
            self.inbox.append(received(topic, message, *ids))
        return True

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        now, mono = self.clock.now(), self.clock.mono()
        self.inbox += [
            received(topics.METER_READING, meter_reading(-1000.0, now), mono=mono),
            received(topics.ACTIVE, active(issued_at=now, export_limit_w=1000.0), mono=mono),
        ]
        if self.owners is None and mono - self.began > 5.0:
            self.owners = m.Limit(issued_at=now, export_limit_w=0.0, ttl_s=600.0)
            self.inbox.append(received(topics.LIMIT, self.owners, "manual"))

    def drain(self) -> list[Received]:
        found, self.inbox = self.inbox, []
        return found


def test_a_limit_that_the_owner_sets_meanwhile_ends_it_and_is_left_as_it_is() -> None:
    clock = FakeClock()
    bus, told = OwnersBus(clock), list[str]()
    trial = Trial(site(), bus, clock, threading.Event(), told.append, 30.0, False)  # type: ignore[arg-type]
    trial.watch.take(
        [received(topics.LIMIT, m.Limit(issued_at=NOW, export_limit_w=9.0, ttl_s=1.0), "manual")]
    )
    trial.levels([1000.0, 500.0])
    assert [one.export_limit_w for one in bus.said if one is not None] == [1000.0, 1000.0]
    assert None not in bus.said
    assert clock.mono() - bus.began < 7.0
    assert "somebody has set `manual` meanwhile" in told[-2]


def loads(load_w: float, mono: float) -> list[Sample]:
    return [Sample(mono - 3.0 + tick * 0.5, 1000.0, 1000.0 + load_w) for tick in range(7)]


def test_a_person_is_asked_and_the_load_is_seen_to_change() -> None:
    switching = Switching(True, first_at=10.0, gap_s=5.0)
    assert switching.look(loads(500.0, 9.0), 9.0) == ""
    assert "switch on" in switching.look(loads(500.0, 10.0), 10.0)
    assert switching.look(loads(600.0, 20.0), 20.0) == ""
    assert "+2000 W" in switching.look(loads(2500.0, 25.0), 25.0)
    assert switching.look(loads(2500.0, 29.0), 29.0) == ""
    assert "switch off" in switching.look(loads(2500.0, 30.0), 30.0)
    assert "-2000 W" in switching.look(loads(500.0, 33.0), 33.0)
    assert switching.moments == [25.0, 33.0]
    assert not switching.settled(52.0)
    assert switching.settled(53.0)


def test_a_person_who_does_nothing_is_not_waited_for_for_ever() -> None:
    switching = Switching(True, first_at=0.0, gap_s=5.0)
    switching.look(loads(500.0, 0.0), 0.0)
    assert "judged without it" in switching.look(loads(500.0, 61.0), 61.0)
    switching.look(loads(500.0, 66.0), 66.0)
    switching.look(loads(500.0, 127.0), 127.0)
    assert switching.settled(127.0)
    assert switching.missed == ["on", "off"]


def test_controllable_loads_are_off_on_off() -> None:
    switching = Switching(False, first_at=10.0, gap_s=5.0)
    assert switching.load_off
    switching.look(loads(500.0, 10.0), 10.0)
    assert not switching.load_off
    switching.look(loads(2500.0, 12.0), 12.0)
    switching.look(loads(2500.0, 17.0), 17.0)
    assert switching.load_off


class Page(HTMLParser):
    """Tags that are open, and everything that would be fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.count: dict[str, int] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def a_run(level_w: float, export_w: float, **fields: Any) -> Run:
    samples = [Sample(tick * 0.5, export_w, export_w + 800.0, export_w + 800.0) for tick in range(101)]
    return Run(level_w, 0.0, 30.0, tuple(samples), **fields)


def test_the_page_is_whole_needs_nothing_else_and_escapes_what_others_wrote() -> None:
    runs = [
        a_run(5000.0, 5000.0, switched=(20.0,)),
        a_run(1500.0, 4000.0),
        a_run(0.0, 0.0, tighter="a <b> source"),
    ]
    judged = [judge(run, RATED_W) for run in runs]
    home = site(site={**SITE["site"], "name": "<script>Shed"})
    capability = m.InverterCapability(issued_at=NOW, max_w=RATED_W, manufacturer="M&M", model="X")
    text = page(Report(home, NOW, runs, judged, True, {"roof": capability}, safe_w=1500.0))
    parsed = Page()
    parsed.feed(text)
    assert parsed.open == []
    assert parsed.fetched == []
    assert parsed.count["svg"] == 3
    assert "script" not in parsed.count
    assert "1 of 3 levels passed, 1 failed, 1 not testable" in text
    assert "a &lt;b&gt; source" in text
    assert "M&amp;M X" in text
    assert "export was then held at 1500 W" in text
    assert "400 W is 4 % of the 10000 W" in text


def test_the_page_of_a_test_that_ended_at_once_is_whole_too() -> None:
    run = Run(0.0, 0.0, 30.0, (), trouble="interrupted")
    judged = [judge(run, RATED_W)]
    assert summary(judged) == "0 of 1 levels passed, 1 aborted"
    assert "<svg" in page(Report(site(), NOW, [run], judged, False, {}))


@pytest.mark.parametrize(
    ("sections", "words", "said"),
    [
        ({"sources": {}}, [], "`manual` is no preference"),
        ({"control": {"enabled": False}}, [], "control.enabled is false"),
        ({}, ["--levels", "much"], "watts with commas"),
        ({}, ["--levels", "-1"], "0 W or more"),
        ({}, ["--out", "/nowhere/at/all.html"], "cannot be written"),
    ],
)
def test_what_speaks_against_it_is_said_before_anything_is_sent(
    tmp_path: Path, sections: dict[str, Any], words: list[str], said: str
) -> None:
    path = tmp_path / "site.yaml"
    YAML().dump({**SITE, **sections}, path)
    done = CliRunner().invoke(application(), ["commission", "--yes", *words, "--config", str(path)])
    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("│", " ").split())


CONTROL = ("site_simulator", "meter_reader", "inverter_writer", "limit_engine")


def running(stack: Any, **agreement: float) -> Path:
    stack.site["agreement"] |= agreement
    stack.site["simulator"] |= {"load_w": 1000}
    stack.write()
    stack.start(*CONTROL)
    stack.wait_for("setpoint/roof")
    SystemClock().sleep(15.0)
    out: Path = stack.directory / "report.html"
    return out


@pytest.mark.integration
def test_a_simulated_site_reaches_and_holds_each_level_or_says_why_not(stack: Any) -> None:
    out = running(stack, export_limit_w=8000.0)
    words = ("--levels", "10000,5000,0", "--hold", "10", "--no-load-switching", "--out", str(out))
    done = stack.run("commission", "--yes", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not testable: agreement limits export to 8000 W" in done.stdout
    assert done.stdout.count("passed: reached in") == 2
    assert "2 of 3 levels passed, 1 not testable" in out.read_text()
    assert stack.wait_for("active").count(b'"export_limit_source":"agreement"') == 1  # ours is taken back


@pytest.mark.integration
def test_a_load_is_switched_by_the_person_who_is_asked(stack: Any) -> None:
    out = running(stack)
    command = [
        sys.executable,
        "-m",
        "dynexport.cli",
        "commission",
        "--yes",
        "--levels",
        "1500",
        "--hold",
        "10",
    ]
    command += ["--out", str(out), "--config", str(stack.config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "please switch on" in line:
                stack.run("fault", "load_w", "--value", "3000")
            if "please switch off" in line:
                stack.run("fault", "load_w", "--value", "1000")
    assert process.returncode == 0
    assert out.read_text().count('<line class="switch"') == 2


@pytest.mark.integration
def test_a_controllable_load_is_switched_by_its_limit_and_nobody_is_asked(stack: Any) -> None:
    stack.site["loads"] = [{"id": "boiler", "rated_w": 2000}]
    out = running(stack)
    done = stack.run(
        "commission", "--yes", "--levels", "1500", "--hold", "20", "--out", str(out), within_s=200.0
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "please" not in done.stdout
    assert "the controllable loads go on" in done.stdout
    assert done.stdout.count("seen: the house uses") == 2
    assert out.read_text().count('<line class="switch"') == 2


@pytest.mark.integration
def test_ctrl_c_leaves_the_failsafe_in_force_and_a_report(stack: Any) -> None:
    out = running(stack)
    command = [sys.executable, "-m", "dynexport.cli", "commission", "--yes", "--levels", "4000"]
    command += ["--out", str(out), "--config", str(stack.config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        SystemClock().sleep(20.0)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "ABORTED: interrupted" in said
    assert "export is held at 1500 W for 5 min" in said
    assert "was then held at 1500 W" in out.read_text()
    limit = m.Limit.model_validate_json(stack.wait_for("limit/manual"))
    assert (limit.export_limit_w, limit.ttl_s) == (1500.0, 300.0)
    assert limit.until is not None
    assert limit.issued_at is not None
    assert limit.until - limit.issued_at == timedelta(seconds=300)


@pytest.mark.integration
def test_a_meter_that_is_lost_aborts_to_the_failsafe_and_never_above_the_level(stack: Any) -> None:
    out = running(stack)
    command = [sys.executable, "-m", "dynexport.cli", "commission", "--yes", "--levels", "500"]
    command += ["--out", str(out), "--config", str(stack.config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        SystemClock().sleep(20.0)
        stack.stop("meter_reader")
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "ABORTED:" in said
    assert "export is held at 500 W" in said
