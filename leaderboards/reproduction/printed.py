"""A table's rows with their commands and reasons, as they are printed, and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leaderboards.rendering.rows import Spread
from leaderboards.reproduction.command_lines import command_line
from leaderboards.reproduction.compared import CellAgain
from leaderboards.reproduction.place import Place
from leaderboards.reproduction.reasons import Reason, reasons_for
from leaderboards.reproduction.table import Recorded, Row, Table
from suli_plugin.registry import Registry


@dataclass(frozen=True)
class PrintedCell:
    """A record with the command that makes it again, or why there is none (`problem`)."""

    own: Recorded
    command: str = ""
    problem: str = ""

    @property
    def recorded_command(self) -> str:
        """What its record says that it was made by."""
        return str(self.own.record["command"])


@dataclass(frozen=True)
class PrintedRow:
    """A row with its cells, and why it differs from the paper's."""

    row: Row
    cells: tuple[PrintedCell, ...]
    reasons: tuple[tuple[list[str], Reason], ...]


def printed_rows(table: Table, registry: Registry, place: Place) -> list[PrintedRow]:
    """What there is to say of each row of a table."""
    return [
        PrintedRow(
            row,
            tuple(_cell(own, registry, place) for own in row.recorded),
            tuple(reasons_for(table, row)),
        )
        for row in table.rows
    ]


def table_json(
    table: Table, rows: Sequence[PrintedRow], again: Mapping[int, CellAgain]
) -> dict[str, Any]:
    """A table as JSON. again: what was run again, by the record's identity."""
    return {
        "table": table.name,
        "title": table.title,
        "note": table.note,
        "rows": [_row_json(table, each, again) for each in rows],
    }


def _cell(own: Recorded, registry: Registry, place: Place) -> PrintedCell:
    try:
        return PrintedCell(own, command_line(own, registry, place))
    except (TypeError, ValueError) as error:
        said = " ".join(str(error).split())
        return PrintedCell(own, problem=f"today's code can't be given its settings: {said}")


def _row_json(table: Table, each: PrintedRow, again: Mapping[int, CellAgain]) -> dict[str, Any]:
    row = each.row
    return {
        "method": row.method,
        "where": row.where,
        "figures": _spreads(row.figures, table),
        "paper": _spreads(row.paper, table),
        "reasons": [{"of": columns, **dataclasses.asdict(why)} for columns, why in each.reasons],
        "cells": [_cell_json(cell, table, again.get(id(cell.own))) for cell in each.cells],
    }


def _cell_json(cell: PrintedCell, table: Table, again: CellAgain | None) -> dict[str, Any]:
    values = {name: cell.own.values[name] for name in table.columns if name in cell.own.values}
    found = {
        "benchmark": cell.own.record["benchmark"],
        "cell": cell.own.cell,
        "command": cell.command or None,
        "problem": cell.problem or None,
        "recorded_command": cell.recorded_command,
        "values": values,
    }
    if again is None:
        return found
    figures = [dataclasses.asdict(figure) for figure in again.figures]
    told = {"problem": again.problem or None, "notes": list(again.notes), "figures": figures}
    return {**found, "again": told}


def _spreads(of: Mapping[str, Spread], table: Table) -> dict[str, Any]:
    return {name: dataclasses.asdict(of[name]) for name in table.columns if name in of}
