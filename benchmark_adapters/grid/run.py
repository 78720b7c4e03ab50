"""Run the cells of a grid, resumable: one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from benchmark_adapters.grid.cell_maker import CellMaker
from benchmark_adapters.grid.outcome import Outcome, Results
from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.grid.retrains import RETRAIN
from benchmark_adapters.grid.run_log import RunLog
from benchmark_adapters.grid.scored_case import ScoredCase
from suli_plugin.benchmark import Benchmark
from suli_plugin.registry import Registry


def run_grid(
    cells: Sequence[Cell],
    benchmark: Benchmark,
    registry: Registry,
    folder: Path,
    accelerator: Accelerator,
    *,
    progress: Callable[[Cell], None] = lambda cell: None,
    evidence: bool = True,
    values: bool = False,
    run_cell: Callable[[Cell], dict[str, Any]] | None = None,
    scored_case: Callable[[Cell], ScoredCase] | None = None,
) -> Outcome:
    """Run the cells that have no whole record yet; the main process writes.

    Retrain comes first in each case, so that the others are compared with it; those of an earlier
    run are compared with a Retrain that came later by their kept logits. A cell that raises is
    named in the outcome and the others are run. progress: called before each cell. evidence:
    keep weights and logits beside each record. values: where a case has no Retrains to judge by,
    keep what the audit measures, see `write_values`. run_cell: makes a cell's record, for whoever
    measures something else than the whole panel. scored_case: a cell's case, for whoever has it.
    """

    def own_case(cell: Cell) -> ScoredCase:
        return ScoredCase(benchmark, cell.scenario, cell.seed, accelerator)

    made = CellMaker(scored_case or own_case, registry, folder, accelerator, evidence, run_cell)
    with RunLog(cells, folder, writes=accelerator.is_main_process) as log:
        results = Results(log)
        # Cells of one case follow one another, so that each case is made once.
        for group in by_case(cells):
            made.scored = None
            for cell in group:
                progress(cell)
                log.begins(cell)
                results.take(cell, lambda cell=cell: made.record(cell))  # type: ignore[misc]
            done = {cell: results.done[cell] for cell in group if cell in results.done}
            results.judge(group, lambda done=done: made.audit(done, values))  # type: ignore[misc]
    return results.outcome(cells, folder)


def by_case(cells: Sequence[Cell]) -> Iterator[list[Cell]]:
    """The cells of each case, Retrain first."""
    groups: dict[tuple[str, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.scenario, cell.seed), []).append(cell)
    for group in groups.values():
        yield sorted(group, key=lambda cell: cell.label != RETRAIN)
