"""When a window is in force, and when that changes: truth tables, clock changes, and the property of `until`."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynexport.settings.models import TariffWindow
from tariff_limits.windows import DAYS, LOOK_AHEAD_DAYS, Limits, limits_at, plan

ADELAIDE = ZoneInfo(
    "Australia/Adelaide"
)  # UTC+9:30, in summer +10:30; changes on 4 October 2026 and 4 April 2027
MINUTE = timedelta(minutes=1)


def window(start: str, end: str, export: float | None = 1500.0, **fields: Any) -> TariffWindow:
    return TariffWindow.model_validate({"start": start, "end": end, "export_limit_w": export, **fields})


def at(wall: str, fold: int = 0, zone: ZoneInfo = ADELAIDE) -> datetime:
    return datetime.fromisoformat(wall).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def export(windows: list[TariffWindow], wall: str, fold: int = 0) -> float | None:
    return limits_at(windows, ADELAIDE, at(wall, fold)).export_limit_w


@pytest.mark.parametrize(
    ("one", "wall", "inside"),
    [
        # the first moment belongs to it, the last does not
        (window("10:00", "16:00"), "2026-12-01 09:59:59.999", False),
        (window("10:00", "16:00"), "2026-12-01 10:00", True),
        (window("10:00", "16:00"), "2026-12-01 15:59:59.999", True),
        (window("10:00", "16:00"), "2026-12-01 16:00", False),
        # until midnight, and past it
        (window("22:00", "00:00"), "2026-12-01 23:59:59", True),
        (window("22:00", "00:00"), "2026-12-02 00:00", False),
        (window("22:00", "06:00"), "2026-12-02 05:59", True),
        (window("22:00", "06:00"), "2026-12-02 06:00", False),
        # past midnight it belongs to the day and the month in which it starts (1 December 2026 is a Tuesday)
        (window("22:00", "06:00", days=["mon"]), "2026-12-01 05:00", True),
        (window("22:00", "06:00", days=["mon"]), "2026-12-01 22:30", False),
        (window("22:00", "06:00", days=["tue"]), "2026-12-01 05:00", False),
        (window("22:00", "06:00", months=[11]), "2026-12-01 05:00", True),
        (window("22:00", "06:00", months=[12]), "2026-12-01 05:00", False),
        (window("22:00", "06:00", months=[12]), "2027-01-01 05:00", True),
        # start == end is 24 hours from then
        (window("00:00", "00:00", days=["tue"]), "2026-12-01 00:00", True),
        (window("00:00", "00:00", days=["tue"]), "2026-12-01 23:59", True),
        (window("00:00", "00:00", days=["tue"]), "2026-12-02 00:00", False),
        (window("10:00", "10:00", days=["tue"]), "2026-12-01 09:59", False),
        (window("10:00", "10:00", days=["tue"]), "2026-12-02 09:59", True),
        (window("10:00", "10:00", days=["tue"]), "2026-12-02 10:00", False),
        # days and months
        (window("10:00", "16:00", days=["sat", "sun"]), "2026-12-01 12:00", False),
        (window("10:00", "16:00", days=["sat", "sun"]), "2026-12-05 12:00", True),
        (window("10:00", "16:00", months=[11, 12]), "2026-12-31 12:00", True),
        (window("10:00", "16:00", months=[11, 12]), "2027-01-01 12:00", False),
    ],
)  # fmt: skip
def test_a_window_is_in_force(one: TariffWindow, wall: str, inside: bool) -> None:
    assert export([one], wall) == (1500.0 if inside else None)


def test_per_attribute_the_smallest_of_all_windows_in_force_counts() -> None:
    windows = [
        window("10:00", "16:00", 1500, name="Sun"),
        window("12:00", "14:00", 500, generation_limit_w=8000, name="Peak"),
        window("13:00", "15:00", None, generation_limit_w=3000, name="Works"),
        window("09:00", "17:00", 5000, name="Loose"),
    ]
    found = limits_at(windows, ADELAIDE, at("2026-12-01 13:30"))
    assert found == Limits(500, 3000)
    assert found.names == ("Peak", "Works")


@pytest.mark.parametrize(
    ("one", "wall", "inside"),
    [
        # on 4 October 2026 the clock goes from 02:00 to 03:00: what lies inside does not happen
        (window("02:15", "02:45"), "2026-10-04 01:59:59", False),
        (window("02:15", "02:45"), "2026-10-04 03:00", False),
        (window("02:15", "02:45"), "2026-10-04 03:30", False),
        # what starts inside starts when the clock has jumped over it, what ends inside has ended
        (window("02:30", "05:00"), "2026-10-04 01:59:59", False),
        (window("02:30", "05:00"), "2026-10-04 03:00", True),
        (window("01:00", "02:30"), "2026-10-04 01:59:59", True),
        (window("01:00", "02:30"), "2026-10-04 03:00", False),
    ],
)
def test_in_spring_the_skipped_hour_does_not_happen(one: TariffWindow, wall: str, inside: bool) -> None:
    assert export([one], wall) == (1500.0 if inside else None)


@pytest.mark.parametrize(
    ("wall", "fold", "inside"),
    [
        # on 4 April 2027 the clock goes from 03:00 back to 02:00: it shows every time between twice
        ("2027-04-04 02:14", 0, False), ("2027-04-04 02:15", 0, True), ("2027-04-04 02:45", 0, False),
        ("2027-04-04 02:14", 1, False), ("2027-04-04 02:15", 1, True), ("2027-04-04 02:45", 1, False),
    ],
)  # fmt: skip
def test_in_autumn_the_repeated_hour_counts_twice(wall: str, fold: int, inside: bool) -> None:
    assert export([window("02:15", "02:45")], wall, fold) == (1500.0 if inside else None)


@pytest.mark.parametrize(
    ("one", "now", "until"),
    [
        (window("10:00", "16:00"), "2026-12-01 11:00", at("2026-12-01 16:00")),
        (window("10:00", "16:00"), "2026-12-01 16:00", at("2026-12-02 10:00")),
        (window("10:00", "16:00", days=["mon"]), "2026-12-01 16:00", at("2026-12-07 10:00")),
        (window("10:00", "16:00", months=[11]), "2026-12-01 16:00", at("2027-11-01 10:00")),
        (window("22:00", "06:00", days=["mon"]), "2026-12-01 01:00", at("2026-12-01 06:00")),
        # over a change of the clock: by the wall, not by the number of hours
        (window("10:00", "16:00"), "2026-10-03 17:00", at("2026-10-04 10:00")),
        (window("22:00", "06:00"), "2026-10-03 23:00", at("2026-10-03 23:00") + timedelta(hours=6)),
        (window("22:00", "06:00"), "2027-04-03 23:00", at("2027-04-03 23:00") + timedelta(hours=8)),
        (window("01:00", "02:30"), "2026-10-04 01:30", at("2026-10-04 01:30") + timedelta(minutes=30)),
        (window("02:30", "05:00"), "2026-10-04 01:30", at("2026-10-04 01:30") + timedelta(minutes=30)),
        (window("02:15", "02:45"), "2027-04-04 02:50", at("2027-04-04 02:15", fold=1)),
        # it comes back each day, so it never ends
        (window("00:00", "00:00"), "2026-12-01 11:00", None),
    ],
)  # fmt: skip
def test_until_is_when_the_limits_change(one: TariffWindow, now: str, until: datetime | None) -> None:
    assert plan([one], ADELAIDE, at(now)).until == until


def test_windows_that_join_with_the_same_limit_do_not_change_anything() -> None:
    windows = [window("10:00", "13:00"), window("13:00", "16:00"), window("11:00", "12:00", 4000)]
    assert plan(windows, ADELAIDE, at("2026-12-01 10:30")).until == at("2026-12-01 16:00")


def test_each_attribute_has_its_own_end() -> None:
    windows = [window("10:00", "16:00"), window("12:00", "14:00", None, generation_limit_w=3000)]
    found = plan(windows, ADELAIDE, at("2026-12-01 13:00"))
    assert found.until == found.generation_until == at("2026-12-01 14:00")
    assert found.export_until == at("2026-12-01 16:00")


def test_the_next_limit_is_the_next_stretch_that_limits_anything() -> None:
    windows = [window("10:00", "16:00", 1500), window("18:00", "20:00", 0)]
    inside = plan(windows, ADELAIDE, at("2026-12-01 11:00")).coming
    assert inside is not None
    assert (inside.at, inside.limits.export_limit_w) == (at("2026-12-01 18:00"), 0)
    outside = plan(windows, ADELAIDE, at("2026-12-01 21:00")).coming
    assert outside is not None
    assert (outside.at, outside.limits.export_limit_w) == (at("2026-12-02 10:00"), 1500)


def test_a_plan_holds_from_its_moment_until_before_the_change() -> None:
    found = plan([window("10:00", "16:00")], ADELAIDE, at("2026-12-01 11:00"))
    assert found.holds(at("2026-12-01 15:59:59.999"))
    assert not found.holds(at("2026-12-01 16:00"))
    assert not found.holds(at("2026-12-01 10:59:59"))


# quarters of an hour, most of them near the hours that the clock skips or repeats
TIMES = (st.integers(5, 14) | st.integers(0, 95)).map(lambda n: f"{n // 4:02d}:{n % 4 * 15:02d}")
WINDOWS = st.lists(
    st.builds(
        window,
        TIMES,
        TIMES,
        st.sampled_from([0.0, 1500.0]),
        generation_limit_w=st.sampled_from([None, 3000.0]),
        days=st.just(DAYS) | st.sets(st.sampled_from(DAYS), min_size=1),
        months=st.just(range(1, 13)) | st.sets(st.sampled_from([3, 4, 9, 10]), min_size=1),
    ),
    min_size=1,
    max_size=3,
)
CLOCK_CHANGES = {
    "Australia/Adelaide": ["2026-10-04 02:00", "2027-04-04 02:00"],
    "Australia/Lord_Howe": ["2026-10-04 02:00", "2027-04-04 01:30"],
    "Australia/Brisbane": ["2026-10-04 02:00"],
    "Pacific/Chatham": ["2026-09-27 02:45", "2027-04-04 02:45"],
}
PLACES = st.sampled_from([(ZoneInfo(name), wall) for name, walls in CLOCK_CHANGES.items() for wall in walls])
MINUTES = st.integers(-90, 120) | st.integers(-4000, 4000)
STEP = 5 * MINUTE  # finer than any stretch


@settings(max_examples=400, deadline=None)
@given(WINDOWS, PLACES, MINUTES)
def test_until_is_really_the_next_change(
    windows: list[TariffWindow], place: tuple[ZoneInfo, str], minutes: int
) -> None:
    zone, now = place[0], at(place[1], zone=place[0]) + minutes * MINUTE
    found = plan(windows, zone, now)
    assert found.limits == limits_at(windows, zone, now)
    end = min(found.until or now + timedelta(days=2), now + timedelta(days=2))
    for number in range(math.ceil((end - now) / STEP)):
        assert limits_at(windows, zone, now + number * STEP) == found.limits
    if found.until is not None:
        assert now < found.until <= now + timedelta(days=LOOK_AHEAD_DAYS)
        assert limits_at(windows, zone, found.until - timedelta(microseconds=1)) == found.limits
        assert limits_at(windows, zone, found.until) != found.limits


@settings(max_examples=400, deadline=None)
@given(WINDOWS, PLACES, MINUTES)
def test_the_limit_is_never_looser_than_any_window_in_force(
    windows: list[TariffWindow], place: tuple[ZoneInfo, str], minutes: int
) -> None:
    zone, now = place[0], at(place[1], zone=place[0]) + minutes * MINUTE
    together = limits_at(windows, zone, now)
    for one in windows:
        alone = limits_at([one], zone, now)
        if alone.export_limit_w is not None:
            assert together.export_limit_w is not None
            assert together.export_limit_w <= alone.export_limit_w
