"""Readings of a meter by HTTP on their way out."""

from __future__ import annotations

import pytest

from dynexport import topics
from dynexport.clock import FakeClock
from dynexport.mapping import Sample, moment
from dynexport.messages import MeterReading
from dynexport.testing.builders import site
from dynexport.testing.context import fake_context
from meter_reader.device_clock import DeviceClock, http_date
from meter_reader.outlet import Outlet
from meter_reader.troubles import Troubles
from meter_reader.web import WebReading


@pytest.mark.parametrize(
    ("date", "said"),
    [
        ("Mon, 01 Jan 0001 00:00:00 GMT", "9999-12-31T00:00:00Z"),
        ("Fri, 31 Dec 9999 23:59:59 GMT", "2000-01-01T00:00:00Z"),
        ("Fri, 31 Dec 9999 23:59:59 GMT", "0001-01-02T00:00:00Z"),
    ],
)
def test_a_device_whose_times_are_beyond_all_reason_is_not_believed_and_ends_nothing(
    date: str, said: str
) -> None:
    clock = FakeClock()
    context, bus = fake_context("meter-reader", site(), clock)
    outlet = Outlet(context, Troubles(context), topics.METER_READING, MeterReading, 4.0)
    device_clock, dated = DeviceClock(), http_date(date)
    assert dated is not None
    device_clock.heard(clock.now(), dated)
    sample = Sample({"power_w": 100.0}, moment(said))
    found = WebReading(sample, offset_s=device_clock.offset_s)
    assert not outlet.take(sample, found, context.moment())
    assert bus.all(topics.METER_READING) == []
