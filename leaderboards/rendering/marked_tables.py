"""Boards put between markers in a Markdown file: `<!-- leaderboard NAME -->`."""

from __future__ import annotations

import re
from collections.abc import Mapping

_MARKED = re.compile(
    r"(<!-- leaderboard (?P<name>[\w.-]+) -->\n)(?P<old>.*?)(<!-- /leaderboard -->)", re.DOTALL
)


def fill_markers(text: str, boards: Mapping[str, str]) -> str:
    """The text with the boards' tables between their markers.

    boards: Markdown by board name. A marker names a board (`digits.class-wise`) or all boards of
    a benchmark (`digits`). Raises ValueError for a marker that names none, or has no end.
    """
    opened = len(re.findall(r"<!-- leaderboard [^>]*-->", text))
    filled, closed = _MARKED.subn(lambda found: _filled(found, boards), text)
    if opened != closed:
        raise ValueError(
            f"{opened} markers '<!-- leaderboard NAME -->' but {closed} with a name and an end; "
            f"each needs '<!-- /leaderboard -->' on a line after it"
        )
    return filled


def _filled(found: re.Match[str], boards: Mapping[str, str]) -> str:
    name = found["name"]
    chosen = [text for board, text in boards.items() if name in (board, board.partition(".")[0])]
    if not chosen:
        raise ValueError(f"no board {name!r}; there are {', '.join(boards)}")
    return f"{found[1]}\n" + "\n\n".join(chosen) + f"\n\n{found[4]}"
