"""What an inverter should be limited to: truth tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynexport.messages import ControlState
from inverter_writer.acceptance import Accepted
from inverter_writer.decision import Device, Wanted, first_contact, for_device, wanted
from inverter_writer.rationing import Standing, is_urgent, wait_s
from inverter_writer.readback import Readback, Verdict

SHARE_W = 1500.0


def accepted(target_w: float, connect: bool = True, deadline: float = 15.0) -> Accepted:
    return Accepted(target_w, connect, 1, "a", deadline)


@pytest.mark.parametrize(
    ("word", "standing_w", "mono", "limit_w", "connect", "state"),
    [
        # a valid setpoint is followed, up and down
        (accepted(8000.0), 2000.0, 14.0, 8000.0, True, ControlState.FOLLOWING),
        (accepted(500.0), 2000.0, 14.0, 500.0, True, ControlState.FOLLOWING),
        (accepted(0.0, False), 2000.0, 14.0, 0.0, False, ControlState.FOLLOWING),
        # silence: the smaller of target, share and what stands
        (accepted(8000.0), 8000.0, 15.1, SHARE_W, None, ControlState.FAILSAFE),
        (accepted(500.0), 500.0, 15.1, 500.0, None, ControlState.FAILSAFE),
        (accepted(8000.0), 700.0, 15.1, 700.0, None, ControlState.FAILSAFE),
        # a disconnect stays: silence never connects
        (accepted(0.0, False), 0.0, 15.1, 0.0, False, ControlState.FAILSAFE),
        # never a setpoint: the share, or what stands
        (None, None, 100.0, SHARE_W, None, ControlState.FAILSAFE),
        (None, 300.0, 100.0, 300.0, None, ControlState.FAILSAFE),
    ],
)
def test_a_setpoint_is_followed_and_silence_never_raises(
    word: Accepted | None,
    standing_w: float | None,
    mono: float,
    limit_w: float,
    connect: bool | None,
    state: ControlState,
) -> None:
    assert wanted(word, SHARE_W, standing_w, mono) == Wanted(limit_w, connect, state)


def test_an_obligation_whose_fallback_disconnects_keeps_it_open() -> None:
    assert wanted(None, 0.0, None, 0.0, failsafe_disconnects=True).connect is False


@given(st.floats(0, 20_000), st.floats(0, 20_000), st.floats(0, 20_000))
def test_without_a_valid_setpoint_nothing_is_raised(
    target_w: float, share_w: float, standing_w: float
) -> None:
    assert wanted(accepted(target_w), share_w, standing_w, 16.0).limit_w <= standing_w


@pytest.mark.parametrize(("found_w", "held_w"), [(10_000.0, 8000.0), (3000.0, 3000.0), (0.0, 0.0)])
def test_first_contact_holds_the_smaller_of_found_and_wanted(found_w: float, held_w: float) -> None:
    assert first_contact(Wanted(8000.0, True, ControlState.FOLLOWING), found_w).limit_w == held_w


@pytest.mark.parametrize(
    ("limit_w", "resolution_pct", "percent"),
    [
        (5000.0, 0.01, 50.0),
        (5000.99, 0.01, 50.0),
        (4999.99, 0.01, 49.99),
        (5999.0, 1.0, 59.0),
        (20_000.0, 0.01, 100.0),
        (-5.0, 0.01, 0.0),
    ],
)
def test_percentages_are_rounded_down_and_clipped(
    limit_w: float, resolution_pct: float, percent: float
) -> None:
    assert Device(10_000.0, resolution_pct).percent(limit_w) == pytest.approx(percent)


@given(st.floats(0, 30_000), st.sampled_from((0.01, 0.1, 1.0)))
def test_what_is_written_is_never_more_than_was_asked(limit_w: float, resolution_pct: float) -> None:
    device = Device(10_000.0, resolution_pct)
    assert device.watts(device.percent(limit_w)) <= limit_w + 1e-3


def test_below_its_minimum_an_inverter_gets_0_or_is_disconnected() -> None:
    low = Wanted(50.0, True, ControlState.FOLLOWING)
    assert for_device(low, Device(10_000.0, 0.01, min_limit_pct=1.0)) == (0.0, True)
    assert for_device(low, Device(10_000.0, 0.01, min_limit_pct=1.0, can_limit_to_zero=False)) == (0.0, False)


@pytest.mark.parametrize(
    ("percent", "standing", "mono", "inverters", "due"),
    [
        (50.0, None, 0.0, 1, True),  # the first
        (49.4, Standing(50.0, 0.0), 0.01, 1, True),  # a tightening of over 0.5 % at once
        (49.6, Standing(50.0, 0.0), 0.5, 1, False),  # a small one once a second
        (49.6, Standing(50.0, 0.0), 1.0, 1, True),
        (60.0, Standing(50.0, 0.0), 0.5, 1, False),  # a raise once a second
        (60.0, Standing(50.0, 0.0), 1.0, 1, True),
        (50.1, Standing(50.0, 0.0), 5.0, 1, False),  # inside the dead band
        (50.1, Standing(50.0, 0.0), 5.0, 20, True),  # which shrinks with the number of inverters
        (50.0, Standing(50.0, 0.0), 7.9, 1, False),
        (50.0, Standing(50.0, 0.0), 8.0, 1, True),  # the refresh
    ],
)
def test_writes_are_rationed(
    percent: float, standing: Standing | None, mono: float, inverters: int, due: bool
) -> None:
    assert (wait_s(percent, standing, mono, inverters) <= 0.0) is due


def test_a_tightening_is_urgent_and_a_raise_is_not() -> None:
    assert is_urgent(40.0, Standing(50.0, 0.0))
    assert not is_urgent(60.0, Standing(50.0, 0.0))


def test_one_mismatch_is_no_conflict_and_two_are() -> None:
    readback = Readback()
    readback.see(40.0, 50.0, 0.01, 0.0)
    assert not readback.conflict
    readback.see(40.0, 50.0, 0.01, 1.0)
    assert readback.conflict


def test_a_looser_foreign_value_is_overwritten_at_once() -> None:
    assert Readback().see(100.0, 50.0, 0.01, 0.0) is Verdict.OVERWRITE


def test_a_tighter_foreign_value_stands_until_unchanged_for_5_minutes() -> None:
    readback = Readback()
    assert readback.see(20.0, 50.0, 0.01, 0.0) is Verdict.LEAVE
    assert readback.see(20.0, 50.0, 0.01, 299.0) is Verdict.LEAVE
    assert readback.see(20.0, 50.0, 0.01, 300.0) is Verdict.OVERWRITE


def test_a_tighter_foreign_value_that_moves_starts_its_patience_anew() -> None:
    readback = Readback()
    readback.see(20.0, 50.0, 0.01, 0.0)
    readback.see(25.0, 50.0, 0.01, 200.0)
    assert readback.see(25.0, 50.0, 0.01, 400.0) is Verdict.LEAVE


def test_a_difference_below_the_resolution_is_ours() -> None:
    assert Readback().see(50.0, 50.4, 1.0, 0.0) is Verdict.OURS
