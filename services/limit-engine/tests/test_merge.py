"""The merge: truth table, invariants, and the predecessor's own vector."""

from __future__ import annotations

import os
import random

import pytest
from bench.invariants import SOURCES, broken_merge_invariant
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynexport.messages import SWITCHES, WATT_LIMITS
from limit_engine.merge import Bound, Candidate, Envelope, merge, with_charge_buffer

EXAMPLES = 100_000 if os.environ.get("CI") else 2_000

candidates = st.builds(
    Candidate,
    st.sampled_from(SOURCES),
    st.dictionaries(
        st.sampled_from(WATT_LIMITS), st.sampled_from((0.0, 1500.0, 5000.0)) | st.floats(0, 2e4), max_size=4
    ),
    st.frozensets(st.sampled_from(SWITCHES), max_size=2),
    st.none() | st.floats(-2e4, 2e4),
    st.booleans(),
)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(candidates, max_size=5), candidates, st.integers(0, 2**32))
def test_no_invariant_of_the_merge_is_broken(given_now: list[Candidate], more: Candidate, seed: int) -> None:
    assert broken_merge_invariant(given_now, more, random.Random(seed)) is None


E5, E15, G3 = ({"export_limit_w": 5000.0}, {"export_limit_w": 1500.0}, {"generation_limit_w": 3000.0})


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ([], Envelope()),
        ([Candidate("agreement", E5)], Envelope(export_limit_w=Bound(5000.0, "agreement"))),
        (
            [Candidate("agreement", E5), Candidate("csip", E15)],
            Envelope(export_limit_w=Bound(1500.0, "csip")),
        ),
        (
            [Candidate("csip", E5), Candidate("agreement", E5)],
            Envelope(export_limit_w=Bound(5000.0, "agreement")),
        ),
        (
            [Candidate("agreement", E5), Candidate("tariff", G3)],
            Envelope(export_limit_w=Bound(5000.0, "agreement"), generation_limit_w=Bound(3000.0, "tariff")),
        ),
        (
            [Candidate("csip", {}, frozenset({"connect"})), Candidate("manual", {})],
            Envelope(disconnected_by="csip"),
        ),
        ([Candidate("csip", {}, frozenset({"energize"}))], Envelope(deenergized_by="csip")),
    ],
)
def test_smallest_watt_and_any_false_win(stated: list[Candidate], expected: Envelope) -> None:
    assert merge(stated) == expected


def test_the_vector_of_the_predecessor() -> None:
    """predecessor.md section 11: three sources, each attribute from another."""
    rest = dict.fromkeys(("export_limit_w", "generation_limit_w", "import_limit_w", "load_limit_w"), 5000.0)
    result = merge(
        [
            Candidate(
                "fixed", {"generation_limit_w": 20000.0, "import_limit_w": 10000.0, "load_limit_w": 5000.0}
            ),
            Candidate("mqtt", rest, frozenset({"connect"})),
            Candidate(
                "csip",
                {
                    "export_limit_w": 2000.0,
                    **dict.fromkeys(("generation_limit_w", "import_limit_w"), 10000.0),
                },
                frozenset({"energize"}),
            ),
        ]
    )
    assert result.disconnected_by == "mqtt"
    assert result.deenergized_by == "csip"
    assert result.export_limit_w == Bound(2000.0, "csip")
    assert result.generation_limit_w == Bound(5000.0, "mqtt")
    assert result.load_limit_w == Bound(5000.0, "fixed")


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_what_is_no_limit_never_gets_through(value: float) -> None:
    with pytest.raises(ValueError, match=r"csip\.export_limit_w"):
        merge([Candidate("csip", {"export_limit_w": value})])


def target(source: str, value: float, *, obligation: bool = False) -> Candidate:
    return Candidate(source, storage_target_w=value, is_obligation=obligation)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ([], None),
        ([target("manual", -2000.0)], Bound(-2000.0, "manual")),
        ([target("agent", 100.0), target("csip", 5000.0, obligation=True)], Bound(5000.0, "csip")),
        (
            [target("remote", 0.0, obligation=True), target("csip", 5000.0, obligation=True)],
            Bound(5000.0, "csip"),
        ),
        ([target("tariff", 1.0), target("manual", 2.0)], Bound(2.0, "manual")),
    ],
)
def test_an_obligations_target_goes_before_a_preferences_and_then_the_first_in_the_alphabet(
    stated: list[Candidate], expected: Bound | None
) -> None:
    assert merge(stated).storage_target_w == expected
    assert merge(reversed(stated)).storage_target_w == expected


@pytest.mark.parametrize(
    ("obligation", "limit_w", "lifted_w"), [(False, 0.0, 200.0), (False, 500.0, 500.0), (True, 0.0, 0.0)]
)
def test_a_charge_buffer_lifts_a_preference_and_never_an_obligation(
    obligation: bool, limit_w: float, lifted_w: float
) -> None:
    stated = Candidate("one", {"export_limit_w": limit_w}, is_obligation=obligation)
    assert with_charge_buffer(stated, 200.0).watts["export_limit_w"] == lifted_w


def test_a_charge_buffer_leaves_a_source_without_an_export_limit_alone() -> None:
    stated = Candidate("manual", {"generation_limit_w": 0.0})
    assert with_charge_buffer(stated, 200.0) is stated


def test_a_target_that_is_no_power_is_refused() -> None:
    with pytest.raises(ValueError, match="is no power"):
        merge([target("manual", float("nan"))])
