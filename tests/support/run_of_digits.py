"""A small run of the benchmark `digits`, and copies of it whose records were altered."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from accelerate import Accelerator

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.grid.plan import Cell, plan
from benchmark_adapters.grid.run import run_grid
from benchmark_adapters.records.record import write_record
from suli_plugin.plugins import registry

METHODS = ["original", "retrain", "suli", "bn_drift", "logit_mask"]


@contextmanager
def brief_relearning() -> Iterator[None]:
    """The relearn time of digits is measured for a moment only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Digits, "relearn_updates", 10)
        yield


def cells_of_digits(accelerator: Accelerator) -> list[Cell]:
    """The cells of `run_of_digits`."""
    planned = plan(
        Digits(), registry(), methods=METHODS, seeds=[0], retrains=2, accelerator=accelerator
    )
    return [cell for cell in planned if cell.scenario == "class-3" or cell.label in METHODS]


def run_of_digits(folder: Path) -> Path:
    """Both scopes under seed 0, with evidence; class-wise with an audit against two Retrains."""
    accelerator = Accelerator()
    cells = cells_of_digits(accelerator)
    with brief_relearning():
        outcome = run_grid(cells, Digits(), registry(), folder, accelerator)
    assert not outcome.failed
    return folder


def copied_cells(run: Path, folder: Path, cells: Sequence[Cell]) -> None:
    """Copy what a run has of these cells, records and evidence, so that another goes on from it."""
    for cell in cells:
        source, place = cell.path(run), cell.path(folder)
        for path in source.parent.glob(f"{source.stem}.*"):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place.parent)


def altered(run: Path, folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of a run whose class-wise SULI record was changed and given a digest that fits."""
    shutil.copytree(run, folder)
    (path,) = folder.rglob("class-3/suli/0-*.json")
    record = json.loads(path.read_text())
    change(record)
    write_record(path, record)
    return folder
