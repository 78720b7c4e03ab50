"""Which rows and cells of a table are meant by `--row` and `--cell`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fnmatch import fnmatchcase

from leaderboards.reproduction.table import Recorded, Row, Table
from leaderboards.reproduction.tables import nearest


def chosen_of(tables: Sequence[Table], rows: Sequence[str], cells: Sequence[str]) -> list[Table]:
    """The tables that have what is meant, narrowed to it. Raises ValueError where none has it."""
    found, wrong = [], list[ValueError]()
    for table in tables:
        try:
            found.append(narrowed(table, rows, cells))
        except ValueError as error:
            wrong.append(error)
    if not found:
        raise wrong[0]
    return found


def narrowed(table: Table, rows: Sequence[str], cells: Sequence[str]) -> Table:
    """The table with the rows and cells that these globs mean, all where there are none.

    rows: methods, or what tells a method's rows apart. cells: `class-3/0`, or with the benchmark
    before it. Raises ValueError for one that means nothing, naming the nearest.
    """
    _check(rows, [_names(row) for row in table.rows], "row", table)
    kept = [row for row in table.rows if _meant(rows, _names(row))]
    there = [each for row in kept for each in row.recorded]
    _check(cells, [_cell_names(each) for each in there], "cell", table)
    if cells:
        kept = [found for row in kept if (found := _of_cells(row, cells)).recorded]
    return dataclasses.replace(table, rows=tuple(kept))


def _of_cells(row: Row, cells: Sequence[str]) -> Row:
    own = tuple(each for each in row.recorded if _meant(cells, _cell_names(each)))
    return dataclasses.replace(row, recorded=own)


def _names(row: Row) -> tuple[str, ...]:
    return row.method, row.title, *((row.where,) if row.where else ())


def _cell_names(own: Recorded) -> tuple[str, str]:
    return own.cell, f"{own.record['benchmark']}/{own.cell}"


def _meant(patterns: Sequence[str], names: Sequence[str]) -> bool:
    if not patterns:
        return True
    return any(fnmatchcase(n, pattern) for n in names for pattern in patterns)


def _check(
    patterns: Sequence[str], names: Sequence[Sequence[str]], what: str, table: Table
) -> None:
    """Raise ValueError for a glob that means nothing. names: of each row or cell, its first one
    is told.
    """
    known = [name for each in names for name in each]
    for pattern in patterns:
        if not _meant([pattern], known):
            told = ", ".join(dict.fromkeys(each[0] for each in names))
            raise ValueError(
                f"{table.name} has no {what} {pattern!r:.80}{nearest(pattern, known)}; there are "
                f"{told or 'none'}"
            )
