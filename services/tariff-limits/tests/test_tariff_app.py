"""The service on a fake bus: what it states, when, for how long, and when it says nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dynexport import topics
from dynexport.clock import FakeClock
from dynexport.messages import Limit, TariffStatus
from dynexport.service import Moment
from dynexport.testing import builders
from dynexport.testing.context import codes, fake_context
from tariff_limits.app import build
from tariff_limits.windows import plan
from tariff_limits.words import reason

ADELAIDE = ZoneInfo("Australia/Adelaide")
SUN = {"name": "Two-way tariff", "start": "10:00", "end": "16:00", "export_limit_w": 1500}
YEARS_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def at(wall: str) -> datetime:
    return datetime.fromisoformat(wall).replace(tzinfo=ADELAIDE).astimezone(UTC)


class Bench:
    """The service, driven as the frame does: never waiting longer than it wishes, nor than a second."""

    def __init__(self, start: datetime, *windows: dict[str, Any], tariff: bool = True) -> None:
        self.clock = FakeClock(start)
        sections = {"tariff": {"windows": list(windows)}} if tariff else {}
        sources = {"tariff": {"kind": "preference"}}
        site = builders.site(sources=sources, **sections)
        self.context, self.bus = fake_context("tariff-limits", site, self.clock)
        self.service = build(self.context)
        self.service.start()
        self.service.connected(self.context.moment())
        self.wish_s = 0.0

    def step(self) -> None:
        self.wish_s = self.service.step(self.bus.drain(), Moment(self.clock.now(), self.clock.mono()))

    def run(self, seconds: float) -> None:
        end = self.clock.mono() + seconds
        while self.clock.mono() < end:
            self.step()
            self.clock.advance(max(0.001, min(self.wish_s, 1.0, end - self.clock.mono())))
        self.step()

    @property
    def limits(self) -> list[Limit]:
        return [limit for limit in self.bus.all(topics.LIMIT, "tariff") if isinstance(limit, Limit)]

    @property
    def status(self) -> list[TariffStatus]:
        return [said for said in self.bus.all(topics.TARIFF_STATUS) if isinstance(said, TariffStatus)]

    @property
    def codes(self) -> list[str]:
        return codes(self.bus, "tariff-limits")


def test_inside_a_window_its_limit_is_stated_with_the_reason_and_the_end() -> None:
    bench = Bench(at("2026-12-01 11:00"), SUN)
    bench.step()
    (limit,) = bench.limits
    assert limit.export_limit_w == 1500
    assert not limit.states("generation_limit_w")
    assert limit.until == at("2026-12-01 16:00")
    assert limit.ttl_s == 60
    assert limit.issued_at == bench.clock.now()
    assert limit.reason == "Two-way tariff: export limited to 1500 W until 16:00"


def test_outside_its_windows_it_states_null_for_what_they_may_set() -> None:
    bench = Bench(at("2026-12-01 17:00"), SUN)
    bench.step()
    (limit,) = bench.limits
    assert limit.states("export_limit_w")
    assert limit.export_limit_w is None
    assert not limit.states("generation_limit_w")
    assert limit.reason == "Tariff: no limit until 10:00 tomorrow"


def test_it_is_said_every_10_s() -> None:
    bench = Bench(at("2026-12-01 11:00"), SUN)
    bench.run(30.0)
    issued = [limit.issued_at.timestamp() for limit in bench.limits if limit.issued_at]
    assert [later - sooner for sooner, later in pairwise(issued)] == pytest.approx([10.0] * 3)
    assert len(bench.status) == 1


def test_a_boundary_is_said_at_once() -> None:
    bench = Bench(at("2026-12-01 15:59:54.321"), SUN)
    bench.run(10.0)
    (change,) = [limit for limit in bench.limits if limit.export_limit_w is None]
    assert change.issued_at is not None
    assert 0.0 <= (change.issued_at - at("2026-12-01 16:00")).total_seconds() < 0.02


def test_no_statement_outlives_its_truth_by_more_than_2_s() -> None:
    bench = Bench(at("2026-12-01 15:58:30"), SUN)
    bench.run(120.0)
    assert any(limit.ttl_s is not None and limit.ttl_s < 60 for limit in bench.limits)
    for limit in bench.limits:
        assert limit.issued_at is not None
        assert limit.until is not None
        assert limit.ttl_s
        end = limit.issued_at + timedelta(seconds=limit.ttl_s)
        assert end <= limit.until + timedelta(seconds=2)


def test_the_status_names_the_window_and_the_next_limit() -> None:
    bench = Bench(at("2026-12-01 11:00"), SUN)
    bench.step()
    (status,) = bench.status
    assert (status.window, status.export_limit_w) == ("Two-way tariff", 1500)
    assert status.until == at("2026-12-01 16:00")
    assert (status.next_at, status.next_export_limit_w) == (at("2026-12-02 10:00"), 1500)


def test_after_a_reconnect_everything_is_said_afresh() -> None:
    bench = Bench(at("2026-12-01 11:00"), SUN)
    bench.step()
    bench.clock.advance(1.0)
    bench.service.connected(bench.context.moment())
    bench.step()
    assert len(bench.limits) == len(bench.status) == 2


def test_without_a_clock_to_trust_nothing_is_stated_and_nothing_withdrawn() -> None:
    bench = Bench(YEARS_AGO, SUN)
    bench.run(30.0)
    bench.service.stop(bench.context.moment())
    assert bench.bus.all(topics.LIMIT, "tariff") == []
    assert bench.bus.all(topics.TARIFF_STATUS) == []
    assert bench.codes == ["clock_untrusted"]


def test_a_clock_that_becomes_right_is_believed_at_once() -> None:
    bench = Bench(YEARS_AGO, SUN)
    bench.step()
    bench.clock.step_wall((at("2026-12-01 11:00") - bench.clock.now()).total_seconds())
    bench.step()
    assert [limit.export_limit_w for limit in bench.limits] == [1500]
    assert bench.codes == ["clock_untrusted", "clock_trusted"]


@pytest.mark.parametrize(
    ("start", "to"), [("2026-12-01 11:00", "2026-12-01 17:00"), ("2026-12-01 17:00", "2026-12-01 09:00")]
)
def test_a_step_of_the_clock_is_re_evaluated_at_once(start: str, to: str) -> None:
    bench = Bench(at(start), SUN)
    bench.step()
    bench.clock.advance(1.0)
    bench.clock.step_wall((at(to) - bench.clock.now()).total_seconds())
    bench.step()
    assert len(bench.limits) == 2
    assert bench.limits[-1].until != bench.limits[0].until
    assert bench.limits[-1].export_limit_w is None


def test_a_step_inside_the_window_shortens_the_deadline_at_once() -> None:
    bench = Bench(at("2026-12-01 11:00"), SUN)
    bench.step()
    bench.clock.advance(1.0)
    bench.clock.step_wall((at("2026-12-01 15:59:50") - bench.clock.now()).total_seconds())
    bench.step()
    assert bench.limits[-1].ttl_s == 12.0


def test_a_site_without_windows_is_idle_and_says_so_once() -> None:
    bench = Bench(at("2026-12-01 11:00"), tariff=False)
    bench.run(30.0)
    bench.service.stop(bench.context.moment())
    assert bench.codes == ["idle"]
    assert bench.limits == []
    assert bench.bus.all(topics.LIMIT, "tariff") == []


def test_a_stop_withdraws_the_limit_and_the_status() -> None:
    bench = Bench(at("2026-12-01 11:00"), SUN)
    bench.step()
    bench.service.stop(bench.context.moment())
    assert bench.bus.last(topics.LIMIT, "tariff") is None
    assert bench.bus.last(topics.TARIFF_STATUS) is None


@pytest.mark.parametrize(
    ("windows", "now", "words"),
    [
        ([{**SUN, "export_limit_w": 0}], "2026-12-01 11:00", "Two-way tariff: no export until 16:00"),
        ([{**SUN, "name": ""}], "2026-12-01 11:00", "Tariff: export limited to 1500 W until 16:00"),
        ([{**SUN, "end": "00:00"}], "2026-12-01 11:00", "Two-way tariff: export limited to 1500 W until midnight"),
        ([{**SUN, "end": "08:00"}], "2026-12-01 11:00",
         "Two-way tariff: export limited to 1500 W until 08:00 tomorrow"),
        ([{**SUN, "start": "00:00", "end": "00:00"}], "2026-12-01 11:00",
         "Two-way tariff: export limited to 1500 W"),
        ([{**SUN, "months": [4]}], "2026-12-01 11:00", "Tariff: no limit until 10:00 on 1 April"),
        ([SUN, {"name": "Works", "start": "12:00", "end": "14:00", "generation_limit_w": 3000}],
         "2026-12-01 13:00",
         "Two-way tariff and Works: export limited to 1500 W until 16:00, generation limited to 3000 W until 14:00"),
    ],
)  # fmt: skip
def test_the_reason_is_in_words_of_a_householder(windows: list[dict[str, Any]], now: str, words: str) -> None:
    tariff = builders.site(tariff={"windows": windows}).tariff
    assert tariff is not None
    assert reason(plan(tariff.windows, ADELAIDE, at(now)), ADELAIDE, at(now)) == words
