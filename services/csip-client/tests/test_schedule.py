"""Which control acts when: primacy, creation, per-mode supersede, randomisation, gaps, cancellation."""

from __future__ import annotations

import itertools

import pytest
from csip_builders import held
from hypothesis import given
from hypothesis import strategies as st

from csip_client.model import Draws, Held, Mode, Status
from csip_client.schedule import Window, acting, effective, next_change, rank, schedule, windows

E, G = Mode.EXPORT, Mode.GENERATION


def line(*controls: Held, mode: Mode = E) -> list[tuple[str, int, int]]:
    """The segments of one mode: (mRID, start, end)."""
    return [(each.held.control.mrid, each.start, each.end) for each in schedule(controls).get(mode, [])]


def drawn(start: int = 0, duration: int = 0, cancel: int = 0) -> Draws:
    return Draws(start, duration, cancel)


ROWS = {
    "one control acts from its start to its end": (
        [held("A", 100, 60)],
        [("A", 100, 160)],
    ),
    "the lower primacy wins where both are, the other acts before and after": (
        [held("A", 0, 100, primacy=2), held("B", 20, 30, primacy=1)],
        [("A", 0, 20), ("B", 20, 50), ("A", 50, 100)],
    ),
    "at the same primacy the later creation wins": (
        [held("A", 0, 100, created=5), held("B", 50, 100, created=9)],
        [("A", 0, 50), ("B", 50, 150)],
    ),
    "an older control at the same primacy waits until the newer one ends": (
        [held("A", 0, 100, created=9), held("B", 50, 100, created=5)],
        [("A", 0, 100), ("B", 100, 150)],
    ),
    "a randomised start moves start and end": (
        [held("A", 100, 60, draws=drawn(start=20))],
        [("A", 120, 180)],
    ),
    "a random duration moves the end only": (
        [held("A", 100, 60, draws=drawn(duration=-10))],
        [("A", 100, 150)],
    ),
    "successive events leave no gap when the second starts late": (
        [held("A", 0, 60), held("B", 60, 60, draws=drawn(start=25))],
        [("A", 0, 85), ("B", 85, 145)],
    ),
    "successive events do not overlap when the first ends late": (
        [held("A", 0, 60, draws=drawn(start=25)), held("B", 60, 60)],
        [("A", 25, 60), ("B", 60, 120)],
    ),
    "that an earlier one of better primacy ends late is no overlap": (
        [held("A", 0, 60, primacy=0, draws=drawn(duration=25)), held("B", 60, 60, primacy=5)],
        [("A", 0, 60), ("B", 60, 120)],
    ),
    "a nominal gap stays, and randomisation only shortens it": (
        [held("A", 0, 60, draws=drawn(duration=10)), held("B", 80, 60)],
        [("A", 0, 70), ("B", 80, 140)],
    ),
    "a cancelled one ends when the cancellation was seen": (
        [held("A", 0, 100, status=Status.CANCELLED, cancelled_at=40)],
        [("A", 0, 40)],
    ),
    "cancelled with randomisation it ends a drawn time later": (
        [held("A", 0, 100, status=Status.CANCELLED_RANDOMISED, cancelled_at=40, draws=drawn(cancel=15))],
        [("A", 0, 55)],
    ),
    "cancelled before its start it never acts": (
        [held("A", 100, 100, status=Status.CANCELLED_RANDOMISED, cancelled_at=40, draws=drawn(cancel=90))],
        [],
    ),
    "a cancelled one is not stretched to its successor": (
        [
            held("A", 0, 60, status=Status.CANCELLED, cancelled_at=30),
            held("B", 60, 60, draws=drawn(start=20)),
        ],
        [("A", 0, 30), ("B", 80, 140)],
    ),
    "superseded by the server it does not act, not even without a competitor": (
        [held("A", 0, 100, status=Status.SUPERSEDED)],
        [],
    ),
    "a control without the mode leaves it alone": (
        [held("A", 0, 100), held("B", 0, 100, {G: 0.0}, primacy=0)],
        [("A", 0, 100)],
    ),
    "of three nested ones each acts where nothing better is": (
        [held("A", 0, 100, primacy=3), held("B", 10, 80, primacy=2), held("C", 20, 10, primacy=1)],
        [("A", 0, 10), ("B", 10, 20), ("C", 20, 30), ("B", 30, 90), ("A", 90, 100)],
    ),
}


@pytest.mark.parametrize(("controls", "expected"), ROWS.values(), ids=ROWS.keys())
def test_each_control_acts_when_it_should(controls: list[Held], expected: list[tuple[str, int, int]]) -> None:
    assert line(*controls) == expected


def test_supersede_is_per_mode() -> None:
    better = held("B", 0, 100, {E: 0.0}, primacy=1)
    both = held("A", 0, 100, {E: 500.0, G: 700.0}, primacy=2)
    assert line(better, both) == [("B", 0, 100)]
    assert line(better, both, mode=G) == [("A", 0, 100)]


def test_the_next_change_is_the_next_edge_of_any_mode() -> None:
    plan = schedule([held("A", 10, 10), held("B", 15, 10, {G: 0.0})])
    assert [next_change(plan, now) for now in (0, 10, 15, 20, 25)] == [10, 15, 20, 25, None]


