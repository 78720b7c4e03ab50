"""What is shown of a board: its title, what it is about, and which values are good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leaderboards.board.board import SETS, Board
from leaderboards.board.metrics import BoardMetric, board_metrics
from leaderboards.rendering.aims import Aim
from leaderboards.rendering.tables import ShownBoard


def shown_board(board: Board) -> ShownBoard:
    """A board as a page shows it."""
    facts = {
        "Data": _source(board.dataset),
        "Original": _source(board.original),
        "Scenarios": ", ".join(board.scenarios),
        "Seeds": ", ".join(map(str, board.seeds)),
        "Without hashes yet": board.not_measured,
    }
    return ShownBoard(
        board.name,
        board.title,
        board.scope,
        {title: text for title, text in facts.items() if text},
        {metric.name: _aim(metric) for metric in board.metrics or _unmeasured(board)},
    )


def _aim(metric: BoardMetric) -> Aim:
    return Aim(metric.direction, metric.ideal if metric.direction == "nearest" else None)


def _unmeasured(board: Board) -> tuple[BoardMetric, ...]:
    """The metrics of a board that has none yet; only which values are good is meant."""
    return board_metrics(board.scope, dict.fromkeys(SETS, 1))


def _source(found: Mapping[str, Any]) -> str:
    """Where it comes from, in which version; or that it is made, where it has no source."""
    named = [str(found[key]) for key in ("source", "revision") if found.get(key)]
    return ", ".join(named) or f"{found.get('kind', 'made')} by the benchmark, for each seed"
