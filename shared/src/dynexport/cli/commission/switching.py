"""Switching a load during a level: by a person who is asked to, or by the limit on the controllable loads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from dynexport.cli.commission.judge import STEADY_S, Sample

LEAST_W = 200.0
PATIENCE_S = 60.0
SETTLES_S = 20.0
ON, OFF = "on", "off"


@dataclass(slots=True)
class Switching:
    """The two switchings of a level; pure but for its memory.

    `person`: what is wanted is said, and that the load has changed is seen in the samples. Else `load_off` is what
    the controllable loads are to be told.
    """

    person: bool
    first_at: float
    gap_s: float
    moments: list[float] = field(default_factory=list)
    load_off: bool = False
    missed: list[str] = field(default_factory=list)
    _asked: tuple[str, float, float] | None = None
    _next: float = field(init=False)
    _words: list[str] = field(default_factory=lambda: [ON, OFF])

    def __post_init__(self) -> None:
        self._next = self.first_at
        self.load_off = not self.person

    @property
    def begun(self) -> bool:
        """Whether something was switched, or asked for."""
        return len(self._words) < len((ON, OFF))

    @property
    def done(self) -> bool:
        """Whether nothing is left to switch."""
        return not self._words and self._asked is None

    def settled(self, mono: float) -> bool:
        """Whether all is switched, and the site has had its time to answer."""
        return self.done and (not self.moments or mono - self.moments[-1] >= SETTLES_S)

    def look(self, samples: Sequence[Sample], mono: float) -> str:
        """Go on; returns what to tell the person, or an empty text."""
        if self._asked is not None:
            return self._await(samples, mono)
        if not self._words or mono < self._next:
            return ""
        word = self._words.pop(0)
        self.load_off = word == OFF and not self.person
        self._asked = (word, mono, _load_w(samples, mono))
        what = "a load of a kilowatt or two (kettle, oven)" if word == ON else "that load"
        return f"please switch {word} {what} now" if self.person else f"the controllable loads go {word}"

    def _await(self, samples: Sequence[Sample], mono: float) -> str:
        assert self._asked is not None
        word, since, before_w = self._asked
        moved_w = _load_w(samples, mono) - before_w
        expected = moved_w >= LEAST_W if word == ON else moved_w <= -LEAST_W
        if expected:
            self._asked, self._next = None, mono + self.gap_s
            self.moments.append(mono)
            return f"seen: the house's load moved by {moved_w:+.0f} W so far"
        if mono - since > PATIENCE_S:
            self._asked, self._next = None, mono + self.gap_s
            self.missed.append(word)
            return f"no load was seen to go {word}: this level is judged without it"
        return ""


def _load_w(samples: Sequence[Sample], mono: float) -> float:
    """The house's load over the last seconds."""
    recent = [sample.load_w for sample in samples if sample.mono >= mono - STEADY_S]
    return median(recent or [sample.load_w for sample in samples[-1:]] or [0.0])
