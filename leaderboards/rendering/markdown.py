"""A board as a Markdown table, for a README."""

from __future__ import annotations

import re

from leaderboards.rendering.tables import NO_YARDSTICK, BoardTable, Column, Group, TableRow
from leaderboards.untrusted.harmless_text import harmless

STATES = {
    "claimed": "claimed only",
    "re-scored": "re-scored",
    "reproduced": "reproduced",
    "refuted": "refuted",
    "reported": "reported",
}


def board_markdown(table: BoardTable) -> str:
    """Heading, table and notes; each row's details are on the page only."""
    facts = [f"{title}: {_text(text)}" for title, text in table.board.facts.items()]
    heading = f"### {_text(table.board.title)}\n\n{'<br>'.join(facts)}"
    if not table.groups:
        return f"{heading}\n\nNo entries yet."
    return "\n\n".join([heading, _table(table), *_notes(table)])


def code(text: str, limit: int = 60) -> str:
    """A stranger's text as a code span, in which Markdown, links and mentions mean nothing."""
    shown = harmless(text, limit).replace("|", "\\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _table(table: BoardTable) -> str:
    titles = ["Method", "Checked", *(_title(column) for column in table.columns), "n"]
    ruler = [":--", ":--", *("--:" for _ in titles[2:])]
    lines = [table_line(titles), table_line(ruler)]
    for group in table.groups:
        lines.append(table_line([f"*{group.title}*", *("" for _ in titles[1:])]))
        lines += [_row(row, group) for row in group.rows]
    return "\n".join(lines)


def _row(shown: TableRow, group: Group) -> str:
    row = shown.row
    cells = [f"**{cell.text}**" if cell.best else cell.text for cell in shown.cells]
    counted = [
        f"{text} (n={cell.n})" if cell.n is not None else text
        for text, cell in zip(cells, shown.cells, strict=True)
    ]
    number = "–" if row.n is None else str(row.n)
    return table_line([code(row.method), STATES[row.state], *counted, number])


def _title(column: Column) -> str:
    return f"{column.title}{' †' if column.reached_by else ''}<br>{column.ideal}"


def _notes(table: BoardTable) -> list[str]:
    notes = [
        "Mean ± standard deviation over n seeds; best of the checked methods in bold. What is only "
        "claimed was computed by nobody but its submitter; who checked the others is on the page."
    ]
    reached = [f"{code(name)}: {', '.join(titles)}" for name, titles in table.reached.items()]
    if reached:
        notes.append(
            "† A control, which forgets nothing, is as good as the best method within their "
            f"spreads, so that the column does not tell methods apart ({'; '.join(reached)})."
        )
    hiding = [shown.row for shown in table.rows if shown.row.impostor]
    notes += [f"{code(row.method)} {_text(row.impostor)}" for row in hiding]
    for reason, methods in table.not_audited.items():
        notes.append(f"No audit of {', '.join(map(code, methods))}: {_text(reason)}.")
    return [*notes, *([NO_YARDSTICK] if table.without_yardstick else [])]


def table_line(cells: list[str]) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Our own sentences, in which data from outside may stand: punctuation loses its meaning."""
    return re.sub(r"([\\`*_\[\]<>|#&~])", r"\\\1", harmless(text, 400))
