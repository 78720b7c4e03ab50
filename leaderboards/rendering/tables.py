"""A board as a table: its columns, its rows in groups, best values, and what controls reach too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from leaderboards.rendering.rows import GAP, BoardRow, Spread
from leaderboards.rendering.shown_metrics import COLUMNS, ShownMetric, shown_metric, shown_spread


@dataclass(frozen=True)
class Aim:
    """Which values of a metric are good. ideal: what `nearest` is to; None is Retrain's mean."""

    direction: Literal["higher", "lower", "nearest"]
    ideal: float | None = None

    def distance(self, value: float, retrained: float | None) -> float | None:
        """How far a value is from good, smaller is better; only its order means something.

        None where it is compared with Retrain and there is none.
        """
        if self.direction == "higher":
            return -value
        if self.direction == "lower":
            return value
        ideal = self.ideal if self.ideal is not None else retrained
        return abs(value - ideal) if ideal is not None else None


@dataclass(frozen=True)
class ShownBoard:
    """What a page says of a board above its table.

    scope: class-wise or instance-wise. facts: titles and texts, such as data set and original.
    aims: by metric.
    """

    name: str
    title: str
    scope: str
    facts: Mapping[str, str]
    aims: Mapping[str, Aim]


@dataclass(frozen=True)
class Column:
    """A metric's column. reached_by: controls whose mean is as good as the best method's."""

    name: str
    metric: ShownMetric
    aim: Aim
    reached_by: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """With the unit."""
        return f"{self.metric.title} {self.metric.unit}".strip()

    @property
    def ideal(self) -> str:
        """What is good, in two or three words."""
        if self.aim.direction == "nearest":
            ideal = self.aim.ideal
            return "as Retrain" if ideal is None else f"ideal {ideal * self.metric.scale:g}"
        return f"{self.aim.direction} is better"


@dataclass(frozen=True)
class Cell:
    """A row's value in a column. key: how far from good, None where there is no value."""

    text: str
    key: float | None
    best: bool = False
    n: int | None = None


@dataclass(frozen=True)
class TableRow:
    """A row with its number on the board, which the plot shows too, and its cells by column."""

    number: int
    row: BoardRow
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Group:
    """Rows that may be compared with each other."""

    kind: str
    title: str
    rows: tuple[TableRow, ...]


@dataclass(frozen=True)
class BoardTable:
    """A whole board; groups without a row are left out."""

    board: ShownBoard
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]

    @property
    def rows(self) -> list[TableRow]:
        """All rows, in the order of their numbers."""
        return [row for group in self.groups for row in group.rows]

    @property
    def reached(self) -> dict[str, list[str]]:
        """By control, the titles of the columns in which it is as good as the best method."""
        found: dict[str, list[str]] = {}
        for column in self.columns:
            for control in column.reached_by:
                found.setdefault(control, []).append(column.title)
        return found


_GROUPS = {
    "reference": "Reference models",
    "method": "Methods",
    "control": "Controls, which forget nothing",
    "paper": "Reported in the paper, not computed again here",
    "refuted": "Refuted",
}


def board_table(board: ShownBoard, rows: Sequence[BoardRow]) -> BoardTable:
    """The table of the rows that are of this board, references first, by gap, then by name."""
    own = sorted((row for row in rows if row.board == board.name), key=_order)
    columns = _columns(board, own)
    best = [_best(column, own) for column in columns]
    kinds = {kind: [row for row in own if _kind(row) == kind] for kind in _GROUPS}
    numbers = {id(row): i for i, row in enumerate((r for k in kinds.values() for r in k), 1)}
    groups = (
        Group(
            kind,
            _GROUPS[kind],
            tuple(TableRow(numbers[id(row)], row, _cells(row, columns, best, own)) for row in each),
        )
        for kind, each in kinds.items()
        if each
    )
    return BoardTable(board, tuple(columns), tuple(groups))


def value(row: BoardRow, name: str) -> Spread | None:
    """A row's value of a metric or of the gap to Retrain."""
    return row.gap_to_retrain if name == GAP else row.metrics.get(name)


def _kind(row: BoardRow) -> str:
    """The group of a row."""
    if row.state == "refuted":
        return "refuted"
    if row.paper:
        return "paper"
    if row.control:
        return "control"
    return "reference" if row.reference_row else "method"


def _order(row: BoardRow) -> tuple[object, ...]:
    gap = row.gap_to_retrain
    submission = str(row.details.get("submission") or "")
    first = not row.reference_row
    return (first, gap is None, gap.mean if gap else 0.0, row.method, row.state, submission)


def _columns(board: ShownBoard, rows: Sequence[BoardRow]) -> list[Column]:
    names = [name for name in COLUMNS[board.scope] if any(value(row, name) for row in rows)]
    plain = [Column(name, shown_metric(name), _aim(board, name)) for name in names]
    return [_with_controls(column, rows) for column in plain]


def _aim(board: ShownBoard, name: str) -> Aim:
    return board.aims.get(name, Aim("lower"))


def _with_controls(column: Column, rows: Sequence[BoardRow]) -> Column:
    best = _best(column, rows)
    if best is None or column.metric.cost:
        return column
    controls = (row for row in rows if _kind(row) == "control")
    reached = [row.method for row in controls if (key := _key(row, column, rows)) is not None
               and key <= best]  # fmt: skip
    return Column(column.name, column.metric, column.aim, tuple(dict.fromkeys(reached)))


def _best(column: Column, rows: Sequence[BoardRow]) -> float | None:
    """The smallest distance among the methods whose figures somebody verified."""
    methods = (row for row in rows if row.competes and row.is_verified(column.name))
    keys = (_key(row, column, rows) for row in methods)
    return min((key for key in keys if key is not None), default=None)


def _key(row: BoardRow, column: Column, rows: Sequence[BoardRow]) -> float | None:
    own = value(row, column.name)
    if own is None or own.above is not None:
        return None
    # The paper's rows are near to the paper's Retrain, ours to ours.
    retrain = (r for r in rows if r.reference_row and r.paper == row.paper and _is_retrain(r))
    found = next((spread for r in retrain if (spread := value(r, column.name))), None)
    theirs = found.mean if found is not None and found.above is None else None
    distance = column.aim.distance(own.mean, theirs)
    # Floats that differ by the order of additions only are equal.
    return None if distance is None else round(distance, 9)


def _is_retrain(row: BoardRow) -> bool:
    return row.method.casefold().startswith("retrain")


def _cells(
    row: BoardRow,
    columns: Sequence[Column],
    best: Sequence[float | None],
    rows: Sequence[BoardRow],
) -> tuple[Cell, ...]:
    return tuple(_cell(row, *each, rows) for each in zip(columns, best, strict=True))


def _cell(row: BoardRow, column: Column, best: float | None, rows: Sequence[BoardRow]) -> Cell:
    own = value(row, column.name)
    key = _key(row, column, rows)
    is_best = key is not None and row.competes and row.is_verified(column.name) and key == best
    n = own.n if own is not None and own.above is None and own.n != row.n else None
    return Cell(shown_spread(own, column.metric), key, is_best, n)
