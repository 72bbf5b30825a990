"""Which setpoint is obeyed: one test per clause of contract.md."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynexport.messages import Scope, Setpoint
from inverter_writer.acceptance import Acceptance

NOW = datetime(2026, 1, 15, tzinfo=UTC)


def setpoint(target_w: float, seq: int, engine: str = "a", **fields: Any) -> Setpoint:
    return Setpoint(issued_at=NOW, target_w=target_w, engine_id=engine, seq=seq, **fields)


def target(acceptance: Acceptance) -> float:
    assert acceptance.accepted is not None
    return acceptance.accepted.target_w


def test_the_first_setpoint_is_obeyed_and_takes_the_lease() -> None:
    acceptance = Acceptance()
    assert acceptance.offer(setpoint(3000.0, 1), 0.0) is None
    assert target(acceptance) == 3000.0
    assert acceptance.holder == "a"


@pytest.mark.parametrize("seq", [4, 5])
def test_a_seq_that_does_not_rise_is_refused(seq: int) -> None:
    acceptance = Acceptance()
    acceptance.offer(setpoint(3000.0, 5), 0.0)
    assert acceptance.offer(setpoint(9000.0, seq), 1.0)
    assert target(acceptance) == 3000.0


@pytest.mark.parametrize("target_w", [-1.0, -0.001])
def test_a_negative_target_is_refused(target_w: float) -> None:
    assert Acceptance().offer(setpoint(target_w, 1), 0.0)


def test_another_engine_can_only_tighten_while_the_lease_is_held() -> None:
    acceptance = Acceptance()
    acceptance.offer(setpoint(3000.0, 5), 0.0)
    acceptance.offer(setpoint(9000.0, 1, "b"), 1.0)
    assert target(acceptance) == 3000.0
    acceptance.offer(setpoint(1000.0, 2, "b"), 2.0)
    assert target(acceptance) == 1000.0
    assert acceptance.holder == "a"


def test_another_engine_feeds_the_deadline() -> None:
    acceptance = Acceptance()
    acceptance.offer(setpoint(3000.0, 5), 0.0)
    acceptance.offer(setpoint(9000.0, 1, "b"), 10.0)
    assert acceptance.accepted is not None
    assert acceptance.accepted.deadline == 25.0


def test_another_engine_cannot_connect_while_the_lease_is_held() -> None:
    acceptance = Acceptance()
    acceptance.offer(setpoint(0.0, 5, connect=False), 0.0)
    acceptance.offer(setpoint(9000.0, 1, "b", connect=True), 1.0)
    assert acceptance.accepted is not None
    assert not acceptance.accepted.connect


def test_after_15_s_of_silence_another_engine_takes_the_lease() -> None:
    acceptance = Acceptance()
    acceptance.offer(setpoint(3000.0, 5), 0.0)
    acceptance.offer(setpoint(9000.0, 1, "b"), 15.1)
    assert target(acceptance) == 9000.0
    assert acceptance.holder == "b"


def test_a_release_frees_the_lease_at_once() -> None:
    acceptance = Acceptance()
    acceptance.offer(setpoint(3000.0, 5, release=True), 0.0)
    acceptance.offer(setpoint(9000.0, 1, "b"), 0.1)
    assert target(acceptance) == 9000.0


@pytest.mark.parametrize(("ttl_s", "deadline"), [(5.0, 5.0), (15.0, 15.0), (3600.0, 15.0)])
def test_ttl_is_15_s_at_most(ttl_s: float, deadline: float) -> None:
    acceptance = Acceptance()
    acceptance.offer(setpoint(3000.0, 1, ttl_s=ttl_s), 0.0)
    assert acceptance.accepted is not None
    assert acceptance.accepted.deadline == deadline


def test_a_flood_of_engine_ids_is_forgotten() -> None:
    acceptance = Acceptance()
    for number in range(1000):
        acceptance.offer(setpoint(3000.0, 1, f"e{number}"), 0.0)
    assert len(acceptance._seqs) <= 16


@given(
    standing_w=st.one_of(st.none(), st.floats(0, 10_000)),
    other_w=st.one_of(st.none(), st.floats(0, 10_000)),
    targets_w=st.tuples(st.floats(0, 10_000), st.floats(0, 10_000)),
    share_w=st.floats(0, 5_000),
)
def test_another_engines_word_loosens_no_export_limit(
    standing_w: float | None, other_w: float | None, targets_w: tuple[float, float], share_w: float
) -> None:
    acceptance = Acceptance()
    acceptance.offer(setpoint(targets_w[0], 1, export_limit_w=standing_w), 0.0)
    assert acceptance.accepted is not None
    before_w = acceptance.accepted.limit_w(Scope.EXPORT, share_w)
    acceptance.offer(setpoint(targets_w[1], 1, "b", export_limit_w=other_w), 1.0)
    assert acceptance.accepted.limit_w(Scope.EXPORT, share_w) <= before_w
