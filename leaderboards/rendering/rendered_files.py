"""The files that show a leaderboard: a static Space, and a README's tables; written or checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark_adapters.records.record import write_atomically
from leaderboards.rendering.headline import fill_headlines
from leaderboards.rendering.markdown import board_markdown
from leaderboards.rendering.marked_tables import fill_markers
from leaderboards.rendering.page import page_file, static_page
from leaderboards.rendering.rows import BoardRow
from leaderboards.rendering.tables import BoardTable, ShownBoard, board_table


def rendered_files(
    boards: Sequence[ShownBoard], rows: Sequence[BoardRow], output: Path, documents: Sequence[Path]
) -> dict[Path, str]:
    """Each file's path and text; the same boards and rows give the same.

    output: the Space's folder (README.md, index.html, boards.md). documents: Markdown files whose
    markers are filled. Raises ValueError for a row of no board, a marker of no board, or a
    document that cannot be read.
    """
    _check_boards(boards, rows)
    tables = [board_table(board, rows) for board in boards]
    texts = {table.board.name: board_markdown(table) for table in tables}
    return {
        output / "README.md": page_file("space_card.md"),
        output / "index.html": static_page(tables),
        output / "boards.md": _all_boards(tables, texts),
        **{path: _filled(path, texts, tables) for path in documents},
    }


def stale(files: Mapping[Path, str]) -> list[Path]:
    """Those that are not on the disk as they would be written."""
    return [path for path, text in files.items() if _on_disk(path) != text]


def write_files(files: Mapping[Path, str]) -> list[Path]:
    """Write those that are stale, each in one step, and name them."""
    changed = stale(files)
    for path in changed:
        write_atomically(path, files[path])
    return changed


def _check_boards(boards: Sequence[ShownBoard], rows: Sequence[BoardRow]) -> None:
    names = [board.name for board in boards]
    for row in rows:
        if row.board not in names:
            raise ValueError(
                f"a row of method {row.method!r:.60} is for board {row.board!r:.60}, "
                f"but there are only {', '.join(names)}"
            )


def _all_boards(tables: Sequence[BoardTable], texts: Mapping[str, str]) -> str:
    return "\n\n".join(["# Boards", *(texts[table.board.name] for table in tables)]) + "\n"


def _filled(path: Path, texts: Mapping[str, str], tables: Sequence[BoardTable]) -> str:
    try:
        text = fill_markers(path.read_text(encoding="utf-8"), texts)
        return fill_headlines(text, {table.board.name: table for table in tables})
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot fill in {path}: {error}") from error


def _on_disk(path: Path) -> str | None:
    try:
        return path.read_bytes().decode()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
