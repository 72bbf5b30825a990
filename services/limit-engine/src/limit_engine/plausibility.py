"""A feed-in meter that is alive but wrong: frozen, or with its current transformer turned round.

Rules of contract.md, "feed-in meter, alive but wrong". Pure: fed with powers and times.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

FROZEN_S = 20.0
FROZEN_MOVE = 0.02
STEP_MOVE = 0.05
QUIET_MOVE = 0.01
PLATEAU_S = 4.0
LATE_S = 1.5
STEP_LASTS_S = 20.0
MOVING = 0.005
FEWEST_MOVES = 3
LONGEST_PATH = 200


@dataclass(frozen=True, slots=True)
class Plateau:
    """A stretch in which generation stood still: its end, generation, and the last site powers in it, watts."""

    moment: float
    generation_w: float
    sites_w: tuple[float, ...]


@dataclass(slots=True)
class Plausibility:
    """Whether the meter answers as a meter must. `rated_w` is the sum of the ratings."""

    rated_w: float
    has_battery: bool = False
    wrong: str | None = None
    _value_w: float | None = None
    _since: float = 0.0
    _least_w: float = 0.0
    _most_w: float = 0.0
    _recent: deque[tuple[float, float, float]] = field(default_factory=deque)
    _plateau: Plateau | None = None
    _path: list[tuple[float, float]] = field(default_factory=list)
    _bad: int = 0
    _good: int = 0

    def observe(
        self, mono: float, site_w: float, generation_w: float, battery_w: float | None = None
    ) -> None:
        """Take in a meter reading with the generation measured at that time; sets `wrong` to words or None.

        With a battery, `battery_w` is its fresh reading (+ discharge), None when there is none.
        """
        self._watch_frozen(mono, site_w, generation_w)
        self._watch_answers(mono, site_w + (battery_w or 0.0), generation_w, battery_w is not None)
        if self._frozen(mono):
            self.wrong = "the meter has repeated one value while generation moved"
        elif self._bad >= 2:
            self.wrong = "the meter does not answer to changes of generation as a feed-in meter must"
        else:
            self.wrong = None

    def forget(self) -> None:
        """Begin anew: what comes next is not to be held against what came before. The judgement stays."""
        self._value_w, self._plateau = None, None
        self._recent.clear()
        self._path = []

    def _watch_frozen(self, mono: float, site_w: float, generation_w: float) -> None:
        if site_w != self._value_w:
            self._value_w, self._since = site_w, mono
            self._least_w = self._most_w = generation_w
        self._least_w = min(self._least_w, generation_w)
        self._most_w = max(self._most_w, generation_w)

    def _frozen(self, mono: float) -> bool:
        moved = self._most_w - self._least_w > FROZEN_MOVE * self.rated_w
        return moved and mono - self._since >= FROZEN_S

    def _watch_answers(self, mono: float, site_w: float, generation_w: float, battery_known: bool) -> None:
        self._recent.append((mono, generation_w, site_w))
        self._path = [*self._path[-LONGEST_PATH:], (generation_w, site_w)]
        while self._recent[0][0] < mono - PLATEAU_S:
            self._recent.popleft()
        powers = [power for _, power, _ in self._recent]
        if (
            mono - self._recent[0][0] < PLATEAU_S * 0.8
            or max(powers) - min(powers) > QUIET_MOVE * self.rated_w
        ):
            return
        late = tuple(site for moment, _, site in self._recent if moment > mono - LATE_S)
        plateau = Plateau(mono, sum(powers) / len(powers), late)
        before, self._plateau = self._plateau, plateau
        path, self._path = self._path, [(generation_w, site_w)]
        if before is None or mono - before.moment > STEP_LASTS_S:
            return
        change_w = plateau.generation_w - before.generation_w
        if abs(change_w) >= STEP_MOVE * self.rated_w:
            # A change of the load that we answered shows in the last readings before generation moved, so the
            # kindest of them is taken: it must not look like a meter that does not answer. A load that changed
            # in the midst of the move spoils one pair of neighbours, so their median is asked as well.
            after_w = sum(late) / len(late)
            answer = max(-(after_w - site) / change_w for site in before.sites_w)
            self._judge(max(answer, _median_answer(path, MOVING * self.rated_w)), battery_known)

    def _judge(self, answer: float, battery_known: bool) -> None:
        """`answer` is 1 when the meter shows the whole change, 0 when none, negative when the opposite."""
        if answer > 0.5:
            self._good += 1
            if self._bad < 2 or self._good >= 2:
                self._bad = 0
            return
        absorbed = self.has_battery and not battery_known
        if answer < -0.5 or (abs(answer) < 0.3 and not absorbed):
            self._bad, self._good = self._bad + 1, 0


def _median_answer(path: list[tuple[float, float]], moving_w: float) -> float:
    """The median of what the meter shows of each part of the move; minus infinity when there are too few."""
    moves = [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(path)]
    answers = sorted(-site / power for power, site in moves if abs(power) >= moving_w)
    return answers[len(answers) // 2] if len(answers) >= FEWEST_MOVES else -math.inf
