"""How much a figure that is found again may differ from its record: what is known of the noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from benchmark_adapters.records.record import canonical
from leaderboards.board.board import Board, board_names, load_board
from leaderboards.board.metrics import board_metrics
from leaderboards.keeping.noise import with_noise
from leaderboards.reproduction.table import Record, Recorded

# What follows from other figures, or from another record, and has no noise of its own.
DERIVED = frozenset({"gap_to_retrain", "relative_cost", "score"})


class Tolerances:
    """The tolerances of one benchmark and scope.

    Those of its board where that has been measured, else three deviations of a difference between
    the seeds of the committed records (`keeping.noise`), else, on the same machine, one image.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        """records: of that benchmark and scope, of which some are run again."""
        self.records = records

    def of(self, own: Recorded, column: str, *, same_machine: bool) -> float | None:
        """None where nothing is known that a difference could be held against."""
        if column in DERIVED:
            return None
        name = column.replace("validation_", "test_")
        shipped = None if own.is_trial else self._shipped
        if shipped is not None and shipped.metric(name) is not None:
            return shipped.tolerance(name, "rerun", own.record["method"])
        if self._noisy is not None and self._noisy.metric(name) is not None:
            return self._noisy.tolerance(name, "rerun", _key(own.record))
        return self._grain(name) if same_machine else None

    def _grain(self, name: str) -> float:
        metric = self._plain.metric(name)
        known = metric.tolerance["rerun"] if metric is not None else None
        return 1 / min(self._smallest.values()) if known is None else known

    @cached_property
    def _shipped(self) -> Board | None:
        first = self.records[0]
        name = f"{first['benchmark']}.{first['scope']}"
        board = load_board(name) if name in board_names() else None
        return board if board is not None and board.noise is not None else None

    @cached_property
    def _noisy(self) -> Board | None:
        own = [{**record, "method": _key(record), "metrics": _as_tested(record)}
               for record in self.records]  # fmt: skip
        with suppress(ValueError):
            return with_noise(self._plain, own, "")
        return None

    @cached_property
    def _plain(self) -> Board:
        first = self.records[0]
        nothing: dict[str, Any] = {"options": {}, "dataset": {}, "original": {}, "scenarios": {}}
        return Board(
            name=f"{first['benchmark']}.{first['scope']}",
            title="",
            benchmark=first["benchmark"],
            scope=first["scope"],
            seeds=(),
            controls=(),
            metrics=board_metrics(first["scope"], self._smallest),
            **nothing,
        )

    @cached_property
    def _smallest(self) -> Mapping[str, int]:
        """Images in the smallest set of each name; what trials hold out is their test set."""
        found: dict[str, int] = {}
        for record in self.records:
            for name, size in record["sizes"].items():
                of = "test" if name == "validation" else name
                found[of] = min(size, found.get(of, size))
        return found


def _key(record: Record) -> str:
    """A method with its settings: other settings are another method."""
    return f"{record['method']} {canonical(record['hyperparameters'])}"


def _as_tested(record: Record) -> dict[str, float]:
    return {name.replace("validation_", "test_"): v for name, v in record["metrics"].items()}
