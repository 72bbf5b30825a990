"""The predecessor's known faults in its control lane, each by its number: we have none of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from csip_builders import control, held
from hypothesis import given
from hypothesis import strategies as st
from lane_site import Site
from test_answers import Client
from test_schedule import many

from csip_client.holding import absorb
from csip_client.model import Assignments, Draws, Held, Mode, Program, Status
from csip_client.schedule import acting, schedule
from dynexport.testing.pki import Pki
from utility_simulator import tree
from utility_simulator.style import PLAIN
from utility_simulator.tree import stated, watts

E, G = Mode.EXPORT, Mode.GENERATION


def test_fault_1_a_better_control_acts_from_its_own_start_not_from_the_end_of_the_running_one() -> None:
    running, better = held("A", 0, 3600, primacy=2), held("B", 1800, 3600, primacy=1)
    line = schedule([running, better])[E]
    assert [acting(line, now) for now in (1799, 1800, 5399)] == [running, better, better]


def test_fault_2_a_nested_better_control_acts_in_between_and_nothing_fails() -> None:
    outer, inner = held("A", 0, 3600, primacy=2), held("B", 600, 600, primacy=1)
    line = schedule([outer, inner])[E]
    assert [acting(line, now) for now in (599, 600, 1199, 1200)] == [outer, inner, inner, outer]


def test_fault_3_the_default_never_vanishes_at_a_restart_whatever_of_the_walk_fails(site: Site) -> None:
    site.run(30.0)
    for lost in ("fsa", "derp:0", "dderc:0:0"):
        site.store.close()
        site.boot()
        site.utility.failing = lambda each, lost=lost: (500, {}) if each.name == lost else None  # type: ignore[misc]
        for _ in range(40):
            site.run(1.0)
            assert site.watts() == {"export_limit_w": 0.0}, lost


def test_fault_12_a_disabled_end_device_a_missing_nmi_and_a_refused_post_end_nothing(site: Site) -> None:
    site.utility.failing = lambda each: (500, {}) if each.name == "edev" and each.method == "POST" else None
    site.run(60.0)
    site.utility.failing = lambda each: None
    site.run(600.0)
    assert site.watts() == {"export_limit_w": 0.0}
    assert len([each for each in site.got("cp") if each.method == "PUT"]) == 1


def test_fault_33_a_sliced_control_acts_again_after_the_slice_and_is_not_completed_before_its_end() -> None:
    client = Client()
    client.walk(0, control("A", 10, 100, primacy=2), control("B", 30, 20, {G: 0.0}, primacy=1))
    client.run(1, 200)
    assert (110, "A", 3) in client.said
    line = schedule(client.held.values())[E]
    assert [(each.start, each.end) for each in line] == [(10, 110)]


def test_fault_35_one_draw_for_each_control_kept_through_polls_and_the_end_follows_the_start() -> None:
    draws = iter((40, 7, 3, 99, 99, 99))
    seen = Assignments(
        (Program("D", "P1", 1),),
        (
            replace(
                control("A", 100, 60, {E: 1.0, G: 2.0}, randomize_start=60, randomize_duration=10), device="D"
            ),
        ),
    )
    first = absorb({}, seen, 0, lambda upto: next(draws))
    again = absorb(first, seen, 50, lambda upto: next(draws))
    assert first == again
    plan = schedule(again.values())
    assert {mode: [(each.start, each.end) for each in line] for mode, line in plan.items()} == {
        E: [(140, 207)],
        G: [(140, 207)],
    }


def test_fault_36_an_answer_that_failed_is_sent_later_in_order_and_once(site: Site) -> None:
    site.utility.style = PLAIN
    site.run(10.0)
    now = int(site.utility.now())
    site.utility.programs[0][0].controls["A"] = site.utility.control("AA", now, 100, watts("opModExpLimW", 5))
    site.utility.failing = lambda each: (500, {}) if each.name == "rsp" else None
    site.run(300.0)
    assert site.utility.answers() == []
    site.utility.failing = lambda each: None
    site.run(200.0)
    assert site.utility.answers() == [("AA", 1), ("AA", 2), ("AA", 3)]


@pytest.mark.parametrize("page", [1, 2, 9])
def test_fault_39_pages_of_any_size_are_read_to_the_end(pki: Pki, tmp_path: Path, page: int) -> None:
    site = Site(pki, tmp_path, style=replace(PLAIN, page=page))
    site.utility.programs = [
        [tree.Program(number, default=stated(watts("opModExpLimW", 100 + number))) for number in range(11)]
    ]
    site.run(30.0)
    assert len(site.obedience.programs) == 11
    assert site.watts() == {"export_limit_w": 100.0}
    site.end()


def test_fault_40_an_assignment_without_programs_hides_no_other(site: Site) -> None:
    real = site.utility._pages._assignment
    site.utility.programs.insert(0, [])

    def without_link(number: int) -> str:
        text = real(number)
        return text if number else text.split("<DERProgramListLink")[0] + "</FunctionSetAssignments>"

    site.utility._pages._assignment = without_link  # type: ignore[method-assign]
    site.run(30.0)
    assert site.watts() == {"export_limit_w": 0.0}


def test_fault_41_each_mode_takes_its_default_from_the_best_program_that_has_it(site: Site) -> None:
    site.utility.programs[0].append(tree.Program(2, default=stated(watts("opModGenLimW", 4000))))
    site.run(30.0)
    assert site.watts() == {"export_limit_w": 0.0, "generation_limit_w": 4000.0}


def test_fault_42_connect_and_energize_false_together_are_both_stated(site: Site) -> None:
    site.run(10.0)
    now = int(site.utility.now())
    off = "<opModConnect>false</opModConnect><opModEnergize>false</opModEnergize>"
    site.utility.programs[0][0].controls["A"] = site.utility.control("AA", now, 300, off)
    site.run(70.0)
    said = site.obedience.now(site.lanes.server_now()).statement
    assert said.switches == {"connect": False, "energize": False}


def test_fault_44_import_and_load_limits_are_stated(site: Site) -> None:
    site.utility.programs[0][0].default = stated(watts("opModImpLimW", 2000) + watts("opModLoadLimW", 3000))
    site.run(30.0)
    assert site.watts() == {"import_limit_w": 2000.0, "load_limit_w": 3000.0}


@given(many(), st.integers(-100, 700))
def test_whatever_was_drawn_only_a_control_in_its_widest_time_acts(controls: list[Held], now: int) -> None:
    """Never a control that was superseded, never one outside its start and end with everything drawn."""
    for mode, line in schedule(controls).items():
        one = acting(line, now)
        if one is None:
            continue
        start, end = (
            one.control.start + one.draws.start,
            one.control.end + one.draws.start + one.draws.duration,
        )
        assert mode in one.control.values
        assert one.control.status is not Status.SUPERSEDED
        followed = [
            each.control.start + each.draws.start
            for each in controls
            if each.control.start == one.control.end
        ]
        assert start <= now < max(end, *followed, end)


@given(many(randomised=False), st.integers(0, 3))
def test_a_better_control_is_never_left_out_for_a_worse_one_in_any_mode(
    controls: list[Held], best: int
) -> None:
    """Never looser than allowed: where a control of primacy -1 is in its time, it acts in each of its modes."""
    top = held("TOP", 50 * best, 100, {E: 0.0, G: 0.0}, primacy=-1)
    plan = schedule([*controls, top])
    for mode in (E, G):
        assert all(acting(plan[mode], now) is top for now in range(50 * best, 50 * best + 100, 7))


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 30), st.integers(-20, 20)), min_size=2, max_size=6)
)
def test_successive_controls_of_two_programs_leave_no_gap_whatever_was_drawn(
    spans: list[tuple[int, int, int]],
) -> None:
    start, controls = 100, []
    for number, (span, late, longer) in enumerate(spans):
        duration = span + 40
        draws = Draws(late, max(longer, -duration))
        controls.append(
            held(f"M{number}", start, duration, primacy=number % 2, program=f"P{number % 2}", draws=draws)
        )
        start += duration
    segments = schedule(controls)[E]
    assert all(one.end == two.start for one, two in pairwise(segments))
    assert [each.held for each in segments] == controls
