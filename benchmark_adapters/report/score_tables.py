"""The tables of a scenario's records on a page: accuracies and headline, what was measured request
after request, and further metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmark_adapters.grid.audit_tables import TITLE, audit_column
from benchmark_adapters.grid.columns import Column, panel_columns
from benchmark_adapters.grid.rows import Row, reached_by_controls, scenario_rows
from benchmark_adapters.grid.sequence_tables import AFTER, DRIFT, after_each, drift, sequences
from benchmark_adapters.grid.table import (
    CONTROL_NOTE,
    MARK,
    distance_text,
    table_cell,
    table_title,
)
from benchmark_adapters.report.run_folder import Scenario

CONTROLS = "controls, which forget nothing"
HEADLINE = "{title}: in how many tests with power the audit cannot tell the row from the Retrains"
DISTANCES = "in brackets: the distance from the Retrains' mean, in their standard deviations"
Cell = dict[str, Any]


def first_table(scenario: Scenario) -> dict[str, Any]:
    """Utility, forgetting, and where there is an audit its headline, as the page shows them."""
    columns, rows = scenario_rows(scenario.records)
    notes = [table_title(scenario.name, scenario.records)]
    audits = scenario.audits
    if not audits:
        return _table(columns, rows, notes)
    seeds = f", of seeds {', '.join(map(str, audits))}" if [*audits] != scenario.seeds else ""
    notes.append(HEADLINE.format(title=TITLE) + seeds)
    found = _table(columns, rows, notes, lambda row: [audit_column(audits, row.label)])
    return {**found, "columns": [*found["columns"], TITLE]}


def further_table(scenario: Scenario) -> dict[str, Any]:
    """The whole panel, with distances where there are several Retrains."""
    columns, rows = scenario_rows(scenario.records, panel_columns(scenario.records))
    away = [
        [distance_text(row, index, column, rows) for index, column in enumerate(columns)]
        for row in rows
    ]
    return _table(columns, rows, [DISTANCES] if any(map(any, away)) else [], away=away)


def request_tables(scenario: Scenario) -> list[dict[str, Any]]:
    """After each request, and the drift from all at once; none where methods are asked once."""
    found = sequences(scenario.records)
    if not found:
        return []
    both = ((AFTER, after_each(found)), (DRIFT, drift(found)))
    return [
        {"caption": caption, "columns": titles, "rows": rows} for caption, (titles, *rows) in both
    ]


def _table(
    columns: Sequence[Column],
    rows: Sequence[Row],
    notes: Sequence[str],
    further: Callable[[Row], list[str]] = lambda row: [],
    *,
    away: Sequence[Sequence[str]] = (),
) -> dict[str, Any]:
    """further: cells behind the columns'. away: by row and column, what stands behind a value."""
    reached = reached_by_controls(columns, rows)
    lines = []
    for number, row in enumerate(rows):
        cells: list[Cell] = [
            {
                "text": table_cell(row, index, column),
                "away": away[number][index] if away else "",
                "best": index in row.best,
            }
            for index, column in enumerate(columns)
        ]
        cells += [{"text": text, "away": "", "best": False} for text in further(row)]
        lines.append({"label": row.label, "control": row.control, "cells": cells})
    groups = [
        {"title": title, "rows": [line for line in lines if line["control"] is control]}
        for control, title in ((False, ""), (True, CONTROLS))
    ]
    titles = [column.title + MARK * (at in reached) for at, column in enumerate(columns)]
    return {
        "caption": "; ".join([*notes, *([f"{MARK} {CONTROL_NOTE}"] if reached else [])]),
        "columns": ["method", *titles],
        "groups": [group for group in groups if group["rows"]],
    }
