"""What is shown of a board: its title, what it is about, and which values are good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leaderboards.board import Board
from leaderboards.board_metrics import BoardMetric
from leaderboards.board_table import Aim, ShownBoard


def shown_board(board: Board) -> ShownBoard:
    """A board as a page shows it."""
    facts = {
        "Data": _source(board.dataset),
        "Original": _source(board.original),
        "Scenarios": ", ".join(board.scenarios),
        "Seeds": ", ".join(map(str, board.seeds)),
        "Not measured yet": board.not_measured,
    }
    return ShownBoard(
        board.name,
        board.title,
        board.scope,
        {title: text for title, text in facts.items() if text},
        {metric.name: _aim(metric) for metric in board.metrics},
    )


def _aim(metric: BoardMetric) -> Aim:
    return Aim(metric.direction, metric.ideal if metric.direction == "nearest" else None)


def _source(found: Mapping[str, Any]) -> str:
    """Where it comes from, at which revision; or that it is trained, where it has no source."""
    source, revision = found.get("source"), found.get("revision") or found.get("commit")
    if source:
        return f"{source} @ {str(revision)[:12]}" if revision else str(source)
    return f"{found.get('kind', 'made')} by the benchmark, for each seed"
