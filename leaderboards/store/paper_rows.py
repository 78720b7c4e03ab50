"""The rows of a leaderboard that the paper reports; nobody has computed them again."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from leaderboards.board.board import Board, is_reference
from leaderboards.board.paper_values import paper_values
from leaderboards.store.spreads import Spread


def paper_rows(board: Board) -> list[dict[str, Any]]:
    """What the paper reports for a board's setting; none where it has no such setting."""
    paper = paper_values()
    setting = paper["settings"].get(board.benchmark, {})
    by_scenario: dict[str, Mapping[str, Any]] = {
        name: methods
        for name, methods in setting.items()
        if name == board.scope or (board.scope == "instance-wise" and name.startswith("instance-"))
    }
    methods = dict.fromkeys(method for each in by_scenario.values() for method in each)
    return [_paper_row(board, method, by_scenario, paper) for method in methods]


def _paper_row(
    board: Board, method: str, by_scenario: Mapping[str, Mapping[str, Any]], paper: Any
) -> dict[str, Any]:
    reported = {name: each[method] for name, each in by_scenario.items() if method in each}
    metrics: dict[str, Spread] = {}
    for name in dict.fromkeys(metric for each in reported.values() for metric in each):
        told = [each[name] for each in reported.values() if name in each]
        # Deviations of several scenarios can't be joined: their seeds are not reported.
        std = told[0]["std"] if len(told) == 1 else None
        mean = statistics.fmean(each["mean"] for each in told)
        metrics[name] = {"mean": mean, "std": std, "n": paper["seeds"]}
    row = {
        "board": board.name, "scope": board.scope, "method": method, "control": False,
        "reference_row": is_reference(method), "paper": True, "state": "reported",
        "n": paper["seeds"], "metrics": metrics, "source": paper["source"],
    }  # fmt: skip
    if board.scope == "instance-wise":
        row["by_scenario"] = {
            name: {metric: {**value, "n": paper["seeds"]} for metric, value in each.items()}
            for name, each in reported.items()
            if name != board.scope
        }
    return row
