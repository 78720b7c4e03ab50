"""A board as a table: its columns, its rows in groups, best values, and what controls reach too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmark_adapters.grid.retrains import HELD_OUT, RETRAIN
from leaderboards.rendering.aims import (
    Aim,
    distance,
    is_retrain,
    is_yardstick,
    least_distance,
    reached_by,
    value,
)
from leaderboards.rendering.rows import AUDIT, BoardRow
from leaderboards.rendering.shown_metrics import COLUMNS, ShownMetric, shown_metric, shown_spread


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
    """A metric's column. reached_by: controls that are as good as the best method, within both
    rows' deviations over the seeds.
    """

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
        if self.name == AUDIT:
            return "of tests with power"
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
    def yardstick(self) -> BoardRow | None:
        """The row of the Retrains that others are compared with."""
        own = (shown.row for shown in self.rows if not shown.row.paper)
        return next((row for row in own if is_yardstick(row)), None)

    @property
    def without_yardstick(self) -> bool:
        """Whether there is a Retrain, but none that others may be compared with."""
        own = [row.row for row in self.rows if is_retrain(row.row) and not row.row.paper]
        return bool(own) and not any(map(is_yardstick, own))

    @property
    def not_audited(self) -> dict[str, list[str]]:
        """By reason, the rows without an audit; none of a board on which there is no audit."""
        found: dict[str, list[str]] = {}
        for shown in self.rows if any(column.name == AUDIT for column in self.columns) else []:
            if shown.row.not_audited:
                found.setdefault(shown.row.not_audited, []).append(shown.row.method)
        return found

    @property
    def reached(self) -> dict[str, list[str]]:
        """By control, the titles of the columns in which it is as good as the best method."""
        found: dict[str, list[str]] = {}
        for column in self.columns:
            for control in column.reached_by:
                found.setdefault(control, []).append(column.title)
        return found


NO_YARDSTICK = (
    "Retrain did not have the original's recipe, or nobody knows that: it is no yardstick, so that "
    "there is no gap or distance to it, and nothing is nearest to it."
)
_REFERENCES = (RETRAIN, HELD_OUT, "original")
_GROUPS = {
    "reference": "Reference models",
    "method": "Methods",
    "impostor": "Cannot be told from a control",
    "control": "Controls, which forget nothing",
    "paper": "Reported in the paper, not computed again here",
    "refuted": "Refuted",
}


def board_table(board: ShownBoard, rows: Sequence[BoardRow]) -> BoardTable:
    """The table of the rows that are of this board, references first, by gap, then by name."""
    own = sorted((row for row in rows if row.board == board.name), key=_order)
    columns = _columns(board, own)
    best = [least_distance(column.name, column.aim, own) for column in columns]
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


def _kind(row: BoardRow) -> str:
    """The group of a row."""
    if row.state == "refuted":
        return "refuted"
    if row.impostor and not row.reference_row:
        return "impostor"
    if row.paper:
        return "paper"
    if row.control:
        return "control"
    return "reference" if row.reference_row else "method"


def _order(row: BoardRow) -> tuple[object, ...]:
    gap = row.gap_to_retrain
    submission = str(row.details.get("submission") or "")
    first = len(_REFERENCES)
    if row.reference_row:
        name = row.method.casefold()
        first = _REFERENCES.index(name) if name in _REFERENCES else first
    return (first, gap is None, gap.mean if gap else 0.0, row.method, row.state, submission)


def _columns(board: ShownBoard, rows: Sequence[BoardRow]) -> list[Column]:
    names = [name for name in COLUMNS[board.scope] if any(value(row, name) for row in rows)]
    plain = [Column(name, shown_metric(name), _aim(board, name)) for name in names]
    return [_with_controls(column, rows) for column in plain]


def _aim(board: ShownBoard, name: str) -> Aim:
    return board.aims.get(name, Aim("higher" if name == AUDIT else "lower"))


def _with_controls(column: Column, rows: Sequence[BoardRow]) -> Column:
    if column.metric.cost:
        return column
    reached = reached_by(column.name, column.aim, rows)
    return Column(column.name, column.metric, column.aim, reached)


def _cells(
    row: BoardRow,
    columns: Sequence[Column],
    best: Sequence[float | None],
    rows: Sequence[BoardRow],
) -> tuple[Cell, ...]:
    return tuple(_cell(row, *each, rows) for each in zip(columns, best, strict=True))


def _cell(row: BoardRow, column: Column, best: float | None, rows: Sequence[BoardRow]) -> Cell:
    own = value(row, column.name)
    key = distance(row, column.name, column.aim, rows)
    is_best = key is not None and row.competes and row.is_verified(column.name) and key == best
    n = own.n if own is not None and own.above is None and own.n != row.n else None
    text = row.like_retrain if column.name == AUDIT else shown_spread(own, column.metric)
    return Cell(text, key, is_best, n)
