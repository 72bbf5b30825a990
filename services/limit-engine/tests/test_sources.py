"""What counts now: one test per clause of contract.md's rules on `limit/+`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dynexport.messages import Limit
from dynexport.settings.models import Source
from limit_engine.sources import SourceState, candidate, hear, pause

NOW = datetime(2026, 1, 15, 2, 0, tzinfo=UTC)
OBLIGATION = Source.model_validate(
    {"kind": "obligation", "fallback": {"export_limit_w": 1500, "generation_limit_w": 4000}}
)
PREFERENCE = Source.model_validate({"kind": "preference"})


def limit(**fields: Any) -> Limit:
    return Limit.model_validate_json(Limit(**fields).to_payload())


def state(source: Source, name: str = "csip") -> SourceState:
    return SourceState(name, source, started=100.0)


def export(source_state: SourceState, mono: float) -> float | None:
    counting = candidate(source_state, mono)
    return None if counting is None else counting.watts.get("export_limit_w")


def spoken(source: Source, mono: float = 100.0, **fields: Any) -> SourceState:
    return hear(state(source), limit(issued_at=NOW, **fields), False, NOW, mono).state


def test_an_obligation_that_never_spoke_counts_as_nothing_until_its_deadline_since_start() -> None:
    assert candidate(state(OBLIGATION), 159.0) is None
    assert not state(OBLIGATION).settled(159.0)
    assert export(state(OBLIGATION), 161.0) == 1500


def test_a_live_obligation_counts_and_its_silence_is_its_fallback() -> None:
    heard = spoken(OBLIGATION, export_limit_w=5000.0)
    assert export(heard, 159.0) == 5000
    assert export(heard, 161.0) == 1500


def test_an_attribute_that_an_obligation_leaves_out_is_its_fallback() -> None:
    counting = candidate(spoken(OBLIGATION, export_limit_w=5000.0), 110.0)
    assert counting is not None
    assert counting.watts == {"export_limit_w": 5000.0, "generation_limit_w": 4000.0}


def test_null_is_a_statement_of_no_limit_and_not_the_fallback() -> None:
    counting = candidate(spoken(OBLIGATION, export_limit_w=None, generation_limit_w=None), 110.0)
    assert counting is not None
    assert counting.watts == {}


def test_a_stored_copy_is_no_word_from_an_obligation() -> None:
    heard = hear(state(OBLIGATION), limit(issued_at=NOW, export_limit_w=5000.0), True, NOW, 100.0)
    assert heard.refused
    assert candidate(heard.state, 110.0) is None


@pytest.mark.parametrize("skew_s", [-5.5, 5.5])
def test_an_obligation_whose_stamp_is_off_by_more_than_5_s_is_refused(skew_s: float) -> None:
    late = NOW + timedelta(seconds=skew_s)
    heard = hear(state(OBLIGATION), limit(issued_at=late, export_limit_w=5000.0), False, NOW, 100.0)
    assert heard.skew_s == pytest.approx(-skew_s)
    assert not heard.state.spoke_live


def test_an_obligation_without_a_stamp_is_refused() -> None:
    assert hear(state(OBLIGATION), limit(export_limit_w=5000.0), False, NOW, 100.0).refused


def test_an_obligation_that_withdraws_counts_as_silent() -> None:
    withdrawn = hear(spoken(OBLIGATION, export_limit_w=5000.0), None, False, NOW, 110.0).state
    assert export(withdrawn, 110.1) == 1500


@pytest.mark.parametrize(("ttl_s", "lives_s"), [(None, 60), (10.0, 10), (10_000.0, 300)])
def test_an_obligations_ttl_is_its_deadline_and_is_clipped(ttl_s: float | None, lives_s: float) -> None:
    fields = {"export_limit_w": 800.0} if ttl_s is None else {"export_limit_w": 800.0, "ttl_s": ttl_s}
    heard = spoken(OBLIGATION, **fields)
    assert export(heard, 100.0 + lives_s - 0.5) == 800
    assert export(heard, 100.0 + lives_s + 0.5) == 1500


def test_a_preference_that_falls_silent_is_ignored() -> None:
    heard = spoken(PREFERENCE, export_limit_w=0.0)
    assert export(heard, 159.0) == 0
    assert candidate(heard, 161.0) is None


def test_a_preference_needs_no_stamp() -> None:
    heard = hear(state(PREFERENCE), limit(export_limit_w=0.0, ttl_s=3600.0), False, NOW, 100.0).state
    assert export(heard, 3699.0) == 0


def test_a_stored_preference_lives_until_its_own_end() -> None:
    said = limit(issued_at=NOW - timedelta(seconds=3000), export_limit_w=0.0, ttl_s=3600.0)
    heard = hear(state(PREFERENCE), said, True, NOW, 100.0).state
    assert export(heard, 699.0) == 0
    assert candidate(heard, 701.0) is None


def test_a_stored_preference_without_a_stamp_lives_from_its_first_arrival() -> None:
    said = limit(export_limit_w=0.0, ttl_s=600.0)
    heard = hear(state(PREFERENCE), said, True, NOW, 100.0).state
    again = hear(heard, said, True, NOW, 500.0).state
    assert export(again, 699.0) == 0
    assert candidate(again, 701.0) is None


def test_a_stored_copy_older_than_what_was_heard_since_does_not_loosen() -> None:
    heard = spoken(PREFERENCE, export_limit_w=0.0, ttl_s=600.0)
    older = limit(issued_at=NOW - timedelta(seconds=60), export_limit_w=5000.0, ttl_s=600.0)
    assert export(hear(heard, older, True, NOW, 110.0).state, 111.0) == 0


def test_a_withdrawn_preference_is_gone() -> None:
    assert (
        candidate(hear(spoken(PREFERENCE, export_limit_w=0.0), None, False, NOW, 110.0).state, 110.1) is None
    )


def test_energize_false_opens_and_true_states_nothing_that_closes() -> None:
    opened = candidate(spoken(PREFERENCE, energize=False), 110.0)
    closed = candidate(spoken(PREFERENCE, energize=True), 110.0)
    assert opened is not None
    assert opened.opened == frozenset({"energize"})
    assert closed is not None
    assert closed.opened == frozenset()


def test_a_pause_silences_a_preference_only_for_its_time() -> None:
    paused = pause(spoken(PREFERENCE, export_limit_w=0.0, ttl_s=600.0), 200.0)
    assert candidate(paused, 150.0) is None
    assert export(paused, 201.0) == 0


def test_an_obligation_cannot_be_paused() -> None:
    with pytest.raises(ValueError, match="obligation"):
        pause(spoken(OBLIGATION, export_limit_w=0.0), 200.0)
