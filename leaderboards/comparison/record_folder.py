"""The records that the comparison's tables are made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark_adapters.records.record import read_record


def records_below(folder: Path, *, trials: bool = False) -> list[dict[str, Any]]:
    """The records below a folder, of trials or of results: a trial is not a result.

    Raises ValueError for a folder that is not there, and for a broken record.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    found = [read_record(path) for path in sorted(folder.rglob("*.json"))]
    return [record for record in found if ("tuning" in record) == trials]
