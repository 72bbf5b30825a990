"""What loads may use of what is left: order, switches, waiting, and never more than there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynexport.settings.devices import Load
from limit_engine.beside import LoadState
from limit_engine.loads import OFF_AT_LEAST_S, allot, remember

POWERS = st.floats(0, 20_000)


def load(name: str, rated_w: float = 2000.0, *, told_w: float | None = None, **fields: object) -> LoadState:
    settings = Load.model_validate({"id": name, "rated_w": rated_w, **fields})
    return LoadState(settings, told_w=rated_w if told_w is None else told_w)


@pytest.mark.parametrize(
    ("left_w", "told", "rest_w"),
    [
        (10_000.0, {"boiler": 2000.0, "car": 7000.0}, 1000.0),
        (9000.0, {"boiler": 2000.0, "car": 7000.0}, 0.0),
        (5000.0, {"boiler": 2000.0, "car": 3000.0}, 0.0),
        (3000.0, {"boiler": 2000.0, "car": 0.0}, 1000.0),
        (1999.0, {"boiler": 0.0, "car": 1999.0}, 0.0),
        (0.0, {"boiler": 0.0, "car": 0.0}, 0.0),
    ],
)
def test_the_last_of_the_list_is_shed_first(left_w: float, told: dict[str, float], rest_w: float) -> None:
    least_w = 1400.0 if left_w != 1999.0 else 1000.0
    loads = [load("boiler"), load("car", 7000.0, control="watts", min_w=least_w)]
    assert allot(loads, left_w, 0.0) == (told, rest_w)


def test_a_switch_that_was_shed_waits_a_minute_and_what_it_waits_for_is_not_given_away() -> None:
    loads = [load("boiler"), load("car", 7000.0, control="watts")]
    remember(loads, allot(loads, 1000.0, 0.0)[0], 0.0)
    waiting, _ = allot(loads, 5000.0, OFF_AT_LEAST_S - 0.1)
    assert waiting == {"boiler": 0.0, "car": 3000.0}
    let_on, _ = allot(loads, 5000.0, OFF_AT_LEAST_S)
    assert let_on == {"boiler": 2000.0, "car": 3000.0}


def test_a_switch_is_let_on_only_with_a_margin_and_stays_on_without() -> None:
    off, on = load("boiler", told_w=0.0), load("boiler")
    assert allot([off], 2099.0, 100.0)[0] == {"boiler": 0.0}
    assert allot([off], 2100.0, 100.0)[0] == {"boiler": 2000.0}
    assert allot([on], 2000.0, 100.0)[0] == {"boiler": 2000.0}


def test_a_load_that_takes_any_power_waits_for_nothing() -> None:
    car = load("car", 7000.0, control="watts")
    remember([car], {"car": 0.0}, 0.0)
    assert allot([car], 10.0, 0.2)[0] == {"car": 10.0}


@given(
    left_w=POWERS,
    less_w=POWERS,
    loads=st.lists(
        st.tuples(
            st.floats(1, 8000), st.sampled_from(["switch", "watts"]), st.floats(0, 3000), st.booleans()
        ),
        max_size=5,
    ),
    mono=st.floats(0, 200),
)
def test_their_sum_and_the_rest_are_never_above_what_is_left(
    left_w: float, less_w: float, loads: list[tuple[float, str, float, bool]], mono: float
) -> None:
    states = [
        load(f"l{index}", rated_w, control=control, min_w=min_w, told_w=rated_w if on else 0.0)
        for index, (rated_w, control, min_w, on) in enumerate(loads)
    ]
    for state in states:
        state.off_since = 0.0
    told, rest_w = allot(states, left_w, mono)
    assert sum(told.values()) + rest_w <= left_w + 1e-6
    assert rest_w >= 0.0
    assert all(0.0 <= told[state.settings.id] <= state.settings.rated_w for state in states)
    first = states[0] if states else None
    if first is not None:  # the first of the list never gains by there being less
        tighter, _ = allot(states, min(left_w, less_w), mono)
        assert tighter[first.settings.id] <= told[first.settings.id]
