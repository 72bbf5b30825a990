"""What is reported: connection and mode of several inverters, whole-minute averages with the interval they cover."""

from __future__ import annotations

import pytest

from csip_client.der_status import DerStatus, InverterView, der_status
from csip_client.storage import STORED
from csip_client.telemetry import MOST_WAITING, Role, Series, Telemetry, interval_s

ON = InverterView(5000.0, age_s=1.0, power_w=3000.0, connected=True)
STATUS = {
    "one inverter runs": ([ON], True, True, DerStatus(7, 2)),
    "MUL-01: one of two is off": ([ON, InverterView(5000.0, age_s=500.0)], True, True, DerStatus(7, 2)),
    "MUL-01: all are off": ([InverterView(5000.0), InverterView(5000.0, age_s=61.0)], True, True, DerStatus(0, 1)),
    "ALL-11: de-energised, bit 2 falls": ([ON], True, False, DerStatus(3, 1)),
    "ALL-12: disconnected, all three fall": ([ON], False, True, DerStatus(0, 1)),
    "the device says that it is not connected": (
        [InverterView(5000.0, age_s=1.0, connected=False)], True, True, DerStatus(0, 1),
    ),
    "asleep at night": ([InverterView(5000.0, age_s=1.0, asleep=True)], True, True, DerStatus(0, 1)),
    "ALL-08: on the grid, but nothing is made": ([InverterView(5000.0, age_s=1.0)], True, True, DerStatus(7, 1)),
    "held down to nothing by a limit it still operates": (
        [InverterView(5000.0, age_s=1.0, held_down=True)], True, True, DerStatus(7, 2),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("inverters", "connect", "energize", "expected"), STATUS.values(), ids=STATUS.keys())
def test_status_of_all_inverters_together(
    inverters: list[InverterView], connect: bool, energize: bool, expected: DerStatus
) -> None:
    assert der_status(inverters, connect=connect, energize=energize) == expected


def test_an_island_is_not_connected_whatever_runs_in_it() -> None:
    assert der_status([ON], connect=True, energize=True, islanded=True) == DerStatus(0, 1)


WATTS = Series(Role.SITE, 38)
VOLTS = Series(Role.SITE, 29, phase=128)


def test_a_reading_is_labelled_with_the_interval_that_it_covers_on_a_whole_minute() -> None:
    telemetry = Telemetry()
    for second in range(7, 120):
        telemetry.sample(WATTS, -1500.0 if second < 60 else -900.0, 6000.0 + second)
    telemetry.close(6119.9, 60)
    assert [(each.start, each.duration, each.value) for each in telemetry.waiting] == [(6000, 60, -15000)]
    telemetry.close(6120.0, 60)
    assert [(each.start, each.value) for each in telemetry.waiting] == [(6000, -15000), (6060, -9000)]


def test_decimals_are_kept() -> None:
    telemetry = Telemetry()
    telemetry.sample(VOLTS, 241.37, 0.0)
    telemetry.sample(Series(Role.SITE, 33, power_of_ten=-2), 49.972, 0.0)
    telemetry.close(60.0, 60)
    assert [each.value for each in telemetry.waiting] == [2414, 4997]


def test_a_longer_post_rate_averages_its_minutes_alike_however_often_each_was_measured() -> None:
    telemetry = Telemetry()
    for second in range(60):
        telemetry.sample(WATTS, 100.0, float(second))
    for minute in range(1, 5):
        telemetry.sample(WATTS, 200.0, minute * 60.0)
    telemetry.close(300.0, 300)
    assert [(each.start, each.duration, each.value) for each in telemetry.waiting] == [(0, 300, 1800)]


@pytest.mark.parametrize(
    ("rate", "expected"), [(1, 60), (30, 60), (60, 60), (90, 60), (300, 300), (86400, 3600)]
)
def test_an_interval_is_whole_minutes(rate: int, expected: int) -> None:
    assert interval_s(rate) == expected


def test_least_and_most_of_an_interval() -> None:
    telemetry = Telemetry()
    for value in (3.0, -2.0, 7.0):
        telemetry.sample(Series(Role.DER, 38, qualifier=8), value, 1.0)
        telemetry.sample(Series(Role.DER, 38, qualifier=9), value, 1.0)
    telemetry.close(60.0, 60)
    assert [each.value for each in telemetry.waiting] == [70, -20]


def test_a_minute_without_a_measurement_has_no_reading() -> None:
    telemetry = Telemetry()
    telemetry.sample(WATTS, 1.0, 0.0)
    telemetry.close(600.0, 60)
    assert [each.start for each in telemetry.waiting] == [0]
    telemetry.sample(WATTS, 5.0, 30.0)
    telemetry.close(660.0, 60)
    assert len(telemetry.waiting) == 1, "an interval is never posted twice"


def test_memory_is_bounded_through_a_long_outage_and_the_oldest_goes_first() -> None:
    telemetry = Telemetry()
    for minute in range(MOST_WAITING + 50):
        telemetry.sample(WATTS, 1.0, minute * 60.0)
        telemetry.close((minute + 1) * 60.0, 60)
    assert len(telemetry.waiting) == MOST_WAITING
    assert telemetry.dropped == 50
    assert telemetry.waiting[0].start == 50 * 60
    assert len(telemetry.buckets) == 0


def test_row_24_a_period_is_labelled_with_its_own_start_also_when_it_begins_or_stops_within_an_interval() -> (
    None
):
    telemetry = Telemetry()
    for second in (*range(130, 300), *range(480, 540)):
        telemetry.sample(WATTS, 1.0, float(second))
    telemetry.close(600.0, 300)
    assert [(each.start, each.duration) for each in telemetry.waiting] == [(120, 180), (480, 60)]


def test_what_was_not_measured_is_not_covered() -> None:
    telemetry = Telemetry()
    for minute in (0, 1, 3, 4, 5):
        telemetry.sample(WATTS, 1.0, minute * 60.0)
    telemetry.close(600.0, 300)
    assert [(each.start, each.duration) for each in telemetry.waiting] == [(0, 120), (180, 120), (300, 60)]


def test_a_post_rate_that_grows_covers_no_minute_twice() -> None:
    telemetry = Telemetry()
    for minute in range(10):
        telemetry.sample(WATTS, 1.0, minute * 60.0)
        telemetry.close(minute * 60.0, 60 if minute < 3 else 300)
    telemetry.close(600.0, 300)
    assert [(each.start, each.duration) for each in telemetry.waiting] == [
        (0, 60), (60, 60), (120, 180), (300, 300),
    ]  # fmt: skip


def test_stored_energy_is_what_stood_at_the_end_and_has_no_duration() -> None:
    telemetry = Telemetry()
    for second in range(60, 100):
        telemetry.sample(STORED, 5000.0 + second, float(second))
    telemetry.close(300.0, 300)
    assert [(each.start, each.duration, each.value) for each in telemetry.waiting] == [(120, 0, 5099)]


def test_a_servers_clock_that_was_years_ahead_for_a_moment_stops_no_readings() -> None:
    telemetry = Telemetry()
    telemetry.sample(WATTS, 1.0, 1e9)
    telemetry.close(1e9 + 60.0, 60)
    telemetry.close(6000.0, 60)
    telemetry.sample(WATTS, 2.0, 6000.0)
    telemetry.close(6060.0, 60)
    assert telemetry.waiting[-1].start == 6000
