"""A Powerwall gateway over real TLS: its pin, its login, and everything that it may refuse."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dynexport import topics
from dynexport.clock import FakeClock, SystemClock
from dynexport.messages import BatteryReading, Event, MeterReading
from dynexport.service import Context, Moment
from dynexport.settings.load import masked
from dynexport.testing.builders import site
from dynexport.testing.context import codes, fake_context
from dynexport.testing.fakebus import FakeBus
from meter_reader.app import build
from meter_reader.web import Trouble, WebReading
from meter_reader.web_meter import WebMeterReader

PASSWORD, TOKEN = "pa55-w0rd-of-the-house", "t0ken-of-the-session"
Start = Callable[..., Any]


@dataclass
class House:
    """What the gateway answers: by path, or for the login; `deny` are the statuses of the next documents."""

    clock: FakeClock | SystemClock
    power_w: float = -1200.0
    grid: str = "SystemGridConnected"
    behind: timedelta = timedelta(0)
    age: timedelta = timedelta(seconds=0.3)
    login: tuple[int, dict[str, str], Any] = (200, {}, {"token": TOKEN})
    deny: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    instead: dict[str, Any] = field(default_factory=dict)

    def __call__(self, asked: Any) -> tuple[int, dict[str, str], Any]:
        now = self.clock.now() - self.behind
        date = {"Date": now.strftime("%a, %d %b %Y %H:%M:%S GMT")}
        if asked.path == "/api/login/Basic":
            status, headers, said = self.login
            return status, {**date, **headers}, said
        if self.deny:
            status, headers = self.deny.pop(0)
            return status, headers, {}
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return 403, {}, {"code": 403}
        if asked.path in self.missing:
            return 404, {}, {}
        return 200, date, self.instead.get(asked.path, self.document(asked.path, now - self.age))

    def document(self, path: str, moment: datetime) -> Any:
        said = {"last_communication_time": moment.isoformat(), "instant_power": self.power_w}
        battery = {"last_communication_time": moment.isoformat(), "instant_power": 500}
        return {
            "/api/meters/site": [{"Cached_readings": {**said, "real_power_a": self.power_w}}],
            "/api/meters/aggregates": {"site": said, "battery": battery},
            "/api/system_status/soe": {"percentage": 70},
            "/api/system_status/grid_status": {"grid_status": self.grid},
        }[path]


@dataclass
class Bench:
    """A reader without its thread: `read` is one poll and one step of the service."""

    device: Any
    house: House
    clock: FakeClock | SystemClock
    reader: WebMeterReader
    context: Context
    bus: FakeBus
    folder: Path

    def read(self) -> WebReading | Trouble:
        poller = self.reader.poller
        pause_s = poller._turn(self.clock.mono())
        found = poller.found[-1]
        self.reader.step([], Moment(self.clock.now(), self.clock.mono()))
        self.pause_s = pause_s
        return found

    def reading(self) -> MeterReading:
        said = self.bus.last(topics.METER_READING)
        assert isinstance(said, MeterReading)
        return said

    def events(self) -> list[str]:
        return codes(self.bus, "meter-reader")

    @property
    def logins(self) -> int:
        return self.device.paths().count("POST /api/login/Basic")

    @property
    def pins(self) -> Path:
        return self.folder / "meter-reader" / "pins.json"


@pytest.fixture
def bench(web_device: Start, self_signed: Start, tmp_path: Path) -> Callable[..., Bench]:
    def start(*, real: bool = False, battery: bool = False, **more: Any) -> Bench:
        clock = SystemClock() if real else FakeClock()
        house = House(clock)
        device = web_device(house, tls=self_signed(tmp_path / "gateway.pem"))
        section = {
            "driver": "powerwall",
            "host": "127.0.0.1",
            "port": device.port,
            "password": PASSWORD,
            **more,
        }
        shape = site(
            site={"name": "T", "time_zone": "Australia/Adelaide", "state_dir": str(tmp_path / "state")},
            meter=section,
            batteries=[{"id": "powerwall", "rated_w": 5000, "source": "meter"}] if battery else [],
        )
        context, bus = fake_context("meter-reader", shape, clock)
        reader = build(context)
        assert isinstance(reader, WebMeterReader)
        return Bench(device, house, clock, reader, context, bus, tmp_path / "state")

    return start


def test_a_reading_is_published_with_its_phase_its_own_time_and_the_grid(bench: Start) -> None:
    home = bench()
    home.read()
    reading = home.reading()
    assert (reading.power_w, reading.power_a_w, reading.islanded) == (-1200.0, -1200.0, False)
    assert reading.measured_at == home.clock.now() - timedelta(seconds=0.3)
    assert home.device.paths() == [
        "POST /api/login/Basic",
        "GET /api/meters/site",
        "GET /api/system_status/grid_status",
    ]


def test_the_login_is_the_customers_and_token_and_cookie_go_with_every_question(bench: Start) -> None:
    home = bench(email="me@example.com")
    home.read()
    login, *questions = home.device.asked
    asked = json.loads(login.body)
    assert (asked["username"], asked["email"], asked["password"]) == ("customer", "me@example.com", PASSWORD)
    assert {each.headers["authorization"] for each in questions} == {f"Bearer {TOKEN}"}
    assert {each.headers["cookie"] for each in questions} == {f"AuthCookie={TOKEN}"}


def test_the_battery_is_read_only_where_it_is_listed_and_its_charge_now_and_then(bench: Start) -> None:
    home = bench(battery=True)
    for _ in range(3):
        home.clock.advance(2.0)
        home.read()
    said = home.bus.last(topics.BATTERY_READING, "powerwall")
    assert isinstance(said, BatteryReading)
    assert (said.power_w, said.soc_pct) == (500.0, 70.0)
    assert home.device.paths().count("GET /api/system_status/soe") == 1


def test_islanded_is_said(bench: Start) -> None:
    home = bench()
    home.house.grid = "SystemIslandedActive"
    home.read()
    assert home.reading().islanded is True


def test_the_same_reading_again_is_no_news_and_an_old_one_is_said_and_dropped(bench: Start) -> None:
    home = bench()
    home.read()
    frozen = home.house.document("/api/meters/site", home.clock.now() - timedelta(seconds=0.3))
    home.house.instead["/api/meters/site"] = frozen
    for _ in range(4):
        home.clock.advance(2.0)
        home.read()
    assert len(home.bus.all(topics.METER_READING)) == 1
    assert home.events().count("meter_stale") == 1


def test_a_gateway_whose_clock_is_wrong_is_read_by_ours_and_that_is_said_once(bench: Start) -> None:
    home = bench()
    home.house.behind = timedelta(hours=1)
    for _ in range(12):
        home.clock.advance(1.37)
        home.read()
    age_s = (home.clock.now() - home.reading().measured_at).total_seconds()
    assert 0.3 <= age_s < 0.8
    assert home.events().count("meter_clock") == 1


def test_a_gateway_whose_clock_is_wrong_does_not_make_an_old_reading_young(bench: Start) -> None:
    home = bench()
    home.house.behind, home.house.age = timedelta(hours=-1), timedelta(seconds=30)
    home.read()
    assert home.bus.all(topics.METER_READING) == []
    assert "meter_stale" in home.events()


def test_the_first_certificate_is_pinned_and_said(bench: Start) -> None:
    home = bench()
    home.read()
    (pinned,) = json.loads(home.pins.read_text()).values()
    assert len(pinned) == 64
    assert "meter_certificate_pinned" in home.events()


def test_another_certificate_is_refused_before_a_password_is_sent(
    bench: Start, self_signed: Start, tmp_path: Path
) -> None:
    home = bench()
    home.read()
    home.reader.poller.device.close()
    home.device.tls = self_signed(tmp_path / "other.pem")
    asked = len(home.device.asked)
    found = home.read()
    assert isinstance(found, Trouble)
    assert found.code == "certificate"
    assert str(home.pins) in str(found)
    assert len(home.device.asked) == asked
    assert "meter_certificate" in home.events()


def test_another_certificate_is_refused_at_the_first_login_too(
    bench: Start, self_signed: Start, tmp_path: Path
) -> None:
    home = bench()
    home.pins.parent.mkdir(parents=True)
    home.pins.write_text(json.dumps({f"127.0.0.1:{home.device.port}": "0" * 64}))
    assert isinstance(home.read(), Trouble)
    assert home.device.asked == []


def test_an_owner_who_takes_the_pin_out_accepts_the_new_certificate(
    bench: Start, self_signed: Start, tmp_path: Path
) -> None:
    home = bench()
    home.read()
    home.reader.poller.device.close()
    home.device.tls = self_signed(tmp_path / "other.pem")
    assert isinstance(home.read(), Trouble)
    home.pins.unlink()
    assert isinstance(home.read(), WebReading)


def test_without_a_readable_or_writable_pin_no_password_is_sent(bench: Start) -> None:
    home = bench()
    home.folder.write_text("a file where the folder should be")
    found = home.read()
    assert isinstance(found, Trouble)
    assert found.code == "certificate"
    home.folder.unlink()
    home.pins.parent.mkdir(parents=True)
    home.pins.write_text("no JSON")
    found = home.read()
    assert isinstance(found, Trouble)
    assert "is not JSON" in str(found)
    assert home.device.asked == []


def test_a_token_that_is_refused_is_answered_by_exactly_one_login(bench: Start) -> None:
    home = bench()
    home.read()
    home.clock.advance(120.0)
    home.house.deny = [(401, {})]
    assert isinstance(home.read(), WebReading)
    assert home.logins == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_refused_right_after_its_login_is_a_pause_of_5_min(bench: Start, status: int) -> None:
    home = bench()
    home.house.deny = [(status, {}), (status, {})]
    found = home.read()
    assert isinstance(found, Trouble)
    assert (found.code, home.pause_s, home.logins) == ("login", 300.0, 1)


def test_a_session_that_ends_at_once_again_and_again_is_a_pause_and_no_stream_of_logins(bench: Start) -> None:
    home = bench()
    home.read()
    home.clock.advance(2.0)
    home.house.deny = [(403, {})]
    assert isinstance(home.read(), Trouble)
    assert (home.pause_s, home.logins) == (300.0, 1)


def test_a_refused_password_is_tried_again_after_15_min_only_and_said_with_what_to_do(bench: Start) -> None:
    home = bench()
    home.house.login = (401, {}, {"code": 401})
    found = home.read()
    assert isinstance(found, Trouble)
    assert "meter.password" in str(found)
    assert (home.pause_s, home.logins) == (900.0, 1)
    assert "meter_login" in home.events()


@pytest.mark.parametrize(("headers", "pause_s"), [({}, 300.0), ({"Retry-After": "77"}, 77.0)])
def test_429_is_a_pause_as_long_as_it_asks_for(bench: Start, headers: dict[str, str], pause_s: float) -> None:
    home = bench()
    home.read()
    home.house.deny = [(429, headers)]
    assert isinstance(home.read(), Trouble)
    assert home.pause_s == pause_s
    assert "meter_rate_limited" in home.events()


def test_429_to_the_login_is_a_pause_too(bench: Start) -> None:
    home = bench()
    home.house.login = (429, {"Retry-After": "120"}, {})
    assert isinstance(home.read(), Trouble)
    assert home.pause_s == 120.0


def test_failures_are_asked_again_at_the_next_poll_and_then_after_8_s_at_most(bench: Start) -> None:
    home = bench()
    home.house.login = (503, {}, {})
    pauses = []
    for _ in range(5):
        home.read()
        pauses.append(home.pause_s)
        home.clock.advance(10.0)
    assert pauses == [2.0, 4.0, 8.0, 8.0, 8.0]
    assert home.events().count("meter_error") == 1


def test_software_without_the_detailed_meters_is_read_by_the_aggregates(bench: Start) -> None:
    home = bench()
    home.house.missing = {"/api/meters/site", "/api/system_status/grid_status"}
    for _ in range(3):
        home.clock.advance(2.0)
        home.read()
    assert (home.reading().power_w, home.reading().power_a_w, home.reading().islanded) == (
        -1200.0,
        None,
        None,
    )
    assert home.device.paths().count("GET /api/meters/site") == 1


@pytest.mark.parametrize("said", [b"{", b"null", {"grid_status": 1}])
def test_a_grid_status_that_makes_no_sense_is_left_out_and_the_reading_counts(
    bench: Start, said: Any
) -> None:
    home = bench()
    home.house.instead["/api/system_status/grid_status"] = said
    home.read()
    assert home.reading().islanded is None
    assert home.events()[-1] == "meter_fields"


@pytest.mark.parametrize("said", [b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b"1" * 400_000])
def test_garbage_is_dropped_and_said(bench: Start, said: bytes) -> None:
    home = bench()
    home.house.instead["/api/meters/site"] = said
    assert isinstance(home.read(), Trouble)
    assert home.bus.all(topics.METER_READING) == []
    assert {"meter_refused", "meter_error"} & set(home.events())


def test_a_power_beyond_all_sense_is_dropped(bench: Start) -> None:
    home = bench()
    home.house.power_w = 1e12
    home.read()
    assert home.bus.all(topics.METER_READING) == []
    assert "meter_refused" in home.events()


def test_a_redirection_is_not_followed(bench: Start, web_device: Start) -> None:
    elsewhere = web_device(lambda asked: (200, {}, {"token": "stolen"}))
    home = bench()
    home.house.login = (302, {"Location": f"http://127.0.0.1:{elsewhere.port}/"}, {})
    assert isinstance(home.read(), Trouble)
    assert elsewhere.asked == []


def test_an_answer_that_never_ends_is_cut(bench: Start) -> None:
    home = bench(real=True)
    home.read()
    done = threading.Event()
    home.house.instead["/api/meters/site"] = [{"Cached_readings": {}}]
    original = home.device.script

    def slow(asked: Any) -> Any:
        done.wait(1.5)
        return original(asked)

    home.device.script = slow
    began = home.clock.mono()
    cutter = threading.Timer(0.3, home.reader.poller.device.cut)
    cutter.start()
    assert isinstance(home.read(), Trouble)
    done.set()
    cutter.join()
    assert home.clock.mono() - began < 1.4


def test_no_secret_is_in_any_log_event_or_exception(
    bench: Start, caplog: pytest.LogCaptureFixture, self_signed: Start, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    home = bench(battery=True)
    texts = [repr(home.read())]
    for step in (
        lambda: home.house.deny.extend([(401, {}), (401, {})]),
        lambda: home.house.deny.append((429, {})),
        lambda: home.house.deny.append((500, {})),
        lambda: setattr(home.house, "login", (401, {}, {"echo": PASSWORD})),
        lambda: setattr(home.house, "login", (500, {}, PASSWORD.encode())),
        lambda: setattr(home.house, "login", (200, {}, {"token": [TOKEN, PASSWORD]})),
        lambda: setattr(home.house, "login", (200, {}, f"{TOKEN} {PASSWORD}".encode())),
        lambda: setattr(home.device, "tls", self_signed(tmp_path / "other.pem")),
    ):
        step()
        home.clock.advance(1000.0)
        home.reader.poller.device.close()
        found = home.read()
        cause: BaseException | None = found if isinstance(found, Trouble) else None
        while cause is not None:
            texts.append(repr(cause))
            cause = cause.__cause__ or cause.__context__
    events = [
        event.message for event in home.bus.all(topics.EVENT, "meter-reader") if isinstance(event, Event)
    ]
    said = [
        *texts,
        *events,
        *(str(vars(record)) for record in caplog.records),
        json.dumps(masked(home.context.site)),
    ]
    assert len(events) > 4
    assert not [text for text in said if PASSWORD in text or TOKEN in text]


def test_the_thread_reads_by_itself_and_stops(bench: Start) -> None:
    home = bench(real=True, poll_s=1.0)
    home.reader.start()
    end = home.clock.mono() + 5.0
    while not home.bus.all(topics.METER_READING) and home.clock.mono() < end:
        home.clock.sleep(0.02)
        home.reader.step([], home.context.moment())
    assert home.reading().power_w == -1200.0
    home.reader.stop(home.context.moment())
    assert not home.reader.poller.is_alive()
