"""The records that the comparison's tables are made from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark_adapters.grid.retrains import HELD_OUT, RETRAIN, is_retrain
from benchmark_adapters.records.record import read_record
from leaderboards.board.board import board_names, load_board
from leaderboards.keeping.noise import verified_records
from leaderboards.store.files import FolderFiles

# The setting whose records are those of its boards.
CONTEST = "cifar10-fast"


def records_below(folder: Path, *, trials: bool = False) -> list[dict[str, Any]]:
    """The records below a folder, of trials or of results: a trial is not a result.

    Raises ValueError for a folder that is not there, and for a broken record.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    found = [read_record(path) for path in sorted(folder.rglob("*.json"))]
    return [record for record in found if ("tuning" in record) == trials]


def contest_records(store: Path) -> list[dict[str, Any]]:
    """What stands on the boards of the contest: records of submissions that nobody refuted.

    Of the Retrains the first alone, which the others are there to judge by. Raises ValueError for a
    folder that is no store.
    """
    if not (store / "submissions").is_dir():
        raise ValueError(f"there are no submissions in {store}: it is no store of leaderboards")
    boards = [load_board(name) for name in board_names() if name.partition(".")[0] == CONTEST]
    found = [r for board in boards for r in verified_records(FolderFiles(store), board)]
    return [dict(r) for r in found if r["method"] != HELD_OUT and not is_further_retrain(r)]


def is_further_retrain(record: Mapping[str, Any]) -> bool:
    """Whether it is one of the Retrains behind the first."""
    return is_retrain(record["method"]) and record["method"] != RETRAIN
