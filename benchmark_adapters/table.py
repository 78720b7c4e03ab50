"""Tables of a grid's records: mean ± deviation over seeds, best values marked, controls apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any

REFERENCE_ROWS = ("original", "retrain")
GAP_METRICS = ("forget_accuracy", "retain_accuracy", "test_retain_accuracy", "mia_accuracy")
Record = Mapping[str, Any]
Value = Callable[[Record, Mapping[int, Record]], float | None]


@dataclass(frozen=True)
class Column:
    """A column: its title, its value in a record, its scale, and how far from ideal a mean is."""

    title: str
    value: Value
    distance: Callable[[float, float | None], float]
    scale: float = 1.0
    decimals: int = 1


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


def scenario_tables(records: Sequence[Record]) -> str:
    """All scenarios' tables, as text."""
    scenarios = dict.fromkeys(record["scenario"] for record in records)
    tables = [
        _table(name, [record for record in records if record["scenario"] == name])
        for name in scenarios
    ]
    return "\n\n".join(tables)


def scenario_rows(records: Sequence[Record]) -> tuple[list[Column], list[Row]]:
    """The columns and rows of one scenario's records; best values are marked in the rows."""
    columns = _columns(class_wise=records[0]["scope"] == "class-wise")
    retrained = {r["seed"]: r for r in records if r["method"] == "retrain"}
    by_label: dict[str, list[Record]] = {}
    for record in records:
        by_label.setdefault(record["method"], []).append(record)
    rows = [
        Row(
            label,
            bool(own[0]["control"]),
            [[column.value(record, retrained) for record in own] for column in columns],
        )
        for label, own in by_label.items()
    ]
    _mark_best(columns, rows)
    return columns, rows


def _columns(*, class_wise: bool) -> list[Column]:
    def metric(name: str) -> Value:
        return lambda record, retrained: record["metrics"].get(name)

    def lower(value: float, retrained: float | None) -> float:
        return value

    def higher(value: float, retrained: float | None) -> float:
        return -value

    def as_retrained(value: float, retrained: float | None) -> float:
        return abs(value - retrained) if retrained is not None else value

    def chance(value: float, retrained: float | None) -> float:
        return abs(value - 0.5)

    test = [
        Column("test-retain %", metric("test_retain_accuracy"), higher, 100),
        Column("test-forget %", metric("test_forget_accuracy"), lower, 100),
    ]
    if not class_wise:
        test = [Column("test %", metric("test_accuracy"), higher, 100)]
    return [
        Column("retain %", metric("retain_accuracy"), higher, 100),
        Column("forget %", metric("forget_accuracy"), lower if class_wise else as_retrained, 100),
        *test,
        Column("MIA", metric("mia_accuracy"), chance, decimals=3),
        Column("update s", lambda r, _: r["seconds"]["update"], lower, decimals=2),
        Column("total s", lambda r, _: r["seconds"]["total"], lower, decimals=2),
        Column("forwards", lambda r, _: float(sum(r["passes"]["forward"].values())), lower, 1, 0),
        Column("backwards", lambda r, _: float(sum(r["passes"]["backward"].values())), lower, 1, 0),
        Column("gap %", gap_to_retrain, lower, 100),
    ]


def _mark_best(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Mark each column's best mean among the methods; references and controls do not compete."""
    retrain = next((row for row in rows if row.label == "retrain"), None)
    methods = [row for row in rows if not row.control and row.label not in REFERENCE_ROWS]
    for index, column in enumerate(columns):
        ideal = _mean(retrain.values[index]) if retrain else None
        distances = {
            id(row): column.distance(value, ideal)
            for row in methods
            if (value := _mean(row.values[index])) is not None
        }
        for row in methods:
            if distances.get(id(row)) == min(distances.values(), default=None):
                row.best.add(index)


def _table(scenario: str, records: Sequence[Record]) -> str:
    columns, rows = scenario_rows(records)
    ordered = [row for row in rows if not row.control] + [row for row in rows if row.control]
    cells = [["method", *(column.title for column in columns)]]
    cells += [
        [row.label, *(_cell(row, index, column) for index, column in enumerate(columns))]
        for row in ordered
    ]
    lines = aligned_lines(cells)
    rule = "-" * max(map(len, lines))
    body = [lines[0], rule]
    for row, line in zip(ordered, lines[1:], strict=True):
        if row.control and "controls" not in body[-1] and not any("controls" in b for b in body):
            body.append("controls, which forget nothing:")
        body.append(line)
    return "\n".join([_title(scenario, records), rule, *body, rule])


def _title(scenario: str, records: Sequence[Record]) -> str:
    seeds = sorted({record["seed"] for record in records})
    first = records[0]
    return (
        f"{first['benchmark']} {scenario}: mean ± standard deviation over n={len(seeds)} seeds "
        f"({', '.join(map(str, seeds))}); * best; MIA ideal 0.5; gap to Retrain, ideal 0"
    )


def _cell(row: Row, index: int, column: Column) -> str:
    values = [value * column.scale for value in row.values[index] if value is not None]
    if not values:
        return "-"
    spread = f" ± {stdev(values):.{column.decimals}f}" if len(values) > 1 else ""
    return f"{mean(values):.{column.decimals}f}{spread}{'*' if index in row.best else ' '}"


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
