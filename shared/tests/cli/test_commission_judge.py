"""The judge of the capability test, as a table of courses of export."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dynexport.cli.commission.judge import Outcome, Run, Sample, judge

RATED_W, HOLD_S = 10_000.0, 30.0
FREE_W, AT_LIMIT_W = 9000.0, 6000.0

Course = Callable[[float], float]


def steady(export_w: float, after_s: float = 3.0) -> Course:
    """Another export before, this one from some seconds on."""
    return lambda seconds: export_w if seconds >= after_s else 9000.0


def run(
    course: Course,
    *,
    level_w: float = 5000.0,
    load: Course = lambda _: 1000.0,
    held_w: float | None = AT_LIMIT_W,
    lasts_s: float = 50.0,
    tighter: str = "",
    trouble: str = "",
) -> Run:
    moments = [tick * 0.5 for tick in range(round(lasts_s * 2) + 1)]
    samples = [Sample(100.0 + at, course(at), course(at) + load(at), held_w) for at in moments]
    return Run(level_w, 100.0, HOLD_S, tuple(samples), tighter=tighter, trouble=trouble)


@pytest.mark.parametrize(
    ("course", "outcome", "said"),
    [
        (steady(5000.0), Outcome.PASSED, "reached in 3.0 s, held for 47 s"),
        (steady(5399.0), Outcome.PASSED, "reached"),
        (steady(4601.0), Outcome.PASSED, "reached"),
        (steady(5401.0), Outcome.FAILED, "401 W over, after 15 s"),
        (steady(4599.0), Outcome.FAILED, "could make more"),
        (steady(5000.0, 15.0), Outcome.PASSED, "reached in 15.0 s"),
        (steady(5000.0, 15.5), Outcome.FAILED, "reached after 15.5 s"),
        (lambda at: 5000.0 if 3 <= at < 5 or at >= 20 else 9000.0, Outcome.FAILED, "reached after 20.0 s"),
    ],
)
def test_a_level_must_be_reached_in_15_s_within_4_percent_of_the_ratings(
    course: Course, outcome: Outcome, said: str
) -> None:
    judged = judge(run(course), RATED_W)
    assert judged.outcome is outcome
    assert said in judged.sentence


@pytest.mark.parametrize(
    ("held_w", "course", "load_w", "outcome"),
    [
        (FREE_W, steady(3000.0), 1000.0, Outcome.NOT_REACHABLE),
        (4000.0, steady(3000.0), 1000.0, Outcome.FAILED),
        (10_000.0, steady(3000.0), 7000.0, Outcome.NOT_REACHABLE),  # all that they are rated
        (FREE_W, steady(5500.0), 1000.0, Outcome.FAILED),  # over is over, whatever the sun
        (None, steady(3000.0), 1000.0, Outcome.FAILED),
    ],
)
def test_below_the_level_it_counts_whether_the_inverters_could_make_more(
    held_w: float | None, course: Course, load_w: float, outcome: Outcome
) -> None:
    assert judge(run(course, held_w=held_w, load=lambda _: load_w), RATED_W).outcome is outcome


def test_zero_export_is_held_by_the_ratings_not_by_4_percent_of_nothing() -> None:
    judged = judge(run(steady(50.0), level_w=0.0), RATED_W)
    assert judged.outcome is Outcome.PASSED
    assert judged.over_w == 50.0
    assert judged.mean_w == pytest.approx(50.0)


def bump(by_w: float, seconds: float) -> Course:
    """Held at 5000 W but for some seconds from 20 s on."""
    return lambda at: 5000.0 + (by_w if 20 <= at < 20 + seconds else 0.0) if at >= 3 else 9000.0


def load_step(by_w: float) -> Course:
    return lambda at: 1000.0 + (by_w if at >= 20 else 0.0)


@pytest.mark.parametrize(
    ("course", "load", "held_w", "outcome", "said"),
    [
        (bump(2000.0, 4.0), load_step(-2000.0), AT_LIMIT_W, Outcome.PASSED, "held"),
        (
            bump(2000.0, 15.5),
            load_step(-2000.0),
            AT_LIMIT_W,
            Outcome.FAILED,
            "over the level for 15.5 s after",
        ),
        (bump(2000.0, 2.0), load_step(0.0), AT_LIMIT_W, Outcome.FAILED, "though the load had not changed"),
        (bump(-2000.0, 4.0), load_step(2000.0), AT_LIMIT_W, Outcome.PASSED, "held"),
        (
            bump(-2000.0, 16.0),
            load_step(2000.0),
            AT_LIMIT_W - 1000.0,
            Outcome.FAILED,
            "under the level for 16.0 s",
        ),
        (bump(-2000.0, 8.0), load_step(0.0), FREE_W, Outcome.PASSED, "held"),  # a cloud
        (bump(-2000.0, 20.0), load_step(0.0), FREE_W, Outcome.NOT_REACHABLE, "the sun did not last"),
    ],
)
def test_while_it_is_held_only_a_load_or_a_cloud_excuses_and_for_15_s(
    course: Course, load: Course, held_w: float, outcome: Outcome, said: str
) -> None:
    judged = judge(run(course, load=load, held_w=held_w), RATED_W)
    assert (judged.outcome, said in judged.sentence) == (outcome, True), judged.sentence
    assert len(judged.excursions) == 1


def test_a_loop_that_hunts_is_not_excused_by_the_load_that_it_invents() -> None:
    def hunting(at: float) -> float:
        return 5000.0 + (900.0 if at >= 10 and round(at) % 8 < 3 else 0.0)

    judged = judge(run(hunting), RATED_W)
    assert judged.outcome is Outcome.FAILED


def test_what_ended_early_or_was_tightened_by_others_is_no_verdict_on_the_site() -> None:
    assert judge(run(steady(5000.0), lasts_s=20.0), RATED_W).outcome is Outcome.ABORTED
    assert judge(run(steady(5000.0), lasts_s=5.0, trouble="interrupted"), RATED_W).sentence == "interrupted"
    tighter = judge(run(steady(1500.0), tighter="csip limits export to 1500 W"), RATED_W)
    assert tighter.outcome is Outcome.TIGHTER
    assert judge(run(steady(0.0), lasts_s=0.0), RATED_W).outcome is Outcome.ABORTED
