"""Which answers are due: each once, in order, the procedures' sequences (ALL-18, ALL-21, GEN-10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from csip_builders import control, held, program
from hypothesis import given
from hypothesis import strategies as st

from csip_client import answers
from csip_client import schedule as scheduling
from csip_client.answers import due
from csip_client.holding import KEPT_S, absorb
from csip_client.model import Answer, Assignments, Control, Draws, Held, Mode, Status
from csip_client.schedule import Window, acting, effective, schedule

E, G = Mode.EXPORT, Mode.GENERATION
PROGRAMS = tuple(program(f"P{number}", number) for number in range(4))


class Client:
    """Walks, waits and answers as the service does, and remembers what it answered when."""

    def __init__(self, awake_since: int = 0) -> None:
        self.held: dict[tuple[str, str], Held] = {}
        self.said: list[tuple[int, str, int]] = []
        self.awake_since = awake_since
        self.draws: list[int] = []

    def walk(self, now: int, *controls: Control, withdrawn: Sequence[str] = ()) -> None:
        programs = tuple(each for each in PROGRAMS if each.id not in withdrawn)
        self.held = absorb(self.held, Assignments(programs, controls), now, self.draw)
        self.tick(now)

    def draw(self, upto: int) -> int:
        """The next of what the test draws; nothing where it says nothing."""
        return self.draws.pop(0) if self.draws else 0

    def tick(self, now: int) -> None:
        for _ in range(5):
            found = due(self.held.values(), schedule(self.held.values()), now, awake_since=self.awake_since)
            if not found:
                return
            for each in found:
                key = each.held.control.key
                before = self.held[key]
                self.held[key] = replace(before, answered=before.answered | {each.answer})
                self.said.append((now, each.held.control.mrid, int(each.answer)))
        raise AssertionError("answers never end")

    def run(self, start: int, end: int) -> None:
        for now in range(start, end):
            self.tick(now)

    def of(self, mrid: str) -> list[int]:
        return [answer for _, name, answer in self.said if name == mrid]


def test_a_control_that_runs_its_course_is_received_started_completed() -> None:
    client = Client()
    client.walk(0, control("A", 10, 20))
    client.run(1, 60)
    assert client.said == [(0, "A", 1), (10, "A", 2), (30, "A", 3)]


def test_all_18_cancelled_while_active_is_1_2_6() -> None:
    client = Client()
    client.walk(0, control("A", 10, 100))
    client.run(1, 40)
    client.walk(40, control("A", 10, 100, status=Status.CANCELLED))
    client.run(41, 200)
    assert client.said == [(0, "A", 1), (10, "A", 2), (40, "A", 6)]


def test_all_18_cancelled_before_its_start_is_1_6() -> None:
    client = Client()
    client.walk(0, control("A", 100, 100))
    client.walk(40, control("A", 100, 100, status=Status.CANCELLED_RANDOMISED))
    client.run(41, 300)
    assert client.of("A") == [1, 6]


def test_all_18_marked_superseded_by_the_server_is_answered_7_at_once_though_the_overlap_is_to_come() -> None:
    client = Client()
    client.walk(0, control("A", 100, 100))
    client.walk(20, control("A", 100, 100, status=Status.SUPERSEDED), control("B", 150, 100, created=20))
    client.run(21, 400)
    assert client.of("A") == [1, 7]
    assert (20, "A", 7) in client.said
    assert client.of("B") == [1, 2, 3]


def test_an_unmarked_overlap_to_come_is_answered_7_only_when_the_better_one_starts() -> None:
    client = Client()
    client.walk(0, control("A", 10, 100, primacy=2), control("B", 50, 100, primacy=1))
    client.run(1, 200)
    assert [each for each in client.said if each[1] == "A"] == [(0, "A", 1), (10, "A", 2), (50, "A", 7)]
    assert client.of("B") == [1, 2, 3]


def test_a_superseded_one_that_acts_again_answers_nothing_more() -> None:
    client = Client()
    client.walk(0, control("A", 10, 100, primacy=2), control("B", 30, 20, primacy=1))
    client.run(1, 200)
    assert client.of("A") == [1, 2, 7]
    assert client.of("B") == [1, 2, 3]


def test_one_that_starts_below_a_better_one_is_answered_7_at_its_own_start_and_never_started() -> None:
    client = Client()
    client.walk(0, control("A", 50, 20, primacy=2), control("B", 10, 100, primacy=1))
    client.run(1, 200)
    assert [each for each in client.said if each[1] == "A"] == [(0, "A", 1), (50, "A", 7)]


def test_gen_10_both_of_two_programs_start_when_one_keeps_a_mode_of_its_own() -> None:
    client = Client()
    seventh = control("C7", 10, 100, {E: 0.0}, primacy=1)
    eighth = control("C8", 10, 100, {E: 500.0, G: 500.0}, primacy=2, program="P2")
    client.walk(0, seventh, eighth)
    client.run(1, 200)
    assert client.of("C7") == [1, 2, 3]
    assert client.of("C8") == [1, 2, 3]


def test_all_21_back_to_back_controls_are_each_answered_1_2_3_the_earlier_completed_before_the_later_starts() -> (
    None
):
    client = Client()
    controls = [control(f"M{number:02}", 60 * number + 60, 60) for number in range(24)]
    client.walk(0, *controls)
    client.run(1, 60 * 26)
    assert all(client.of(each.mrid) == [1, 2, 3] for each in controls)
    at_change = [(name, answer) for now, name, answer in client.said if now == 120]
    assert at_change == [("M00", 3), ("M01", 2)]


def test_within_one_poll_all_receipts_go_first_then_ends_then_starts() -> None:
    client = Client()
    client.walk(0, control("A", 5, 100), control("C", 20, 100, {G: 0.0}))
    client.run(1, 9)
    client.said.clear()
    client.walk(
        30, control("A", 5, 100, status=Status.CANCELLED), control("B", 25, 50), control("C", 20, 100, {G: 0.0}),
        control("D", 90, 50),
    )  # fmt: skip
    assert [(name, answer) for _, name, answer in client.said] == [
        ("B", 1),
        ("D", 1),
        ("A", 6),
        ("C", 2),
        ("B", 2),
    ]


def test_a_control_over_when_it_is_served_is_ignored() -> None:
    client = Client()
    client.walk(500, control("A", 10, 100))
    assert client.said == []
    assert client.held == {}


def test_a_control_that_disappears_is_not_cancelled() -> None:
    client = Client()
    client.walk(0, control("A", 10, 100))
    client.run(1, 50)
    client.walk(50)
    client.run(51, 150)
    assert client.of("A") == [1, 2, 3]


def test_p_02_the_controls_of_a_withdrawn_program_are_dropped_without_another_answer() -> None:
    client = Client()
    client.walk(0, control("A", 10, 100, program="P2"))
    client.run(1, 20)
    client.walk(20, withdrawn=["P2"])
    assert schedule(client.held.values()) == {}
    client.run(21, 150)
    assert client.of("A") == [1, 2]


def test_a_program_that_is_away_for_one_poll_changes_no_draw_and_repeats_no_answer() -> None:
    client = Client()
    event = control("A", 10, 100, program="P2", randomize_start=30)
    client.draws = [7, 0, 0]
    client.walk(0, event)
    client.run(1, 60)
    client.walk(60, withdrawn=["P2"])
    client.run(60, 70)
    client.walk(70, event)
    assert acting(schedule(client.held.values())[E], 70) is not None
    client.run(71, 200)
    assert client.said == [(0, "A", 1), (17, "A", 2), (117, "A", 3)]


def test_a_withdrawn_control_comes_back_with_what_the_server_says_of_it_then() -> None:
    client = Client()
    client.walk(0, control("A", 10, 100, program="P2"))
    client.run(1, 60)
    client.walk(60, withdrawn=["P2"])
    client.walk(70, control("A", 10, 100, program="P2", status=Status.CANCELLED))
    client.run(71, 200)
    assert client.said == [(0, "A", 1), (10, "A", 2), (70, "A", 6)]


def test_a_program_that_comes_back_without_its_control_does_not_bring_it_back() -> None:
    client = Client()
    client.walk(0, control("A", 10, 100, program="P2"))
    client.run(1, 60)
    client.walk(60, withdrawn=["P2"])
    client.walk(70)
    client.run(71, 200)
    assert client.of("A") == [1, 2]
    assert schedule(client.held.values()) == {}


@pytest.mark.parametrize("withdrawn_at", [5, 60])
def test_a_withdrawn_control_that_is_over_when_its_program_is_back_is_not_said_to_have_run(
    withdrawn_at: int,
) -> None:
    client = Client()
    event = control("A", 10, 100, program="P2")
    client.walk(0, event)
    client.run(1, withdrawn_at)
    client.walk(withdrawn_at, withdrawn=["P2"])
    for now in (150, 200):
        client.walk(now, event)
        client.run(now, now + 50)
    assert client.of("A") == ([1] if withdrawn_at == 5 else [1, 2])


def test_a_withdrawn_control_is_remembered_for_a_day_from_its_withdrawal() -> None:
    client = Client()
    client.walk(0, control("A", 10, 10 * KEPT_S, program="P2"))
    for now in (60, 60 + KEPT_S - 1):
        client.walk(now, withdrawn=["P2"])
        assert [each.withdrawn_at for each in client.held.values()] == [60]
    client.walk(60 + KEPT_S, withdrawn=["P2"])
    assert client.held == {}


def test_an_event_over_when_it_is_first_seen_is_never_drawn_for_so_that_no_poll_revives_it() -> None:
    client = Client()
    client.draws = [3600] * 99
    for now in range(110, 3000, 60):
        client.walk(now, control("A", 10, 100, randomize_start=3600, randomize_duration=3600))
    assert client.held == {}
    assert len(client.draws) == 99


def test_what_is_drawn_for_an_event_in_its_time_is_kept_though_it_ended_before_by_that_draw() -> None:
    client = Client()
    client.draws = [0, -60, 0, 0, 0, 0]
    for now in (80, 100):
        client.walk(now, control("A", 10, 100, randomize_duration=-60))
    assert [each.draws.duration for each in client.held.values()] == [-60]
    assert schedule(client.held.values())[E][0].end == 50


def test_what_ran_wholly_while_we_were_off_is_not_said_to_have_run() -> None:
    client = Client()
    client.walk(0, control("A", 10, 20))
    client.awake_since = 100
    client.run(100, 110)
    assert client.of("A") == [1]


@pytest.mark.parametrize(("bits", "expected"), [(0, []), (1, [1]), (2, [2, 3]), (3, [1, 2, 3])])
def test_only_what_the_server_asks_for_is_answered(bits: int, expected: list[int]) -> None:
    client = Client()
    client.walk(0, control("A", 10, 20, response_required=bits))
    client.run(1, 60)
    assert client.of("A") == expected


def test_without_a_reply_to_nothing_is_answered() -> None:
    client = Client()
    client.walk(0, control("A", 10, 20, reply_to=None))
    client.run(1, 60)
    assert client.said == []


def test_a_control_without_any_mode_still_runs_its_course() -> None:
    client = Client()
    client.walk(0, replace(control("A", 10, 20), values={}))
    client.run(1, 60)
    assert client.of("A") == [1, 2, 3]


def test_an_event_cut_by_its_successors_random_start_is_completed_there() -> None:
    early = held("B", 60, 60, draws=Draws(start=-10))
    client = Client()
    client.held = {each.control.key: each for each in (held("A", 0, 60), early)}
    client.run(0, 200)
    assert [each for each in client.said if each[2] == 3] == [(50, "A", 3), (110, "B", 3)]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 100), st.integers(1, 60), st.integers(0, 2), st.sets(st.sampled_from([E, G]), min_size=1)
        ),
        max_size=6,
    ),
    st.integers(0, 150),
    st.sampled_from([Status.CANCELLED, Status.CANCELLED_RANDOMISED, Status.SUPERSEDED]),
)  # fmt: skip
def test_every_answer_is_given_once_in_a_lawful_order(
    rows: list[tuple[int, int, int, set[Mode]]], ended_at: int, how: Status
) -> None:
    controls = [
        control(f"M{number}", start, span, dict.fromkeys(modes, 1.0), primacy=primacy)
        for number, (start, span, primacy, modes) in enumerate(rows)
    ]
    client = Client()
    client.walk(0, *controls)
    client.run(1, ended_at)
    if controls and ended_at:
        client.walk(ended_at, replace(controls[0], status=how), *controls[1:])
    client.run(ended_at, 250)
    for each in controls:
        said = client.of(each.mrid)
        assert len(said) == len(set(said)), "never twice"
        assert said[:1] == [1]
        assert sum(answer in (3, 6, 7) for answer in said) == 1, "each comes to one end"
        assert said[-1] in (3, 6, 7)
        assert (3 not in said) or said == [1, 2, 3]
    assert {Answer(answer) for _, _, answer in client.said} <= set(Answer)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Held]:
    """Every control whose window was worked out."""
    found: list[Held] = []

    def counted(one: Held) -> Window | None:
        found.append(one)
        return effective(one)

    for module in (answers, scheduling):
        monkeypatch.setattr(module, "effective", counted)
    return found


STEP_S, MANY = 300, 288


def envelopes(first: int, count: int, **other: Any) -> list[Held]:
    """Five-minute controls one after the other, each in two modes."""
    return [
        held(f"M{number:04}", number * STEP_S, STEP_S, {E: 1.0, G: 2.0}, **other)
        for number in range(first, first + count)
    ]


def test_a_day_of_five_minute_envelopes_is_answered_with_a_few_looks_at_each_control(
    looks: list[Held],
) -> None:
    client = Client()
    client.held = {each.control.key: each for each in envelopes(0, MANY)}
    plan = schedule(client.held.values())
    for now in range(0, (MANY + 1) * STEP_S, STEP_S):
        looks.clear()
        found = due(client.held.values(), plan, now, awake_since=0)
        assert len(looks) <= 3 * MANY, "once for itself, once for each of two modes"
        for each in found:
            before = client.held[each.held.control.key]
            client.held[before.control.key] = replace(before, answered=before.answered | {each.answer})
            client.said.append((now, before.control.mrid, int(each.answer)))
    started = {name: now for now, name, answer in client.said if answer == 2}
    assert started == {f"M{number:04}": number * STEP_S for number in range(MANY)}
    completed = {name: now for now, name, answer in client.said if answer == 3}
    assert completed == {f"M{number:04}": (number + 1) * STEP_S for number in range(MANY)}


@pytest.mark.parametrize("nobody", [{"response_required": 0}, {"response_required": 1}, {"reply_to": None}])
def test_a_control_that_nobody_asks_about_is_not_looked_at(looks: list[Held], nobody: dict[str, Any]) -> None:
    everything = envelopes(0, MANY, answered=frozenset({Answer.RECEIVED}), **nobody)
    assert due(everything, schedule(everything), MANY * STEP_S, awake_since=0) == []
    assert len(looks) == 2 * MANY, "for the plan only"


def test_what_ran_while_we_were_off_is_looked_at_once_each(looks: list[Held]) -> None:
    now = 3 * MANY * STEP_S
    everything = envelopes(0, MANY, answered=frozenset({Answer.RECEIVED}))
    assert due(everything, {}, now, awake_since=now) == []
    assert len(looks) == MANY


@pytest.mark.parametrize(("late_s", "expected"), [(10, []), (40, [Answer.STARTED])])
def test_one_that_its_successor_stretched_beyond_our_start_has_run(
    late_s: int, expected: list[Answer]
) -> None:
    first = held("A", 0, 60, answered=frozenset({Answer.RECEIVED}))
    second = held("B", 60, 60, draws=Draws(start=late_s), reply_to=None)
    found = due([first, second], schedule([first, second]), 85, awake_since=80)
    assert [each.answer for each in found] == expected
