"""The rows of a scenario's table: a method's values over seeds, best ones and controls' marked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev

from benchmark_adapters.grid.columns import Column, Record, first_columns
from benchmark_adapters.grid.retrains import HELD_OUT, RETRAIN, is_yardstick, row_label

REFERENCE_ROWS = ("original", RETRAIN, HELD_OUT)


@dataclass
class Row:
    """A method's values over seeds, one list a column; None where a record has no such value.

    bounds: by column, what further values are only known to be above; they are in no mean.
    yardstick: whether it is Retrain's, with the original's recipe.
    """

    label: str
    control: bool
    values: list[list[float | None]]
    best: set[int] = field(default_factory=set)
    bounds: dict[int, list[float]] = field(default_factory=dict)
    yardstick: bool = False

    def mean(self, index: int) -> float | None:
        """The mean of a column's values, None if there is none or one of them is not known."""
        known = [value for value in self.values[index] if value is not None]
        return mean(known) if known and index not in self.bounds else None


def scenario_rows(
    records: Sequence[Record], columns: Sequence[Column] | None = None
) -> tuple[list[Column], list[Row]]:
    """The columns and rows of one scenario's records; best values are marked in the rows.

    columns: those of the first table where none are given (see `panel_columns`).
    """
    chosen = list(columns or first_columns(class_wise=records[0]["scope"] == "class-wise"))
    retrained = {r["seed"]: r for r in records if r["method"] == RETRAIN and is_yardstick(r)}
    by_label: dict[str, list[Record]] = {}
    for record in records:
        by_label.setdefault(row_label(record["method"]), []).append(record)
    rows = [_row(label, own, chosen, retrained) for label, own in by_label.items()]
    for row in rows:
        row.yardstick = row.label == RETRAIN and bool(retrained)
    _mark_best(chosen, rows)
    return chosen, rows


def reached_by_controls(columns: Sequence[Column], rows: Sequence[Row]) -> dict[int, list[str]]:
    """By column, the controls that come as near to its ideal as the best method, within spreads.

    As near: their means differ by no more than both deviations over the seeds together. A control
    forgets nothing, so such a column does not tell methods apart. Only what is registered as a
    control counts. Columns of cost, in which doing nothing is best, are left out.
    """
    found: dict[int, list[str]] = {}
    for index, column in enumerate(columns):
        distances = _distances(column, index, rows)
        methods = [row for row in _competing(rows) if row.label in distances]
        if not methods or column.cost:
            continue
        best = min(methods, key=lambda row: distances[row.label])
        controls = [
            row.label
            for row in rows
            if row.control
            and row.label in distances
            and distances[row.label] <= distances[best.label] + _slack(index, row, best)
        ]
        if controls:
            found[index] = controls
    return found


def _slack(index: int, one: Row, other: Row) -> float:
    """The deviation of the difference of two rows' means; 0 for single values."""
    known = [[v for v in row.values[index] if v is not None] for row in (one, other)]
    return math.hypot(*(stdev(values) if len(values) > 1 else 0.0 for values in known))


def _row(
    label: str,
    own: Sequence[Record],
    columns: Sequence[Column],
    retrained: Mapping[int, Record],
) -> Row:
    values = [
        [column.value(record, retrained) for record in own if column.bound(record) is None]
        for column in columns
    ]
    above = {
        index: [bound for record in own if (bound := column.bound(record)) is not None]
        for index, column in enumerate(columns)
    }
    bounds = {index: found for index, found in above.items() if found}
    return Row(label, bool(own[0]["control"]), values, bounds=bounds)


def _distances(column: Column, index: int, rows: Sequence[Row]) -> dict[str, float]:
    """How far each row's mean is from the ideal; rows of which that is not known are left out."""
    retrain = next((row for row in rows if row.yardstick), None)
    ideal = retrain.mean(index) if retrain else None
    found = {
        row.label: column.distance(value, ideal)
        for row in rows
        if (value := row.mean(index)) is not None
    }
    return {label: distance for label, distance in found.items() if not math.isnan(distance)}


def _competing(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if not row.control and row.label not in REFERENCE_ROWS]


def _mark_best(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Mark each column's best mean among the methods; references and controls do not compete."""
    methods = _competing(rows)
    for index, column in enumerate(columns):
        distances = _distances(column, index, rows)
        best = min((distances.get(row.label, math.inf) for row in methods), default=math.inf)
        for row in methods:
            if distances.get(row.label) == best:
                row.best.add(index)
