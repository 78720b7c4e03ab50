"""A board in few columns and chosen rows, for the head of a README.

It is put between `<!-- headline BOARD METHOD,METHOD -->` and `<!-- /headline -->`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from leaderboards.rendering.markdown import code, table_line
from leaderboards.rendering.rows import AUDIT, BoardRow, Spread
from leaderboards.rendering.shown_metrics import shown_metric, shown_spread
from leaderboards.rendering.tables import BoardTable

METRICS = (
    "retain_accuracy",
    "test_retain_accuracy",
    "forget_accuracy",
    "test_forget_accuracy",
    "linear_probe_forget_accuracy",
)
_MARKED = re.compile(
    r"(<!-- headline (?P<board>[\w.-]+) (?P<methods>[\w.,@-]+) -->\n).*?(<!-- /headline -->)",
    re.DOTALL,
)


def fill_headlines(text: str, tables: Mapping[str, BoardTable]) -> str:
    """The text with a headline table between each pair of markers. tables: by board.

    Raises ValueError for a marker of an unknown board or method, and for one that is not whole.
    """
    opened = len(re.findall(r"<!-- headline\b", text))
    filled, closed = _MARKED.subn(lambda found: _filled(found, tables), text)
    if opened != closed:
        raise ValueError(
            f"{opened} markers '<!-- headline BOARD METHOD,METHOD -->' but {closed} with a board, "
            f"methods and an end; each needs '<!-- /headline -->' on a line after it"
        )
    return filled


def headline(table: BoardTable, methods: Sequence[str]) -> str:
    """The named methods' rows, in the board's order, as a Markdown table of nine columns.

    Passes are forward plus backward ones, in samples. Raises ValueError for a method that has no
    row, or more than one, on the board.
    """
    rows = [shown.row for shown in table.rows if not shown.row.paper]
    for method in methods:
        found = [row for row in rows if row.method == method]
        if len(found) != 1:
            raise ValueError(f"{table.board.name} has {len(found)} rows of method {method!r}")
    titles = [_title(name) for name in METRICS]
    lines = [
        table_line(["Method", "Reads", *titles, _title(AUDIT), "Passes"]),
        table_line([":--", ":--", *("--:" for _ in titles), "--:", "--:"]),
    ]
    return "\n".join([*lines, *(_row(row) for row in rows if row.method in methods)])


def _filled(found: re.Match[str], tables: Mapping[str, BoardTable]) -> str:
    board = found["board"]
    if board not in tables:
        raise ValueError(f"no board {board!r}; there are {', '.join(tables)}")
    return f"{found[1]}\n{headline(tables[board], found['methods'].split(','))}\n\n{found[4]}"


def _title(name: str) -> str:
    metric = shown_metric(name)
    return f"{metric.title} {metric.unit}".strip()


def _row(row: BoardRow) -> str:
    values = [shown_spread(row.metrics.get(name), shown_metric(name)) for name in METRICS]
    values.append(row.like_retrain)
    name = f"{code(row.method)} (control)" if row.control else code(row.method)
    return table_line([name, ", ".join(row.needs or ()) or "nothing", *values, _passes(row)])


def _passes(row: BoardRow) -> str:
    both = [row.metrics.get(name) for name in ("forward_passes", "backward_passes")]
    known = [each.mean for each in both if isinstance(each, Spread)]
    return f"{sum(known):,.0f}" if len(known) == 2 else "–"
