"""A CSV file of deletion requests: which classes or samples, asked for by which request, and when.

One row a class or a sample, under a line of titles: `request,date,class` or `request,date,id`.
Rows of the same request are one request. Requests are fulfilled in the order of their dates, and
of the file where dates are the same.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from benchmark_adapters.images.ids_file import text_of

OPTION = "--requests"
Column = Literal["class", "id"]


@dataclass(frozen=True)
class ListedRequest:
    """One request. date: YYYY-MM-DD. classes or ids: what it names, as `DataOptions` has them."""

    name: str
    date: str
    classes: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Row:
    where: str
    request: str
    date: str
    column: Column
    named: str


def read_requests(place: Path) -> tuple[ListedRequest, ...]:
    """The requests of a file, or of all `*.csv` in a folder by name, in the order of their dates.

    Raises ValueError, in one line with the file and the number of the line, for whatever is not
    as this module says, for a class or id that is named twice, for a request with two dates, and
    where some requests name classes and others ids.
    """
    files = sorted(place.glob("*.csv")) if place.is_dir() else [place]
    rows = [row for file in files for row in _rows(file)]
    if not rows:
        raise ValueError(f"{OPTION} {place} holds no request; expected request,date,class or id")
    _check(rows)
    names = sorted({row.request: row.date for row in rows}.items(), key=lambda item: item[1])
    return tuple(_request(name, [row for row in rows if row.request == name]) for name, _ in names)


def _request(name: str, rows: list[_Row]) -> ListedRequest:
    named = tuple(row.named for row in rows)
    if rows[0].column == "class":
        return ListedRequest(name, rows[0].date, classes=named)
    return ListedRequest(name, rows[0].date, ids=named)


def _rows(file: Path) -> Iterator[_Row]:
    reader = csv.reader(io.StringIO(text_of(file, OPTION), newline=""), strict=True)
    column: Column | None = None
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise ValueError(f"{OPTION} {file}, line {reader.line_num}: {error}") from error
        if cells is None:
            return
        where = f"{OPTION} {file}, line {reader.line_num}"
        cells = [cell.strip(" \t") for cell in cells]
        if not any(cells):
            continue
        if column is None:
            titles, column = cells, _column(cells, where)
        else:
            if len(cells) != len(titles):
                raise ValueError(f"{where}: expected {len(titles)} fields, got {len(cells)}")
            yield _row(dict(zip(titles, cells, strict=True)), column, where)


def _column(titles: list[str], where: str) -> Column:
    columns: tuple[Column, ...] = ("class", "id")
    for column in columns:
        if sorted(titles) == sorted(("request", "date", column)):
            return column
    raise ValueError(
        f"{where}: expected the titles request,date,class or request,date,id, got "
        f"{','.join(titles)!r:.80}"
    )


def _row(cells: dict[str, str], column: Column, where: str) -> _Row:
    for title, cell in cells.items():
        if not cell:
            raise ValueError(f"{where}: the field {title!r} is empty")
    try:
        day = date.fromisoformat(cells["date"]).isoformat()
    except ValueError:
        day = ""
    if day != cells["date"]:
        raise ValueError(f"{where}: expected a date as YYYY-MM-DD, got {cells['date']!r:.40}")
    return _Row(where, cells["request"], day, column, cells[column])


def _check(rows: list[_Row]) -> None:
    first: dict[str, _Row] = {}
    seen: dict[str, _Row] = {}
    for row in rows:
        if row.column != rows[0].column:
            raise ValueError(
                f"{row.where}: names ids where {rows[0].where.removeprefix(OPTION + ' ')} names "
                f"classes, or the other way round; make two runs of it"
            )
        other = first.setdefault(row.request, row)
        if row.date != other.date:
            raise ValueError(
                f"{row.where}: request {row.request!r} is of {row.date}, and of {other.date} above"
            )
        if row.named in seen:
            raise ValueError(
                f"{row.where}: {row.column} {row.named!r:.80} is named twice, by request "
                f"{seen[row.named].request!r} above"
            )
        seen[row.named] = row
