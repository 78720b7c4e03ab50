"""What `suli reproduce` prints: tables, a table's commands and figures, and what was run again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmark_adapters.grid.aligned import aligned_lines
from leaderboards.rendering.rows import Spread
from leaderboards.rendering.shown_metrics import ShownMetric, shown_spread
from leaderboards.reproduction.compared import CellAgain, Compared, summary
from leaderboards.reproduction.printed import PrintedCell, PrintedRow
from leaderboards.reproduction.table import Table, one
from leaderboards.untrusted.harmless_text import harmless

_LONGEST = 4_000


def listing(tables: Mapping[str, Table]) -> Iterator[str]:
    """A line for each table."""
    width = max(map(len, tables))
    for name, table in tables.items():
        many = f"{len(table.rows)} rows from {len(table.recorded)} records"
        yield f"{name.ljust(width)}  {table.title}: {many}"


def table_lines(table: Table, rows: Sequence[PrintedRow]) -> Iterator[str]:
    """A table's rows: figures beside the paper's, why they differ, and a command for each cell."""
    yield f"{table.name}: {table.title}"
    if table.note:
        yield f"    {table.note}"
    for each in rows:
        yield ""
        yield from _row(table, each)


def cell_lines(table: Table, cell: CellAgain, printed: PrintedRow) -> Iterator[str]:
    """A cell that was run again: now, the record and the paper side by side, with verdicts."""
    own = cell.recorded
    yield f"{table.name}: {harmless(printed.row.title)}, {own.cell}"
    if cell.problem:
        yield f"    {harmless(cell.problem, _LONGEST)}"
    if cell.figures:
        shown = [_compared(table, cell, each, printed.row.paper) for each in cell.figures]
        lines = [["", "now", "record", "paper", ""], *(line for line in shown if any(line[1:4]))]
        if not printed.row.paper:
            lines = [[*line[:3], line[4]] for line in lines]
        yield from (f"    {line}" for line in aligned_lines(lines))
    yield from (f"    {harmless(note)}" for note in cell.notes)
    yield from _why(table, printed)


def summary_line(cells: Sequence[CellAgain]) -> str:
    """How many figures came out as recorded, and how many did not."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in summary(cells).items())
    failed = sum(bool(cell.problem) for cell in cells)
    more = f"; {failed} of {len(cells)} cells could not be judged" if failed else ""
    many = f"{len(cells)} cell{'s' * (len(cells) != 1)}"
    return f"{many} run again: {counts or 'no figures'}{more}"


def _row(table: Table, printed: PrintedRow) -> Iterator[str]:
    row = printed.row
    yield harmless(row.title)
    heads = ["", *(["the table"] if row.figures else []), *(["the paper"] if row.paper else [])]
    lines = [[*heads, *(own.cell for own in row.recorded)]]
    for name, metric in table.columns.items():
        means = [of.get(name) for of in (row.figures, row.paper) if of]
        shown = [*means, *(one(own.values, name) for own in row.recorded)]
        if any(shown):
            lines.append([_title(metric), *(shown_spread(each, metric) for each in shown)])
    yield from (f"    {line}" for line in aligned_lines(lines))
    yield from _why(table, printed)
    if not row.recorded:
        yield "    no record of ours under this name"
    for cell in printed.cells:
        yield f"    {cell.own.cell}: {cell.command or harmless(cell.problem, _LONGEST)}"
    yield from (f"    {line}" for line in _recorded_by(printed.cells))


def _recorded_by(cells: Sequence[PrintedCell]) -> Iterator[str]:
    """The commands that the records tell, where they are others; each once."""
    told: dict[str, list[str]] = {}
    for cell in cells:
        if cell.recorded_command != cell.command:
            told.setdefault(cell.recorded_command, []).append(cell.own.cell)
    for command, names in told.items():
        yield f"recorded by ({', '.join(names)}): {harmless(command, _LONGEST)}"


def _why(table: Table, printed: PrintedRow) -> Iterator[str]:
    for columns, reason in printed.reasons:
        titles = ", ".join(table.columns[name].title for name in columns)
        shown = f" ({reason.shown_by})" if reason.shown_by else ""
        yield f"    why ours and the paper's differ ({titles}): {reason.text}{shown}"


def _compared(
    table: Table, cell: CellAgain, each: Compared, paper: Mapping[str, Spread]
) -> list[str]:
    metric = table.columns[each.column]
    values = [one(of, each.column) for of in (cell.again.values, cell.recorded.values)]
    shown = [shown_spread(found, metric) if found else ""
             for found in (*values, paper.get(each.column))]  # fmt: skip
    return [_title(metric), *shown, _verdict(each, metric)]


def _verdict(each: Compared, metric: ShownMetric) -> str:
    if each.verdict not in ("within noise", "differs") or each.tolerance is None:
        return each.verdict
    return f"{each.verdict} (± {each.tolerance * metric.scale:.3g})"


def _title(metric: ShownMetric) -> str:
    return f"{metric.title} {metric.unit}".strip()
