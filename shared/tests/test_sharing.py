"""Sharing out: never more than there is, never more than one can hold, nothing left while one could take it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynexport.sharing import PHASES, Taker, part_on, share_out

watts = st.floats(0, 100_000)
takers = st.lists(st.tuples(st.floats(500, 10_000), st.floats(0, 1)), min_size=1, max_size=20).map(
    lambda pairs: [Taker(f"i{n}", rated, rated * part) for n, (rated, part) in enumerate(pairs)]
)
on_phases = st.lists(
    st.tuples(st.floats(500, 10_000), st.floats(0, 1), st.sampled_from(("a", "b", "c", "abc"))),
    min_size=1,
    max_size=20,
).map(
    lambda rows: [Taker(f"i{n}", rated, rated * part, phase) for n, (rated, part, phase) in enumerate(rows)]
)
phase_targets = st.fixed_dictionaries({phase: st.floats(0, 20_000) for phase in PHASES})


def carried(phase: str, shares: dict[str, float], given_to: list[Taker]) -> float:
    """What the shares put on a phase."""
    return sum(shares[taker.id] * part_on(phase, taker.phase) for taker in given_to)


@given(watts, takers)
def test_the_sum_never_exceeds_the_total_nor_a_share_its_ceiling(
    total_w: float, given_to: list[Taker]
) -> None:
    shares = share_out(total_w, given_to)
    assert sum(shares.values()) <= total_w + 1e-6
    assert all(0 <= shares[taker.id] <= taker.ceiling_w + 1e-9 for taker in given_to)


@given(watts, takers)
def test_what_one_cannot_use_goes_to_the_others(total_w: float, given_to: list[Taker]) -> None:
    shares = share_out(total_w, given_to)
    room_w = sum(taker.ceiling_w for taker in given_to)
    assert sum(shares.values()) == pytest.approx(min(total_w, room_w), rel=1e-9, abs=1e-6)


@given(takers)
def test_nothing_shared_is_nothing_for_each(given_to: list[Taker]) -> None:
    assert set(share_out(0.0, given_to).values()) == {0.0}


def test_equal_parts_of_the_ratings() -> None:
    shares = share_out(3000.0, [Taker("a", 5000, 5000), Taker("b", 10_000, 10_000)])
    assert shares == pytest.approx({"a": 1000.0, "b": 2000.0})


@given(watts, on_phases, phase_targets)
def test_no_phase_no_site_and_no_inverter_gets_more_than_it_may(
    total_w: float, given_to: list[Taker], phases_w: dict[str, float]
) -> None:
    shares = share_out(total_w, given_to, phases_w)
    assert sum(shares.values()) <= total_w + 1e-6
    assert all(carried(phase, shares, given_to) <= phases_w[phase] + 1e-6 for phase in PHASES)
    assert all(0 <= shares[taker.id] <= taker.ceiling_w + 1e-9 for taker in given_to)


@given(watts, on_phases, phase_targets)
def test_nobody_could_be_given_more_on_any_phase(
    total_w: float, given_to: list[Taker], phases_w: dict[str, float]
) -> None:
    shares = share_out(total_w, given_to, phases_w)
    site_full = sum(shares.values()) >= total_w - 1e-5
    full = {phase for phase in PHASES if carried(phase, shares, given_to) >= phases_w[phase] - 1e-5}
    for taker in given_to:
        at_ceiling = shares[taker.id] >= taker.ceiling_w - 1e-5
        assert at_ceiling or site_full or any(part_on(phase, taker.phase) for phase in full)


@given(watts, on_phases, phase_targets, st.randoms(use_true_random=False))
def test_the_order_of_the_inverters_changes_nothing(
    total_w: float, given_to: list[Taker], phases_w: dict[str, float], rng: random.Random
) -> None:
    shuffled = list(given_to)
    rng.shuffle(shuffled)
    assert share_out(total_w, shuffled, phases_w) == share_out(total_w, given_to, phases_w)


@given(watts, st.floats(0, 1), on_phases, phase_targets)
def test_more_for_the_site_lowers_no_share(
    total_w: float, part: float, given_to: list[Taker], phases_w: dict[str, float]
) -> None:
    less, more = (share_out(site_w, given_to, phases_w) for site_w in (part * total_w, total_w))
    assert all(less[name] <= more[name] + 1e-6 for name in less)


@given(watts, st.sampled_from(PHASES), st.floats(0, 1), on_phases, phase_targets)
def test_a_tighter_phase_never_raises_the_sum(
    total_w: float, phase: str, part: float, given_to: list[Taker], phases_w: dict[str, float]
) -> None:
    tighter = {**phases_w, phase: part * phases_w[phase]}
    less, more = (share_out(total_w, given_to, each) for each in (tighter, phases_w))
    assert sum(less.values()) <= sum(more.values()) + 1e-5


@given(watts, takers)
def test_phases_that_are_wide_enough_change_nothing(total_w: float, given_to: list[Taker]) -> None:
    wide = dict.fromkeys(PHASES, 1e6)
    assert share_out(total_w, given_to, wide) == pytest.approx(share_out(total_w, given_to), abs=1e-6)


def test_a_full_phase_stops_its_own_inverters_and_the_others_take_what_it_leaves() -> None:
    roof = [Taker(f"on-{phase}", 5000, 5000, phase) for phase in PHASES]
    shares = share_out(9000.0, roof, {"a": 1000.0, "b": 5000.0, "c": 5000.0})
    assert shares == pytest.approx({"on-a": 1000.0, "on-b": 4000.0, "on-c": 4000.0})


def test_an_inverter_on_all_phases_obeys_the_tightest() -> None:
    shares = share_out(9000.0, [Taker("roof", 10_000, 10_000)], {"a": 1000.0, "b": 5000.0, "c": 5000.0})
    assert shares == pytest.approx({"roof": 3000.0})
