"""The trade-off between forgetting and keeping as a picture: where each mark and tick stands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from leaderboards.board_rows import Spread
from leaderboards.board_table import BoardTable, TableRow, value
from leaderboards.harmless_text import harmless
from leaderboards.shown_metrics import shown_metric, shown_spread

# Pixels of a panel at its natural size; it is scaled to its column, never beyond.
WIDTH, HEIGHT = 360, 300
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 44
RADIUS = 8.5
X = "forget_accuracy"
PANELS = {
    "class-wise": ("test_retain_accuracy", "retain_accuracy"),
    "instance-wise": ("test_accuracy", "retain_accuracy"),
}


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
    whiskers: tuple[tuple[float, float, float, float], ...]
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
    rows = [
        (row, group.kind, x, y)
        for group in table.groups
        if group.kind != "refuted"
        for row in group.rows
        if (x := value(row.row, X)) is not None and (y := value(row.row, name)) is not None
    ]
    across = _axis([x.mean for *_, x, _ in rows], LEFT, WIDTH - RIGHT)
    up = _axis([y.mean for *_, y in rows], HEIGHT - BOTTOM, TOP)
    marks = tuple(_marks(rows, across, up, shown_metric(name).title))
    titles = (f"{shown_metric(each).title} accuracy %" for each in (X, name))
    return Plot(name, *titles, across.ticks(), up.ticks(), marks)


def _axis(fractions: Sequence[float], first: float, last: float) -> Axis:
    """About five round steps around the values, within 0 to 100 %, with room for a number."""
    low = 100 * min(fractions, default=0.0)
    high = 100 * max(fractions, default=1.0)
    step = next(s for s in (0.5, 1, 2, 5, 10, 20) if (high - low) / s <= 5.5)
    low = max(0.0, math.floor(round(low / step, 9)) * step)
    high = min(100.0, math.ceil(round(high / step, 9)) * step)
    low, high = (max(0.0, high - step), high) if low == high == 100 else (low, max(high, low + step))
    room = (high - low) * (RADIUS + 4) / abs(last - first)
    return Axis(low - room, high + room, first, last, step)


def _marks(
    rows: Sequence[tuple[TableRow, str, Spread, Spread]], across: Axis, up: Axis, title: str
) -> Iterator[Mark]:
    taken: list[tuple[float, float]] = []
    for row, kind, x, y in rows:
        at = (across.pixel(100 * x.mean), up.pixel(100 * y.mean))
        badge = _free_place(at, taken)
        taken.append(badge)
        whiskers = _whiskers(at, x, y, across, up)
        yield Mark(row, kind, *at, *badge, whiskers, _text(row, x, y, title))


def _free_place(at: tuple[float, float], taken: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The nearest place for a number that covers no other, on rings around its value."""
    for x, y in _rings(at):
        inside = LEFT < x - RADIUS and x + RADIUS < WIDTH - RIGHT
        inside = inside and TOP < y - RADIUS and y + RADIUS < HEIGHT - BOTTOM
        if inside and all(math.hypot(x - a, y - b) > 2 * RADIUS + 3 for a, b in taken):
            return x, y
    return at


def _rings(at: tuple[float, float]) -> Iterator[tuple[float, float]]:
    yield at
    for radius in range(14, WIDTH, 6):
        for turn in range(16):
            angle = turn * math.tau / 16
            yield (
                round(at[0] + radius * math.cos(angle), 2),
                round(at[1] - radius * math.sin(angle), 2),
            )


def _whiskers(
    at: tuple[float, float], x: Spread, y: Spread, across: Axis, up: Axis
) -> tuple[tuple[float, float, float, float], ...]:
    lines = []
    if x.std:
        ends = (across.pixel(100 * (x.mean + side * x.std)) for side in (-1, 1))
        left, right = ends
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
