"""How far a device's clock is from ours, known from whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from meter_reader.device_clock import DeviceClock, http_date
from meter_reader.powerwall.pauses import after_429

START = datetime(2026, 1, 15, 2, 0, tzinfo=UTC)


def heard(clock: DeviceClock, ahead_s: float, count: int = 20) -> float:
    """Answers of a device whose clock is behind ours by `ahead_s`, at odd moments."""
    for number in range(count):
        asked = START + timedelta(seconds=1.37 * number)
        clock.heard(asked, (asked - timedelta(seconds=ahead_s)).replace(microsecond=0))
    return clock.offset_s


@pytest.mark.parametrize("ahead_s", [-3600.0, -7.3, 0.4, 7.3, 3600.0])
def test_the_offset_is_learned_to_a_fraction_of_a_second_and_never_too_large(ahead_s: float) -> None:
    offset_s = heard(DeviceClock(), ahead_s)
    if abs(ahead_s) < 1.0:
        assert offset_s == 0.0
    else:
        assert ahead_s - 0.2 < offset_s <= ahead_s


def test_clocks_that_agree_are_left_alone() -> None:
    assert DeviceClock().offset_s == 0.0
    assert heard(DeviceClock(), 0.0) == 0.0


def test_a_clock_that_is_set_back_is_followed_at_once_and_one_set_forward_after_30_answers() -> None:
    clock = DeviceClock()
    heard(clock, 0.0)
    assert heard(clock, 10.0, count=1) > 8.9
    assert heard(clock, 0.0, count=29) > 8.9
    assert heard(clock, 0.0, count=1) == 0.0


def test_a_date_header_is_read_and_nonsense_is_none() -> None:
    assert http_date("Thu, 15 Jan 2026 02:00:00 GMT") == START
    assert http_date("") is None
    assert http_date("soon") is None


@pytest.mark.parametrize(
    ("retry_after", "pause_s"),
    [
        (None, 300.0),
        ("45", 45.0),
        ("0", 10.0),
        ("-5", 10.0),
        ("86400", 3600.0),
        ("inf", 300.0),
        ("soon", 300.0),
        ("Thu, 15 Jan 2026 02:02:00 GMT", 120.0),
    ],
)
def test_429_is_answered_by_5_minutes_of_rest_or_what_retry_after_asks_for(
    retry_after: str | None, pause_s: float
) -> None:
    assert after_429(retry_after, START) == pause_s
