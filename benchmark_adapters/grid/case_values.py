"""What the audit measures of a case without Retrains: values beside the controls', no verdict."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.audit.judge import ORIGINAL, Judged, judge
from benchmark_adapters.grid.case_audits import observation_of
from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.grid.scored_case import ScoredCase
from benchmark_adapters.records.record import write_atomically

VALUES = "values.json"


def write_values(
    cells: Mapping[Cell, Mapping[str, Any]], folder: Path, scored: Callable[[], ScoredCase]
) -> None:
    """Write `<seed>-values.json` beside the records of a case, an audit in which nothing decides.

    Only where the original and a control are there, since a value alone says nothing; models
    without kept evidence are left out. One whole file: values of an earlier one are made again
    where a model has come or changed.
    """
    controls = frozenset(cell.label for cell in cells if cell.unlearner.control)
    labels = {cell.label: record["unlearned_hash"] for cell, record in cells.items()}
    if ORIGINAL not in labels or not controls:
        return
    any_cell = next(iter(cells))
    path = folder / any_cell.benchmark / any_cell.scenario / f"{any_cell.seed}-{VALUES}"
    there = read_values(path)
    if there is not None and dict(there.hashes) == labels:
        return
    case = scored()
    seen = {
        cell.label: found
        for cell, record in cells.items()
        if (found := observation_of(cell, record, folder, case)) is not None
    }
    if ORIGINAL in seen and case.accelerator.is_main_process:
        made = judge(
            Judged([], seen, controls, case.case.forget_classes, any_cell.seed), hashes=labels
        )
        write_atomically(path, json.dumps(made.as_dict(), indent=1, allow_nan=False) + "\n")


def read_values(path: Path) -> CaseAudit | None:
    """What such a file holds, None where there is none that can be read."""
    try:
        return CaseAudit.of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
