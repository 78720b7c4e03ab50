"""Tables of a grid's records: mean ± deviation over seeds, best values marked, controls apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any

REFERENCE_ROWS = ("original", "retrain")
GAP_METRICS = ("forget_accuracy", "retain_accuracy", "test_retain_accuracy", "mia_accuracy")
MARK = "†"
CONTROL_NOTE = "a control is as good as the best method: this column does not tell methods apart"
Record = Mapping[str, Any]
Value = Callable[[Record, Mapping[int, Record]], float | None]


@dataclass(frozen=True)
class Column:
    """A column: its title, its value in a record, its scale, and how far from ideal a mean is.

    cost: time or passes, where a control that does nothing is best without saying anything.
    """

    title: str
    value: Value
    distance: Callable[[float, float | None], float]
    scale: float = 1.0
    decimals: int = 1
    cost: bool = False


@dataclass
class Row:
    """A method's values over seeds, one list a column; None where a record has no such value."""

    label: str
    control: bool
    values: list[list[float | None]]
    best: set[int] = field(default_factory=set)


def gap_to_retrain(record: Record, retrained: Mapping[int, Record]) -> float | None:
    """Mean absolute difference to Retrain of the same seed over forget, retain, test and MIA.

    A fraction; None where there is no Retrain. Test is test-retain class-wise.
    """
    other = retrained.get(record["seed"])
    if other is None:
        return None
    names = [name for name in GAP_METRICS if name in record["metrics"]]
    if "test_retain_accuracy" not in names:
        names.append("test_accuracy")
    return mean(abs(record["metrics"][name] - other["metrics"][name]) for name in names)


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
    chosen = list(columns or _columns(class_wise=records[0]["scope"] == "class-wise"))
    retrained = {r["seed"]: r for r in records if r["method"] == "retrain"}
    by_label: dict[str, list[Record]] = {}
    for record in records:
        by_label.setdefault(record["method"], []).append(record)
    rows = [
        Row(
            label,
            bool(own[0]["control"]),
            [[column.value(record, retrained) for record in own] for column in chosen],
        )
        for label, own in by_label.items()
    ]
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


def panel_columns(records: Sequence[Record]) -> list[Column]:
    """The further metrics that some of these records have."""
    measured = {name for record in records for name in record["metrics"]}
    return [column for name, column in _PANEL.items() if name in measured]


def _metric(name: str) -> Value:
    return lambda record, retrained: record["metrics"].get(name)


def _lower(value: float, retrained: float | None) -> float:
    return value


def _higher(value: float, retrained: float | None) -> float:
    return -value


def _as_retrained(value: float, retrained: float | None) -> float:
    """Without Retrain nothing is nearer."""
    return abs(value - retrained) if retrained is not None else math.nan


def _chance(value: float, retrained: float | None) -> float:
    return abs(value - 0.5)


_PANEL = {
    name: Column(title, _metric(name), distance, scale, decimals)
    for name, title, distance, scale, decimals in (
        ("linear_probe_forget_accuracy", "probe-forget %", _as_retrained, 100, 1),
        ("relearn_updates", "relearn", _as_retrained, 1, 1),
        ("activation_distance", "activation", _lower, 1, 3),
        ("js_divergence", "JS", _lower, 1, 3),
        ("mia_auc", "MIA AUC", _chance, 1, 3),
        ("mia_efficacy", "MIA-eff.", _as_retrained, 1, 3),
        ("zrf", "ZRF", _as_retrained, 1, 3),
        ("average_gap", "average gap %", _lower, 100, 1),
        ("tow", "ToW", _higher, 1, 3),
    )
}


def _columns(*, class_wise: bool) -> list[Column]:
    test = [
        Column("test-retain %", _metric("test_retain_accuracy"), _higher, 100),
        Column("test-forget %", _metric("test_forget_accuracy"), _lower, 100),
    ]
    if not class_wise:
        test = [Column("test %", _metric("test_accuracy"), _higher, 100)]
    forgotten = _lower if class_wise else _as_retrained
    return [
        Column("retain %", _metric("retain_accuracy"), _higher, 100),
        Column("forget %", _metric("forget_accuracy"), forgotten, 100),
        *test,
        Column("MIA", _metric("mia_accuracy"), _chance, decimals=3),
        Column("update s", lambda r, _: r["seconds"]["update"], _lower, 1, 2, cost=True),
        Column("total s", lambda r, _: r["seconds"]["total"], _lower, 1, 2, cost=True),
        Column("forwards", lambda r, _: _passes(r, "forward"), _lower, 1, 0, cost=True),
        Column("backwards", lambda r, _: _passes(r, "backward"), _lower, 1, 0, cost=True),
        Column("gap %", gap_to_retrain, _lower, 100),
    ]


def _passes(record: Record, direction: str) -> float:
    return float(sum(record["passes"][direction].values()))


def _distances(column: Column, index: int, rows: Sequence[Row]) -> dict[str, float]:
    """How far each row's mean is from the ideal; rows of which that is not known are left out."""
    retrain = next((row for row in rows if row.label == "retrain"), None)
    ideal = _mean(retrain.values[index]) if retrain else None
    found = {
        row.label: column.distance(value, ideal)
        for row in rows
        if (value := _mean(row.values[index])) is not None
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
    """Mean ± deviation in the column's unit, `*` behind a best value; a dash without a value."""
    values = [value * column.scale for value in row.values[index] if value is not None]
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


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known else None
