"""Tables of a grid's records: mean ± deviation over seeds, best values marked, controls apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev

from benchmark_adapters.grid.columns import Column, Record, first_columns, panel_columns

REFERENCE_ROWS = ("original", "retrain")
MARK = "†"
CONTROL_NOTE = "a control is as good as the best method: this column does not tell methods apart"


@dataclass
class Row:
    """A method's values over seeds, one list a column; None where a record has no such value.

    bounds: by column, what further values are only known to be above; they are in no mean.
    """

    label: str
    control: bool
    values: list[list[float | None]]
    best: set[int] = field(default_factory=set)
    bounds: dict[int, list[float]] = field(default_factory=dict)

    def mean(self, index: int) -> float | None:
        """The mean of a column's values, None if there is none or one of them is not known."""
        known = [value for value in self.values[index] if value is not None]
        return mean(known) if known and index not in self.bounds else None


def with_deviation(values: Sequence[float], decimals: int) -> str:
    """Mean, and ± standard deviation if there are several values; a dash if there is none."""
    if not values:
        return "-"
    spread = f" ± {stdev(values):.{decimals}f}" if len(values) > 1 else ""
    return f"{mean(values):.{decimals}f}{spread}"


def scenario_tables(records: Sequence[Record]) -> str:
    """All scenarios' tables, as text: accuracies and cost, and below them the panel."""
    scenarios = dict.fromkeys(record["scenario"] for record in records)
    return "\n\n".join(
        _tables(name, [record for record in records if record["scenario"] == name])
        for name in scenarios
    )


def scenario_rows(
    records: Sequence[Record], columns: Sequence[Column] | None = None
) -> tuple[list[Column], list[Row]]:
    """The columns and rows of one scenario's records; best values are marked in the rows.

    columns: those of the first table where none are given (see `panel_columns`).
    """
    chosen = list(columns or first_columns(class_wise=records[0]["scope"] == "class-wise"))
    retrained = {r["seed"]: r for r in records if r["method"] == "retrain"}
    by_label: dict[str, list[Record]] = {}
    for record in records:
        by_label.setdefault(record["method"], []).append(record)
    rows = [_row(label, own, chosen, retrained) for label, own in by_label.items()]
    _mark_best(chosen, rows)
    return chosen, rows


def reached_by_controls(columns: Sequence[Column], rows: Sequence[Row]) -> dict[int, list[str]]:
    """By column, the controls that are as near to its ideal as the best method.

    A control forgets nothing, so such a column does not tell methods apart. Columns of cost, in
    which doing nothing is best, are left out.
    """
    found: dict[int, list[str]] = {}
    for index, column in enumerate(columns):
        distances = _distances(column, index, rows)
        methods = [distances[row.label] for row in _competing(rows) if row.label in distances]
        controls = [
            row.label
            for row in rows
            if row.control and methods and distances.get(row.label, math.inf) <= min(methods)
        ]
        if controls and not column.cost:
            found[index] = controls
    return found


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
    retrain = next((row for row in rows if row.label == "retrain"), None)
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


def _tables(scenario: str, records: Sequence[Record]) -> str:
    panel = panel_columns(records)
    titled = f"{table_title(scenario, records)}\n{_table(*scenario_rows(records))}"
    if not panel:
        return titled
    return f"{titled}\nthe further metrics:\n{_table(*scenario_rows(records, panel))}"


def _table(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    reached = reached_by_controls(columns, rows)
    ordered = [row for row in rows if not row.control] + [row for row in rows if row.control]
    titles = [
        column.title + MARK if index in reached else column.title
        for index, column in enumerate(columns)
    ]
    cells = [["method", *titles]]
    cells += [
        [row.label, *(table_cell(row, index, column) for index, column in enumerate(columns))]
        for row in ordered
    ]
    lines = aligned_lines(cells)
    rule = "-" * max(map(len, lines))
    controls = [line for row, line in zip(ordered, lines[1:], strict=True) if row.control]
    body = [lines[0], rule, *lines[1 : len(lines) - len(controls)]]
    if controls:
        body += ["controls, which forget nothing:", *controls]
    notes = [f"{MARK} {CONTROL_NOTE}"] if reached else []
    return "\n".join([rule, *body, rule, *notes])


def table_title(scenario: str, records: Sequence[Record]) -> str:
    """What a scenario's table shows, in one line."""
    seeds = sorted({record["seed"] for record in records})
    first = records[0]
    return (
        f"{first['benchmark']} {scenario}: mean ± standard deviation over n={len(seeds)} seeds "
        f"({', '.join(map(str, seeds))}); * best; MIA ideal 0.5; gap to Retrain, ideal 0"
    )


def table_cell(row: Row, index: int, column: Column) -> str:
    """Mean ± deviation in the column's unit, `*` behind a best value; a dash without a value.

    `> 100` where a value is only known to be above that, with how many of them if not all are.
    """
    values = [value * column.scale for value in row.values[index] if value is not None]
    bounds = row.bounds.get(index, [])
    if bounds:
        some = f" ({len(bounds)} of {len(bounds) + len(values)})" if values else ""
        return f"> {max(bounds) * column.scale:g}{some} "
    if not values:
        return "-"
    return f"{with_deviation(values, column.decimals)}{'*' if index in row.best else ' '}"


def aligned_lines(cells: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row of cells, in columns; the first to the left, the others to the right."""
    widths = [max(len(line[index]) for line in cells) for index in range(len(cells[0]))]
    return ["  ".join(_aligned(line, widths)).rstrip() for line in cells]


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *rest = zip(line, widths, strict=True)
    return [first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)]
