"""`csip/schedule` fits into what receivers take, however much the utility has planned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from csip_builders import LFDI, held
from hypothesis import given, settings
from hypothesis import strategies as st

from csip_client import voice
from csip_client.adapters.store import Store
from csip_client.model import Held, Mode
from csip_client.obey import Now, Obedience, Policy
from csip_client.schedule import schedule
from csip_client.statement import Statement
from dynexport import topics
from dynexport.inbox import LARGEST_PAYLOAD, check
from dynexport.messages import CsipSchedule
from dynexport.ports import Received

START, STEP_S = 1_800_000_000, 300
WALL = datetime.fromtimestamp(START, UTC)


@pytest.fixture(scope="module")
def obedience(tmp_path_factory: pytest.TempPathFactory) -> Obedience:
    folder: Path = tmp_path_factory.mktemp("state")
    return Obedience(Store(folder / "a.sqlite", "https://a", LFDI), Policy(10_000.0, {}), lambda upto: 0)


def envelopes(count: int, program: str = "B" * 32) -> list[Held]:
    """Five-minute controls of two modes, one after the other."""
    return [
        held(
            f"{number:032X}", START + number * STEP_S, STEP_S,
            {Mode.EXPORT: 1500.0 + number, Mode.IMPORT: 2500.0 + number}, program=program,
        )
        for number in range(count)
    ]  # fmt: skip


def said(obedience: Obedience, controls: Sequence[Held]) -> CsipSchedule:
    obedience.plan = schedule(controls)
    in_force = obedience.now(START).in_force
    return voice.schedule(obedience, Now(Statement({}, {}), in_force, None, False), WALL, START)


def test_two_days_of_five_minute_envelopes_in_two_modes_are_cut_to_the_nearest_that_fit(
    obedience: Obedience,
) -> None:
    controls = envelopes(576)
    plan = said(obedience, controls)
    payload = plan.to_payload()
    assert LARGEST_PAYLOAD - 400 < len(payload) <= LARGEST_PAYLOAD, "as many as fit"
    shown = [(each["start"], each["mode"]) for each in plan.coming]
    assert shown == sorted(shown)
    nearest = [each.control.mrid for each in controls for _ in range(2)]
    assert [each["mrid"] for each in plan.coming] == nearest[: len(plan.coming)]
    assert plan.coming_until is not None
    assert plan.coming_until.timestamp() == START + len(plan.coming) // 2 * STEP_S
    received = check(topics.CSIP_SCHEDULE, (), "csip/schedule", payload, False, WALL, 0.0)
    assert isinstance(received, Received)
    assert received.message == plan


def test_what_fits_is_said_whole_and_without_a_word_of_a_cut(obedience: Obedience) -> None:
    plan = said(obedience, envelopes(100))
    assert len(plan.coming) == 200
    assert plan.coming_until is None
    assert b"coming_until" not in plan.to_payload()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 576), st.text(max_size=40), st.integers(1, 3000))
def test_the_schedule_always_fits_whatever_the_names_of_the_programs(
    obedience: Obedience, count: int, name: str, times: int
) -> None:
    plan = said(obedience, envelopes(count, program=name * times))
    assert len(plan.to_payload()) <= LARGEST_PAYLOAD
    assert (plan.coming_until is None) == (len(plan.coming) == 2 * count)
