"""One level as a drawing: export against its band, what was made and what the house used. Pure, plain SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from dynexport.cli.commission.judge import TOLERANCE, WITHIN_S, Run

WIDTH, HEIGHT = 860, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 14, 34
GRID_LINES = 5
STEPS = (1, 2, 2.5, 5, 10)
LINES: tuple[tuple[str, str], ...] = (("made", "made_w"), ("load", "load_w"), ("export", "export_w"))


@dataclass(frozen=True, slots=True)
class Axis:
    """From a span of values to a span of pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def chart(run: Run, rated_w: float) -> str:
    """The drawing as an `<svg>` element."""
    band_w = TOLERANCE * rated_w
    seconds = max((sample.mono - run.began for sample in run.samples), default=WITHIN_S)
    across = Axis(0.0, max(seconds, WITHIN_S), LEFT, WIDTH - RIGHT)
    low, high, step = _span(run, band_w)
    up = Axis(low, high, HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(f"level {run.level_w:.0f} W")}">',
        _rect("band", across, up, run.level_w - band_w, run.level_w + band_w),
        *_grid(across, up, step),
        _line("level", across, up, [(0.0, run.level_w), (across.high, run.level_w)]),
        _mark("deadline", across, WITHIN_S, f"{WITHIN_S:.0f} s"),
        *(_mark("switch", across, moment - run.began, "load") for moment in run.switched),
        *(_line(name, across, up, _points(run, field)) for name, field in LINES),
        "</svg>",
    ]
    return "\n".join(parts)


def _points(run: Run, field: str) -> list[tuple[float, float]]:
    return [(sample.mono - run.began, getattr(sample, field)) for sample in run.samples]


def _span(run: Run, band_w: float) -> tuple[float, float, float]:
    """The least and the most that are drawn, on round numbers, and the step between lines."""
    values = [value for _, field in LINES for _, value in _points(run, field)]
    values += [run.level_w - band_w, run.level_w + band_w]
    least, most = min(values), max(values)
    rough = max(1.0, (most - least) / GRID_LINES)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in STEPS if size * power >= rough)
    return math.floor(least / step) * step, math.ceil(most / step) * step, step


def _grid(across: Axis, up: Axis, step: float) -> list[str]:
    parts = []
    for number in range(round((up.high - up.low) / step) + 1):
        value = up.low + number * step
        y = up.at(value)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{value / 1000:g} kW</text>')
    every = next(size for size in (5, 10, 15, 30, 60, 120, 300) if across.high / size <= 10 or size == 300)
    for seconds in range(0, int(across.high) + 1, every):
        x = across.at(seconds)
        parts.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{seconds} s</text>')
    return parts


def _rect(name: str, across: Axis, up: Axis, low: float, high: float) -> str:
    top, bottom = up.at(high), up.at(low)
    width = across.end - across.start
    return f'<rect class="{name}" x="{LEFT}" y="{top}" width="{width}" height="{round(bottom - top, 1)}"/>'


def _line(name: str, across: Axis, up: Axis, points: Sequence[tuple[float, float]]) -> str:
    place: Callable[[tuple[float, float]], str] = lambda point: f"{across.at(point[0])},{up.at(point[1])}"  # noqa: E731
    return f'<polyline class="{name}" points="{" ".join(map(place, points))}"/>'


def _mark(name: str, across: Axis, seconds: float, word: str) -> str:
    x = across.at(seconds)
    bottom = HEIGHT - BOTTOM
    line = f'<line class="{name}" x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}"/>'
    side = f'x="{x + 4}"' if x < WIDTH - LEFT else f'x="{x - 4}" text-anchor="end"'
    return f'{line}<text class="{name}" {side} y="{TOP + 10}">{escape(word)}</text>'
