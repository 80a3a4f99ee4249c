"""Plots as SVG text that takes its colours from the page: classes `c0` … `c7` for series, the rest by role. Pure."""

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Literal

from fennec_cli.tuples import NamedTuple

WIDTH, HEIGHT = 560, 320
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 14, 44
COLOURS = 8
_APART = 9  # points, so that one does not hide the other
Format = Callable[[float], str]


class Mark(NamedTuple):
    """A point with what is told of it, and perhaps a vertical interval."""

    x: float
    y: float
    text: str = ""
    low: float | None = None
    high: float | None = None


class Series(NamedTuple):
    """Points of one colour, joined by a line (`steps`: that jumps) or not."""

    name: str
    colour: int
    marks: Sequence[Mark]
    line: Literal["", "straight", "steps"] = "straight"
    dots: bool = True
    dashed: bool = False
    area: bool = False


class Axis(NamedTuple):
    """A scale with a name. With `log` it is logarithmic where the values span more than a decade."""

    label: str
    format: Format
    zero: bool = True
    log: bool = False
    most: float | None = None


class _Place(NamedTuple):
    """What a point with its interval takes up of the picture."""

    x: float
    top: float
    bottom: float


class _Scale:
    def __init__(self, axis: Axis, values: Sequence[float], begin: float, end: float) -> None:
        positive = [value for value in values if value > 0]
        low, high = min(values, default=0.0), axis.most or max(values, default=1.0)
        self.log = axis.log and len(positive) == len(values) and bool(values) and high / low > 12
        if self.log:
            self.ticks = _log_ticks(low, high)
            low, high = low / 1.15, high * 1.15
        else:
            low = 0.0 if axis.zero else low
            if high <= low:
                high = low + (abs(low) or 1.0)
            room = 0.0 if axis.most else (high - low) * 0.06
            low, high = (low if axis.zero else low - room), high + room
            self.ticks = _ticks(low, high)
        self._low, self._high, self._begin, self._end = low, high, begin, end

    def __call__(self, value: float) -> float:
        if self.log:
            share = math.log(value / self._low) / math.log(self._high / self._low)
        else:
            share = (value - self._low) / (self._high - self._low)
        return self._begin + share * (self._end - self._begin)


def plot(title: str, x: Axis, y: Axis, series: Sequence[Series]) -> str:
    """Draw series over two axes."""
    marks = [mark for each in series for mark in each.marks]
    across = _Scale(x, [mark.x for mark in marks], LEFT, WIDTH - RIGHT)
    heights = [value for mark in marks for value in (mark.y, mark.low, mark.high) if value is not None]
    up = _Scale(y, heights, HEIGHT - BOTTOM, TOP)
    taken: list[_Place] = []
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        *_grid(x, y, across, up),
        *(part for each in series for part in _drawn(each, across, up, taken)),
        "</svg>",
    ]
    return "".join(parts)


def _grid(x: Axis, y: Axis, across: _Scale, up: _Scale) -> list[str]:
    parts = []
    for tick in up.ticks:
        height = f"{up(tick):.1f}"
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height}" y2="{height}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 8}" y="{height}" dy=".32em" text-anchor="end">{y.format(tick)}</text>'
        )
    floor = HEIGHT - BOTTOM
    for tick in across.ticks:
        place = f"{across(tick):.1f}"
        parts.append(f'<line class="axis" x1="{place}" x2="{place}" y1="{floor}" y2="{floor + 4}"/>')
        parts.append(f'<text class="tick" x="{place}" y="{floor + 17}" text-anchor="middle">{x.format(tick)}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor}" y2="{floor}"/>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="label" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x.label)}</text>')
    return parts


def _drawn(series: Series, across: _Scale, up: _Scale, taken: list[_Place]) -> list[str]:
    """`taken` are the places of points without a line so far: one that would hide another stands beside it."""
    colour = f"c{series.colour % COLOURS}"
    points = [(across(mark.x), up(mark.y)) for mark in series.marks]
    if not series.line:
        points = [
            (_beside(taken, place, [up(value) for value in (mark.y, mark.low, mark.high) if value is not None]), height)
            for mark, (place, height) in zip(series.marks, points, strict=True)
        ]
    parts = []
    if series.line and len(points) > 1:
        path = _path(points, jumps=series.line == "steps")
        if series.area:
            floor = f"{up(0) if not up.log else HEIGHT - BOTTOM:.1f}"
            parts.append(f'<path class="area {colour}" d="{path}V{floor}H{points[0][0]:.1f}Z"/>')
        dashed = " dashed" if series.dashed else ""
        parts.append(f'<path class="line {colour}{dashed}" d="{path}"><title>{escape(series.name)}</title></path>')
    for mark, (place, height) in zip(series.marks, points, strict=True):
        if mark.low is not None and mark.high is not None:
            low, high = up(mark.low), up(mark.high)
            parts.append(f'<path class="bar {colour}" d="M{place:.1f} {low:.1f}V{high:.1f}"/>')
        if series.dots:
            text = escape(f"{series.name}: {mark.text}")
            parts.append(
                f'<circle class="dot {colour}" cx="{place:.1f}" cy="{height:.1f}" r="4"><title>{text}</title></circle>'
            )
    return parts


def _beside(taken: list[_Place], place: float, heights: Sequence[float]) -> float:
    top, bottom = min(heights), max(heights)
    in_the_way = [other.x for other in taken if top - _APART < other.bottom and other.top - _APART < bottom]
    shifts = (shift * sign for shift in range(0, WIDTH, 2) for sign in (-1, 1))
    free = next(place + shift for shift in shifts if all(abs(place + shift - other) >= _APART for other in in_the_way))
    taken.append(_Place(free, top, bottom))
    return free


def _path(points: Sequence[tuple[float, float]], *, jumps: bool) -> str:
    (x, y), *others = points
    parts = [f"M{x:.1f} {y:.1f}"]
    for x, y in others:
        parts.append(f"H{x:.1f}V{y:.1f}" if jumps else f"L{x:.1f} {y:.1f}")
    return "".join(parts)


def _ticks(low: float, high: float, number: int = 5) -> list[float]:
    """Round values between two bounds."""
    rough = (high - low) / number
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    found = []
    while first * step <= high * (1 + 1e-9):
        found.append(first * step)
        first += 1
    return found


def _log_ticks(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if high / low < 1000 else (1,)
    found = [factor * 10.0**decade for decade in decades for factor in factors]
    return [value for value in found if low / 1.15 <= value <= high * 1.15]