MOMENT = st.integers(0, 400)
SPAN = st.integers(1, 200)
SHIFT = st.integers(-60, 60)


@st.composite
def many(draw: st.DrawFn, randomised: bool = True) -> list[Held]:
    count = draw(st.integers(0, 8))
    found = []
    for number in range(count):
        modes = draw(st.sets(st.sampled_from([E, G]), min_size=1))
        duration = draw(SPAN)
        draws = drawn(draw(SHIFT), max(-duration, draw(SHIFT)), draw(SHIFT)) if randomised else Draws()
        status = draw(st.sampled_from(Status))
        found.append(
            held(
                f"M{number}", draw(MOMENT), duration, dict.fromkeys(modes, 1.0), primacy=draw(st.integers(0, 2)),
                created=draw(st.integers(0, 3)), draws=draws, status=status,
                cancelled_at=draw(MOMENT) if status in (Status.CANCELLED, Status.CANCELLED_RANDOMISED) else None,
            )
        )  # fmt: skip
    return found


@given(many())
def test_segments_of_a_mode_are_in_order_and_never_overlap(controls: list[Held]) -> None:
    for segments in schedule(controls).values():
        assert all(each.start < each.end for each in segments)
        assert all(one.end <= two.start for one, two in itertools.pairwise(segments))


@given(many(), st.randoms())
def test_the_order_in_which_the_server_lists_controls_does_not_matter(
    controls: list[Held], random: object
) -> None:
    shuffled = list(controls)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert {mode: line(*controls, mode=mode) for mode in Mode} == {
        mode: line(*shuffled, mode=mode) for mode in Mode
    }


@given(many(randomised=False), st.integers(0, 600))
def test_without_randomisation_the_best_of_those_in_their_time_acts(controls: list[Held], now: int) -> None:
    """An independent account: look at one moment and pick by hand."""

    def in_its_time(one: Held) -> bool:
        end = one.control.end if one.cancelled_at is None else min(one.control.end, one.cancelled_at)
        started = one.cancelled_at is None or one.control.start < one.cancelled_at
        return one.control.status is not Status.SUPERSEDED and started and one.control.start <= now < end

    for mode in (E, G):
        present = [one for one in controls if mode in one.control.values and in_its_time(one)]
        present.sort(key=lambda one: one.control.mrid)
        present.sort(key=lambda one: -one.created)
        present.sort(key=lambda one: one.control.primacy)
        assert acting(schedule(controls).get(mode, []), now) is (present[0] if present else None)


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=6),
    st.lists(st.integers(-20, 20), min_size=12, max_size=12),
)
def test_back_to_back_controls_leave_no_gap_whatever_was_drawn(spans: list[int], shifts: list[int]) -> None:
    start, controls = 100, []
    for number, span in enumerate(spans):
        draws = drawn(max(0, shifts[number]), max(-span, shifts[number + 6]))
        controls.append(held(f"M{number}", start, span + 40, draws=draws))
        start += span + 40
    segments = line(*controls)
    assert all(one[2] == two[1] for one, two in itertools.pairwise(segments))
    assert [segment[0] for segment in segments] == [each.control.mrid for each in controls]


def by_every_pair(controls: list[Held]) -> list[tuple[str, int, int]]:
    """The windows of export by looking at every pair: cut at, or stretched to, who nominally follows."""
    alone = [each for each in map(effective, controls) if each is not None and E in each.held.control.values]

    def beside(window: Window) -> int:
        later = [
            other for other in alone
            if other is not window and other.held.control.start >= window.held.control.end
        ]  # fmt: skip
        successors = [other.start for other in later if other.held.control.start == window.held.control.end]
        cut = min([window.end, *(other.start for other in later)])
        return min(successors) if successors and window.held.cancelled_at is None else cut

    return [(each.held.control.mrid, each.start, max(each.start, beside(each))) for each in alone]


@st.composite
def crowded(draw: st.DrawFn) -> list[Held]:
    """Many that nominally touch, some without a duration of their own."""
    rows = draw(
        st.lists(st.tuples(*[st.integers(0, 8)] * 2, *[st.integers(-3, 3)] * 2, st.booleans()), max_size=9)
    )
    return [
        held(
            f"M{number}", start, duration, primacy=number % 2, draws=drawn(early, max(-duration, longer)),
            **({"status": Status.CANCELLED, "cancelled_at": start + 2} if cancelled else {}),
        )
        for number, (start, duration, early, longer, cancelled) in enumerate(rows)
    ]  # fmt: skip


@given(st.one_of(many(), crowded()))
def test_neighbours_cut_and_stretch_a_window_as_a_look_at_every_pair_says(controls: list[Held]) -> None:
    found = [(each.held.control.mrid, each.start, each.end) for each in windows(controls, E)]
    assert found == by_every_pair(controls)


@given(st.one_of(many(), crowded()), st.integers(-70, 700))
def test_at_each_moment_the_best_of_those_in_their_windows_acts(controls: list[Held], now: int) -> None:
    present = [each.held for each in windows(controls, E) if each.start <= now < each.end]
    assert acting(schedule(controls).get(E, []), now) is min(present, key=rank, default=None)
