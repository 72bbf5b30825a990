"""A battery on a hybrid inverter's DC side: the inverter's reading holds what it does, so nothing counts it twice."""

from __future__ import annotations

import pytest

from dynexport.testing.builders import site
from limit_engine.site import Others, batteries

AC = {"id": "garage", "rated_w": 5000}
DC = {"id": "roof-battery", "rated_w": 4000, "inverter": "roof"}


def others(*entries: dict[str, object]) -> Others:
    found = Others(site(batteries=list(entries)))
    for entry in entries:
        found.hear_battery(str(entry["id"]), 1000.0, 100.0)
    return found


def test_what_a_hybrids_battery_does_is_not_compared_with_the_meter_again() -> None:
    assert batteries(others(AC, DC).site) == ["garage"]
    assert others(AC, DC).battery_w(101.0) == 1000.0
    assert others(DC).battery_w(101.0) is None
    assert others(AC, DC).hidden_w(101.0) == 1000.0


@pytest.mark.parametrize(("mono", "blind_w"), [(101.0, 1000.0), (106.0, 4000.0)])
def test_in_open_loop_it_still_counts_by_its_reading_or_its_rating(mono: float, blind_w: float) -> None:
    assert others(DC).blind_w(mono) == blind_w
