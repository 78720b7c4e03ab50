"""A small run of the benchmark `digits` on requests that follow one another."""

from __future__ import annotations

from pathlib import Path

from accelerate import Accelerator
from run_of_digits import brief_relearning

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.grid.plan import Cell, plan
from benchmark_adapters.grid.run import run_grid
from suli_plugin.plugins import registry

CLASSES, SAMPLES = "sequence-3-classes-5-1-3", "sequence-4-instance-10"
METHODS = ["original", "retrain", "neg_grad", "bn_drift", "amnesiac"]
RETRAINS = ["retrain@2", "retrain_held_out"]


def cells_of_classes() -> list[Cell]:
    """Class after class under seed 0, with an audit against two Retrains."""
    cells = plan(Digits(), registry(), scenarios=[CLASSES], methods=METHODS, seeds=[0],
                 retrains=2, accelerator=Accelerator())  # fmt: skip
    # Of the controls one shows what becomes of all.
    return [cell for cell in cells if cell.label in (*METHODS, *RETRAINS)]


def run_of_sequences(folder: Path) -> Path:
    """`cells_of_classes`, and one of their methods under another seed, too, and on samples."""
    planned = plan(Digits(), registry(), scenarios=[CLASSES, SAMPLES], methods=["neg_grad"],
                   seeds=[0, 1], accelerator=Accelerator())  # fmt: skip
    wanted = {(CLASSES, "neg_grad", 1), (SAMPLES, "neg_grad", 0)}
    further = [each for each in planned if (each.scenario, each.label, each.seed) in wanted]
    with brief_relearning():
        for cells in (cells_of_classes(), further):
            assert not run_grid(cells, Digits(), registry(), folder, Accelerator()).failed
    return folder
