"""What a load is told: a table of what may have happened, and that silence never raises."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynexport.messages import ControlState
from dynexport.settings.models import Load
from inverter_writer.acceptance import Accepted
from inverter_writer.load_decision import ToldLoad, due_s, for_load, wanted_load

FOLLOWING, FAILSAFE = ControlState.FOLLOWING, ControlState.FAILSAFE


def accepted(target_w: float, deadline: float, *, connect: bool = True) -> Accepted:
    return Accepted(target_w, connect, 1, "e1", deadline)


def told(limit_w: float, mono: float = 0.0) -> ToldLoad:
    return ToldLoad(limit_w, mono)


def load(**changed: Any) -> Load:
    return Load.model_validate({"id": "boiler", "rated_w": 2000, **changed})


@pytest.mark.parametrize(
    ("last", "standing", "off", "silent_s", "limit_w", "state"),
    [
        (accepted(1500, 20), told(2000), False, 0, 1500, FOLLOWING),
        (accepted(1500, 20), told(500), False, 0, 1500, FOLLOWING),
        (accepted(1500, 20, connect=False), told(500), False, 0, 0, FOLLOWING),
        (accepted(1500, 5), told(1500), False, 0, 1500, FAILSAFE),
        (accepted(1500, 5), told(500), False, 0, 500, FAILSAFE),
        (accepted(1500, 5, connect=False), told(500), False, 0, 0, FAILSAFE),
        (accepted(1500, 5), told(1500), True, 0, 0, FAILSAFE),
        (None, None, False, 100, None, FAILSAFE),
        (None, None, True, 10, None, FAILSAFE),
        (None, None, True, 16, 0, FAILSAFE),
    ],
)
def test_what_a_load_may_use(
    last: Accepted | None,
    standing: ToldLoad | None,
    off: bool,
    silent_s: float,
    limit_w: float | None,
    state: ControlState,
) -> None:
    found = wanted_load(last, standing, off_when_silent=off, silent_s=silent_s, mono=10.0)
    assert (found.limit_w, found.state) == (limit_w, state)


@given(st.floats(0, 5000), st.floats(0, 5000), st.booleans(), st.booleans())
def test_silence_never_raises(target_w: float, standing_w: float, connect: bool, off: bool) -> None:
    last = accepted(target_w, 5.0, connect=connect)
    found = wanted_load(last, told(standing_w), off_when_silent=off, silent_s=100.0, mono=10.0)
    assert found.limit_w is not None
    assert found.limit_w <= standing_w


@pytest.mark.parametrize(
    ("changed", "limit_w", "expected"),
    [
        ({}, 2000.0, 2000.0),
        ({}, 1999.0, 0.0),
        ({}, 0.0, 0.0),
        ({"control": "watts"}, 1234.0, 1234.0),
        ({"control": "watts"}, 9000.0, 2000.0),
        ({"control": "watts", "min_w": 400}, 399.0, 0.0),
        ({"control": "watts", "min_w": 400}, 400.0, 400.0),
    ],
)
def test_a_switch_is_on_with_its_whole_rating_only_and_watts_have_a_least(
    changed: Any, limit_w: float, expected: float
) -> None:
    assert for_load(limit_w, load(**changed)) == expected


@pytest.mark.parametrize(
    ("limit_w", "standing", "mono", "wait_s"),
    [
        (500.0, None, 0.0, 0.0),
        (500.0, told(600.0), 0.1, 0.0),
        (700.0, told(600.0), 0.25, 0.75),
        (600.0, told(600.0), 3.0, 5.0),
        (2000.0, told(2000.0), 100.0, math.inf),
    ],
)
def test_a_tightening_goes_at_once_and_what_limits_is_repeated(
    limit_w: float, standing: ToldLoad | None, mono: float, wait_s: float
) -> None:
    assert due_s(limit_w, standing, load(control="watts"), mono) == wait_s
