"""The trade-off between forgetting and keeping as a picture: where each mark and tick stands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from leaderboards.rendering.aims import value
from leaderboards.rendering.rows import Spread
from leaderboards.rendering.shown_metrics import shown_metric, shown_spread
from leaderboards.rendering.tables import BoardTable, TableRow
from leaderboards.untrusted.harmless_text import harmless

RADIUS = 7.5
X = "forget_accuracy"
STEPS = (0.5, 1, 2, 5, 10, 20)
PANELS = {
    "class-wise": ("test_retain_accuracy", "retain_accuracy"),
    "instance-wise": ("test_accuracy", "retain_accuracy"),
}


@dataclass(frozen=True)
class Frame:
    """A panel in pixels, and its axes in it."""

    width: float = 360
    height: float = 300
    left: float = 50
    right: float = 348
    top: float = 12
    bottom: float = 256

    def holds(self, x: float, y: float) -> bool:
        """Whether a whole number at this place is inside the axes."""
        across = self.left + RADIUS < x < self.right - RADIUS
        return across and self.top + RADIUS < y < self.bottom - RADIUS


FRAME = Frame()
# Where a number may stand beside its value. Heights differ by little and are what is compared, so
# that a step up or down costs as much as four to the side.
_STEPS = range(-300, 301, 6)
_OFFSETS = sorted(
    ((float(x), float(y)) for x in _STEPS for y in _STEPS), key=lambda o: math.hypot(o[0], 4 * o[1])
)
Point = tuple[float, float]
Line = tuple[float, float, float, float]
Entry = tuple[str, TableRow, Spread, Spread]


@dataclass(frozen=True)
class Tick:
    """A line of the grid, at a pixel, with its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A row: (x, y) is its value, (badge_x, badge_y) where its number stands beside it.

    whiskers: one standard deviation to each side, as x1, y1, x2, y2 in pixels.
    """

    row: TableRow
    kind: str
    x: float
    y: float
    badge_x: float
    badge_y: float
    whiskers: tuple[Line, ...]
    text: str

    @property
    def moved(self) -> bool:
        """Whether the number stands away from its value, so that a line must join them."""
        return (self.x, self.y) != (self.badge_x, self.badge_y)


@dataclass(frozen=True)
class Plot:
    """A panel: one metric over the forget accuracy."""

    name: str
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Axis:
    """From percent to pixels."""

    low: float
    high: float
    first: float
    last: float
    step: float

    def pixel(self, percent: float) -> float:
        """Clipped to the frame, for whiskers that would leave it."""
        share = (min(max(percent, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.first + share * (self.last - self.first), 2)

    def ticks(self) -> tuple[Tick, ...]:
        """One for each step."""
        first = math.ceil(round(self.low / self.step, 9))
        last = math.floor(round(self.high / self.step, 9))
        values = [i * self.step for i in range(first, last + 1)]
        return tuple(Tick(self.pixel(each), f"{each:g}") for each in values)


def trade_off_plots(table: BoardTable) -> list[Plot]:
    """Test (class-wise test-retain) and retain over forget accuracy, where two rows have them."""
    plots = (_plot(table, name) for name in PANELS[table.board.scope])
    return [plot for plot in plots if len(plot.marks) > 1]


def _plot(table: BoardTable, name: str) -> Plot:
    entries = list(_entries(table, name))
    across = _axis([x.mean for *_, x, _ in entries], FRAME.left, FRAME.right)
    up = _axis([y.mean for *_, y in entries], FRAME.bottom, FRAME.top)
    return Plot(
        name,
        f"{shown_metric(X).title} accuracy %",
        f"{shown_metric(name).title} accuracy %",
        across.ticks(),
        up.ticks(),
        tuple(_marks(entries, across, up, shown_metric(name).title)),
    )


def _entries(table: BoardTable, name: str) -> Iterator[Entry]:
    """Kind, row and values of each row that has both.

    Not of refuted rows; and of the paper's only where there are no others, since they are of
    another original and would stretch the axes.
    """
    kinds = {group.kind for group in table.groups} - {"refuted"}
    for group in table.groups:
        for row in group.rows if group.kind in (kinds - {"paper"} or kinds) else ():
            x, y = value(row.row, X), value(row.row, name)
            if x is not None and y is not None:
                yield group.kind, row, x, y


def _axis(fractions: Sequence[float], first: float, last: float) -> Axis:
    """At most six round steps around the values, within 0 to 100 %, with room for a number."""
    low = 100 * min(fractions, default=0.0)
    high = 100 * max(fractions, default=1.0)
    step = next(step for step in STEPS if (high - low) / step <= 5.5)
    low = max(0.0, math.floor(round(low / step, 9)) * step)
    high = min(100.0, math.ceil(round(high / step, 9)) * step)
    if low == high:
        low, high = (low - step, high) if high == 100 else (low, high + step)
    room = (high - low) * (RADIUS + 4) / abs(last - first)
    return Axis(low - room, high + room, first, last, step)


def _marks(entries: Sequence[Entry], across: Axis, up: Axis, title: str) -> Iterator[Mark]:
    taken: list[Point] = []
    for kind, row, x, y in entries:
        at = (across.pixel(100 * x.mean), up.pixel(100 * y.mean))
        badge = _free_place(at, taken)
        taken.append(badge)
        yield Mark(row, kind, *at, *badge, _whiskers(at, x, y, across, up), _text(row, x, y, title))


def _free_place(at: Point, taken: Sequence[Point]) -> Point:
    """The nearest place for a number that covers no other, rather beside its value than above."""
    for across, down in _OFFSETS:
        place = (round(at[0] + across, 2), round(at[1] + down, 2))
        far = all(math.dist(place, other) > 2 * RADIUS + 2 for other in taken)
        if far and FRAME.holds(*place):
            return place
    return at


def _whiskers(at: Point, x: Spread, y: Spread, across: Axis, up: Axis) -> tuple[Line, ...]:
    lines = []
    if x.std:
        left, right = (across.pixel(100 * (x.mean + side * x.std)) for side in (-1, 1))
        lines.append((left, at[1], right, at[1]))
    if y.std:
        low, high = (up.pixel(100 * (y.mean + side * y.std)) for side in (-1, 1))
        lines.append((at[0], low, at[0], high))
    return tuple(lines)


def _text(row: TableRow, x: Spread, y: Spread, title: str) -> str:
    metric = shown_metric(X)
    return (
        f"{row.number} {harmless(row.row.method, 60)}: forget {shown_spread(x, metric)} %, "
        f"{title.lower()} {shown_spread(y, metric)} %"
    )
