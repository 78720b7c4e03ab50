"""Tables of a grid's records: mean ± deviation over seeds, best values marked, controls apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.grid.aligned import aligned_lines
from benchmark_adapters.grid.aligned import with_deviation as with_deviation
from benchmark_adapters.grid.audit_tables import (
    TITLE,
    Audits,
    audit_column,
    audit_notes,
    audit_tables,
)
from benchmark_adapters.grid.columns import Column, Record, panel_columns
from benchmark_adapters.grid.retrains import RETRAIN, is_yardstick
from benchmark_adapters.grid.rows import Row, reached_by_controls, scenario_rows
from benchmark_adapters.grid.sequence_tables import sequence_tables

MARK = "†"
CONTROL_NOTE = "a control is as good as the best method: this column does not tell methods apart"


def scenario_tables(
    records: Sequence[Record],
    audits: Mapping[tuple[str, int], CaseAudit] | None = None,
    *,
    panel: bool = False,
) -> str:
    """All scenarios' tables, as text: accuracies and the audit's headline.

    audits: by scenario and seed. panel: every further metric below, and the audit test by test.
    """
    scenarios = dict.fromkeys(record["scenario"] for record in records)
    return "\n\n".join(
        _tables(
            name,
            [record for record in records if record["scenario"] == name],
            {seed: audit for (of, seed), audit in (audits or {}).items() if of == name},
            panel,
        )
        for name in scenarios
    )


def _tables(scenario: str, records: Sequence[Record], audits: Audits, panel: bool) -> str:
    columns, rows = scenario_rows(records)
    parts = [table_title(scenario, records), _table(columns, rows, audits)]
    parts += [] if audits else [why_no_audit(records)]
    parts += [text] if (text := sequence_tables(records)) else []
    if panel:
        further = scenario_rows(records, panel_columns(records))
        parts += ["the further metrics:", _table(*further, deviations=True)]
        parts += [text] if (text := audit_tables(audits)) else []
    return "\n".join(parts)


def why_no_audit(records: Sequence[Record]) -> str:
    """A line for a scenario whose records have no audit."""
    retrained = [record for record in records if record["method"] == RETRAIN]
    if not retrained:
        return "no audit: there is no Retrain to compare with (--methods retrain,...)"
    if not all(map(is_yardstick, retrained)):
        return (
            "no audit and no gap: the original's recipe is not Retrain's, or not known, and less "
            "training looks like forgetting"
        )
    return "no audit: it was left out, or its evidence was not kept"


def _table(
    columns: Sequence[Column],
    rows: Sequence[Row],
    audits: Audits | None = None,
    *,
    deviations: bool = False,
) -> str:
    """audits: adds a column. deviations: adds each value's distance in Retrain's deviations."""
    reached = reached_by_controls(columns, rows)
    ordered = [row for row in rows if not row.control] + [row for row in rows if row.control]
    titles = [
        column.title + MARK if index in reached else column.title
        for index, column in enumerate(columns)
    ]
    cells = [["method", *titles]]
    for row in ordered:
        texts = [table_cell(row, index, column) for index, column in enumerate(columns)]
        if deviations:
            texts = [
                text + distance_text(row, index, column, rows)
                for (index, column), text in zip(enumerate(columns), texts, strict=True)
            ]
        cells.append([row.label, *texts])
    if audits:
        for line, text in zip(cells, [TITLE, *_audited(ordered, audits)], strict=True):
            line.append(text)
    return _ruled(cells, ordered, reached, audit_notes(audits or {}))


def _audited(rows: Sequence[Row], audits: Audits) -> list[str]:
    return [audit_column(audits, row.label) for row in rows]


def distance_text(row: Row, index: int, column: Column, rows: Sequence[Row]) -> str:
    """How many deviations of several Retrains' values a row's mean is away from theirs.

    In brackets; empty where there are not several Retrains, or all of one value.
    """
    yardstick = next((each for each in rows if each.yardstick), None)
    own = row.mean(index)
    if yardstick is None or own is None or column.cost:
        return ""
    known = [value for value in yardstick.values[index] if value is not None]
    if len(known) < 2 or index in yardstick.bounds or stdev(known) == 0:
        return ""
    return f"({(own - mean(known)) / stdev(known):+.1f})"


def _ruled(
    cells: Sequence[Sequence[str]],
    rows: Sequence[Row],
    reached: Mapping[int, list[str]],
    notes: Sequence[str],
) -> str:
    lines = aligned_lines(cells)
    rule = "-" * max(map(len, lines))
    controls = [line for row, line in zip(rows, lines[1:], strict=True) if row.control]
    body = [lines[0], rule, *lines[1 : len(lines) - len(controls)]]
    if controls:
        body += ["controls, which forget nothing:", *controls]
    marked = [f"{MARK} {CONTROL_NOTE}"] if reached else []
    return "\n".join([rule, *body, rule, *marked, *notes])


def table_title(scenario: str, records: Sequence[Record]) -> str:
    """What a scenario's table shows, in one line."""
    seeds = sorted({record["seed"] for record in records})
    first = records[0]
    return (
        f"{first['benchmark']} {scenario}: mean ± standard deviation over n={len(seeds)} seeds "
        f"({', '.join(map(str, seeds))}); * best"
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
