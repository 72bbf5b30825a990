"""Sharing out: never more than there is, never more than one can hold, nothing left while one could take it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limit_engine.sharing import Taker, share_out

takers = st.lists(st.tuples(st.floats(500, 10_000), st.floats(0, 1)), min_size=1, max_size=20).map(
    lambda pairs: [Taker(f"i{n}", rated, rated * part) for n, (rated, part) in enumerate(pairs)]
)


@given(st.floats(0, 100_000), takers)
def test_the_sum_never_exceeds_the_total_nor_a_share_its_ceiling(
    total_w: float, given_to: list[Taker]
) -> None:
    shares = share_out(total_w, given_to)
    assert sum(shares.values()) <= total_w + 1e-6
    assert all(0 <= shares[taker.id] <= taker.ceiling_w + 1e-9 for taker in given_to)


@given(st.floats(0, 100_000), takers)
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
