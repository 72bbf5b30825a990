"""Failsafe from `site.yaml` alone, with phases: contract.md, "Failsafe means"."""

from __future__ import annotations

from typing import Any

import pytest

from dynexport.failsafe import failsafe_share_w, failsafe_shares_w, failsafe_w
from dynexport.settings.models import Site
from dynexport.testing.builders import SITE, site


def home(*feeds: str, phases: int = 3, limit_w: float | None = 1000.0, **sections: Any) -> Site:
    inverters = [
        {"id": f"i{n}", "driver": "sunspec", "tcp": {"host": "h"}, "unit": n, "rated_w": 5000, "phase": phase}
        for n, phase in enumerate(feeds)
    ]
    agreement = {"export_limit_w": 5000, "failsafe_export_limit_w": 3000, "export_limit_per_phase_w": limit_w}
    place = {"name": "Test", "time_zone": "Australia/Adelaide", "phases": phases}
    return site(site=place, agreement=agreement, inverters=inverters, **sections)


def test_without_a_limit_per_phase_the_ratings_share_the_sites_failsafe() -> None:
    assert failsafe_shares_w(home("a", "a", limit_w=None)) == {"i0": 1500.0, "i1": 1500.0}
    assert failsafe_w(site(**SITE)) == 1500.0


def test_no_phase_makes_more_than_its_limit_in_failsafe() -> None:
    assert failsafe_shares_w(home("a", "a", "b")) == pytest.approx({"i0": 500.0, "i1": 500.0, "i2": 1000.0})
    assert failsafe_w(home("a", "a", "b")) == pytest.approx(2000.0)


def test_an_inverter_on_all_phases_may_make_three_times_the_limit_of_one() -> None:
    assert failsafe_share_w(home("abc"), "i0") == pytest.approx(3000.0)


def test_what_does_not_obey_us_counts_on_its_phase_and_on_every_phase_when_nobody_says_which() -> None:
    shed = {"id": "shed", "rated_w": 600}
    known = home("a", "b", uncontrolled=[{**shed, "phase": "a"}])
    assert failsafe_shares_w(known) == pytest.approx({"i0": 400.0, "i1": 1000.0})
    assert failsafe_shares_w(home("a", "b", uncontrolled=[shed])) == pytest.approx({"i0": 400.0, "i1": 400.0})
    never = home("a", "b", batteries=[{**shed, "exports": "never"}])
    assert failsafe_shares_w(never) == pytest.approx({"i0": 1000.0, "i1": 1000.0})


def test_with_one_phase_its_limit_is_the_sites() -> None:
    assert failsafe_w(home("a", "abc", phases=1)) == 1000.0
