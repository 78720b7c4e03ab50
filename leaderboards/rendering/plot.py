"""What forgetting costs, as a picture: where each mark, each number and each tick stands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import quantiles

from leaderboards.rendering.aims import value
from leaderboards.rendering.rows import AUDIT, Spread
from leaderboards.rendering.shown_metrics import shown_metric, shown_spread
from leaderboards.rendering.tables import BoardTable, TableRow
from leaderboards.untrusted.harmless_text import harmless

RADIUS = 7.5
# A number that stands further from its value no longer shows where that is.
REACH = 6 * RADIUS
# So few rows have an axis that holds them all.
FENCED = 8
FORGET = "forget_accuracy"
STEPS = (0.5, 1, 2, 5, 10, 20)
KEPT = {
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
LOWEST = FRAME.bottom - RADIUS - 0.5
# Where a number may stand beside its value. Heights differ by little and are what is compared, so
# that a step up or down costs as much as four to the side.
_STEPS = range(-48, 49, 6)
_OFFSETS = sorted(
    ((float(x), float(y)) for x in _STEPS for y in _STEPS if math.hypot(x, y) <= REACH),
    key=lambda o: math.hypot(o[0], 4 * o[1]),
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
    """A row: (x, y) is its value; badge is where its number stands, None where none has room.

    below: its value is lower than a mark can stand. whiskers: one standard deviation to each side,
    as x1, y1, x2, y2 in pixels.
    """

    row: TableRow
    kind: str
    x: float
    y: float
    badge: Point | None
    below: bool
    whiskers: tuple[Line, ...]
    text: str

    @property
    def moved(self) -> bool:
        """Whether the number stands away from its value, so that a line must join them."""
        return self.badge not in (None, (self.x, self.y))


@dataclass(frozen=True)
class Plot:
    """A panel: one accuracy over how much is forgotten."""

    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]

    @property
    def crowded(self) -> bool:
        """Whether there is a mark without a number."""
        return any(mark.badge is None for mark in self.marks)

    @property
    def reaches_below(self) -> bool:
        """Whether there is a value that is lower than a mark can stand."""
        return any(mark.below for mark in self.marks)


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
    """What is kept over what is forgotten, where two rows or more have both.

    Kept is the test accuracy, class-wise of the other classes. On an audited board it is set over
    the tests that can't tell a row from Retrain, and over the forget accuracy, at which what hides
    stands beside Retrain. On others, it and the retain accuracy over the forget accuracy.
    """
    test, retain = KEPT[table.board.scope]
    audited = any(column.name == AUDIT for column in table.columns)
    panels = ((AUDIT, test), (FORGET, test)) if audited else ((FORGET, test), (FORGET, retain))
    plots = (_plot(table, *panel) for panel in panels)
    return [plot for plot in plots if len(plot.marks) > 1]


def _plot(table: BoardTable, forgotten: str, kept: str) -> Plot:
    entries = list(_entries(table, forgotten, kept))
    across = _axis([x.mean for *_, x, _ in entries], FRAME.left, FRAME.right)
    up = _axis(_without_low([y.mean for *_, y in entries]), FRAME.bottom, FRAME.top)
    title = shown_metric(kept).title
    return Plot(
        "Audit: like Retrain, % of tests" if forgotten == AUDIT else "Forget accuracy %",
        f"{title} accuracy %",
        across.ticks(),
        up.ticks(),
        tuple(_marks(entries, across, up, title)),
    )


def _entries(table: BoardTable, forgotten: str, kept: str) -> Iterator[Entry]:
    """Kind, row and values of each row that has both.

    Not of refuted rows; and of the paper's only where there are no others, since they are of
    another original and would stretch the axes.
    """
    kinds = {group.kind for group in table.groups} - {"refuted"}
    for group in table.groups:
        for row in group.rows if group.kind in (kinds - {"paper"} or kinds) else ():
            x, y = value(row.row, forgotten), value(row.row, kept)
            if x is not None and y is not None:
                yield group.kind, row, x, y


def _without_low(values: Sequence[float]) -> list[float]:
    """Those that are not far below most: they would squeeze the others (Tukey's lower fence)."""
    if len(values) < FENCED:
        return list(values)
    first, _, third = quantiles(values, n=4)
    return [each for each in values if each >= first - 1.5 * (third - first)]


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
        height = up.pixel(100 * y.mean)
        at = (across.pixel(100 * x.mean), min(height, LOWEST))
        badge = _free_place(at, taken)
        taken += [badge] if badge else []
        whiskers = _whiskers(at, x, y, across, up)
        yield Mark(row, kind, *at, badge, height > LOWEST, whiskers, _text(row, y, title))


def _free_place(at: Point, taken: Sequence[Point]) -> Point | None:
    """The nearest place for a number that covers no other, rather beside its value than above."""
    for across, down in _OFFSETS:
        place = (round(at[0] + across, 2), round(at[1] + down, 2))
        far = all(math.dist(place, other) > 2 * RADIUS + 2 for other in taken)
        if far and FRAME.holds(*place):
            return place
    return None


def _whiskers(at: Point, x: Spread, y: Spread, across: Axis, up: Axis) -> tuple[Line, ...]:
    lines = []
    if x.std:
        left, right = (across.pixel(100 * (x.mean + side * x.std)) for side in (-1, 1))
        lines.append((left, at[1], right, at[1]))
    if y.std:
        low, high = (up.pixel(100 * (y.mean + side * y.std)) for side in (-1, 1))
        lines.append((at[0], low, at[0], high))
    return tuple(lines)


def _text(row: TableRow, kept: Spread, title: str) -> str:
    forget, audit = row.row.metrics.get(FORGET), row.row.audit
    figures = [
        *([f"forget {shown_spread(forget, shown_metric(FORGET))} %"] if forget else []),
        f"{title.lower()} {shown_spread(kept, shown_metric(FORGET))} %",
        *([f"like Retrain in {row.row.like_retrain} tests"] if audit else []),
    ]
    return f"{row.number} {harmless(row.row.method, 60)}: {', '.join(figures)}"
